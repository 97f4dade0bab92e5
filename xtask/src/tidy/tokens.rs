//! A Rust file as a flat list of tokens: comments, attributes and test modules are left out, so a
//! check sees what runs in production and nothing else.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};

pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Token {
    /// The inside of a string literal of any kind, as it is written.
    pub(crate) fn as_string(&self) -> Option<&str> {
        let quoted = self.text.trim_start_matches(['b', 'c', 'r']);
        quoted
            .trim_matches('#')
            .strip_prefix('"')?
            .strip_suffix('"')
    }
}

/// Nothing for a file that has no tokens of Rust: the compiler says it better.
pub(crate) fn production(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    if let Ok(stream) = TokenStream::from_str(text) {
        flatten(stream, &mut tokens);
    }
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                let inner = matches!(trees.peek(), Some(TokenTree::Punct(p)) if p.as_char() == '!');
                if inner {
                    trees.next();
                }
                let Some(TokenTree::Group(attribute)) =
                    trees.next_if(|next| matches!(next, TokenTree::Group(_)))
                else {
                    continue;
                };
                if is_for_tests(&attribute) {
                    if inner {
                        return;
                    }
                    skip_item(&mut trees);
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                push(tokens, group.span_open().start(), open);
                flatten(group.stream(), tokens);
                push(tokens, group.span_close().start(), close);
            }
            other => push(tokens, other.span().start(), &other.to_string()),
        }
    }
}

fn push(tokens: &mut Vec<Token>, at: LineColumn, text: &str) {
    tokens.push(Token {
        line: at.line,
        text: text.to_owned(),
    });
}

/// `#[cfg(test)]`, alone or among others, but not `#[cfg(not(test))]`.
fn is_for_tests(attribute: &Group) -> bool {
    let mut words = Vec::new();
    flatten(attribute.stream(), &mut words);
    let has = |word: &str| words.iter().any(|token| token.text == word);
    words.first().is_some_and(|token| token.text == "cfg") && has("test") && !has("not")
}

/// An item ends with its block or its semicolon.
fn skip_item(trees: &mut impl Iterator<Item = TokenTree>) {
    for tree in trees {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(mark) if mark.as_char() == ';' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_attributes_and_tests_are_left_out() {
        let text = r##"
            //! "module docs"
            /// "docs"
            #[derive(Debug)] // "comment"
            struct A;
            #[cfg(test)] #[allow(unused)] mod tests { const B: &str = "test"; }
            #[cfg(not(test))] const C: &str = r#"kept "raw" text"#;
            const D: &[u8] = b"kept too";
        "##;
        let tokens = production(text);
        let strings: Vec<_> = tokens.iter().filter_map(Token::as_string).collect();
        assert_eq!(strings, ["kept \"raw\" text", "kept too"]);
        assert_eq!(tokens.last().unwrap().line, 8);
    }
}
