//! When two names are the same: as people read them, not as machines wrote them.

/// Whether both are the same name: white space, the many middle dots, letter case and full-width
/// letters make no difference.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || folded(one) == folded(other)
}

/// The name as it is compared.
#[must_use]
pub fn folded(name: &str) -> String {
    name.chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| match letter {
            // The block of full-width ASCII stands at a fixed distance behind ASCII.
            '\u{FF01}'..='\u{FF5E}' => u32::from(letter)
                .checked_sub(0xFEE0)
                .and_then(char::from_u32)
                .unwrap_or(letter),
            other => other,
        })
        .map(|letter| match letter {
            '.' | '•' | '・' | '･' | '‧' | '∙' | '⋅' | '●' => '·',
            other => other.to_ascii_uppercase(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_one_name() {
        for (one, other) in [
            ("阿依古丽·买买提", "阿依古丽•买买提"),
            ("阿依古丽·买买提", "阿依古丽．买买提 "),
            ("阿依古丽·买买提", "阿依古丽 ・ 买买提"),
            ("张　三", "张三"),
            ("ｌｉ Ming", "LI MING"),
            ("𠮷田", "𠮷田"),
        ] {
            assert!(same_name(one, other), "{one} {other}");
        }
        for (one, other) in [("张三", "张叁"), ("吉田", "𠮷田"), ("张三", "张三丰")] {
            assert!(!same_name(one, other), "{one} {other}");
        }
    }
}
