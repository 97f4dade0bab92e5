//! Whether a page is well written: parsed as the standard has it, no error passed over, and what
//! a screen reader needs is there.

use std::collections::HashSet;

use html5ever::tendril::TendrilSink as _;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// Everything that is wrong with a page.
pub(crate) fn faults(html: &str) -> Vec<String> {
    let mut options = ParseOpts::default();
    options.tokenizer.exact_errors = true;
    options.tree_builder.exact_errors = true;
    let dom = parse_document(RcDom::default(), options).one(html);
    let mut faults: Vec<String> = dom
        .errors
        .borrow()
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut elements = Vec::new();
    gather(&dom.document, &mut elements);
    let page = Page(elements);
    page.outline(&mut faults);
    page.names(&mut faults);
    page.references(&mut faults);
    faults
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    inside_label: bool,
}

struct Page(Vec<Element>);

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|(its_name, _)| its_name == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Page {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.0.iter().filter(move |element| element.name == name)
    }

    fn outline(&self, faults: &mut Vec<String>) {
        if self.all("html").next().and_then(|html| html.get("lang")) != Some("zh-CN") {
            faults.push("the page's language is not said".to_owned());
        }
        for (name, wanted) in [
            ("title", 1),
            ("h1", 1),
            ("main", 1),
            ("header", 1),
            ("footer", 1),
        ] {
            let found = self.all(name).count();
            if found != wanted {
                faults.push(format!("{found} <{name}>, not {wanted}"));
            }
        }
        if self.all("title").any(|title| title.text.trim().is_empty()) {
            faults.push("an empty title".to_owned());
        }
        let mut last = 0;
        for element in &self.0 {
            let level = element
                .name
                .strip_prefix('h')
                .and_then(|level| level.parse::<u32>().ok());
            let Some(level) = level else { continue };
            if level > last + 1 {
                faults.push(format!("<h{level}> after <h{last}>"));
            }
            if element.text.trim().is_empty() {
                faults.push(format!("an empty <h{level}>"));
            }
            last = level;
        }
    }

    fn names(&self, faults: &mut Vec<String>) {
        let labelled: HashSet<&str> = self
            .all("label")
            .filter_map(|label| label.get("for"))
            .collect();
        for element in &self.0 {
            let says = !element.text.trim().is_empty() || element.get("aria-label").is_some();
            let fault = match element.name.as_str() {
                "input" | "textarea" | "select" => {
                    let hidden = element.get("type") == Some("hidden");
                    let by_id = element.get("id").is_some_and(|id| labelled.contains(id));
                    !(hidden || by_id || element.inside_label)
                }
                "button" | "a" | "legend" | "label" => !says,
                "img" => element.get("alt").is_none(),
                "nav" => element.get("aria-label").is_none(),
                "style" | "iframe" | "object" | "embed" => true,
                "script" => !element.text.trim().is_empty(),
                _ => false,
            };
            if fault {
                faults.push(format!(
                    "<{}> has no name: {:?}",
                    element.name, element.attributes
                ));
            }
            for (name, value) in &element.attributes {
                if name.starts_with("on") || name == "style" {
                    faults.push(format!("an inline {name}"));
                }
                let leads = ["href", "src", "action"].contains(&name.as_str());
                if leads && !value.starts_with("/h5") && !value.starts_with('#') {
                    faults.push(format!("{name} leads to {value}"));
                }
            }
        }
        for form in self.all("form") {
            if form.get("method") != Some("post") {
                faults.push("a form that is not posted".to_owned());
            }
        }
        let codes = self
            .all("input")
            .filter(|input| input.get("name") == Some("code"));
        if codes.count() != self.all("form").count() {
            faults.push("a form without its code".to_owned());
        }
    }

    fn references(&self, faults: &mut Vec<String>) {
        let mut ids = HashSet::new();
        for id in self.0.iter().filter_map(|element| element.get("id")) {
            if !ids.insert(id) {
                faults.push(format!("the id {id} twice"));
            }
        }
        for element in &self.0 {
            for name in ["for", "aria-labelledby", "aria-describedby"] {
                for wanted in element.get(name).unwrap_or_default().split_whitespace() {
                    if !ids.contains(wanted) {
                        faults.push(format!("{name} names {wanted}, which is not there"));
                    }
                }
            }
        }
    }
}

fn gather(node: &Handle, elements: &mut Vec<Element>) {
    gather_inside(node, false, elements);
}

fn gather_inside(node: &Handle, inside_label: bool, elements: &mut Vec<Element>) {
    let mut inside_label = inside_label;
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let name = name.local.to_string();
        let attributes = attrs.borrow();
        let attributes = attributes.iter().map(|attribute| {
            (
                attribute.name.local.to_string(),
                attribute.value.to_string(),
            )
        });
        elements.push(Element {
            attributes: attributes.collect(),
            text: text_of(node),
            inside_label,
            name: name.clone(),
        });
        inside_label |= name == "label";
    }
    for child in node.children.borrow().iter() {
        gather_inside(child, inside_label, elements);
    }
}

fn text_of(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text_of).collect(),
    }
}

#[test]
fn what_is_wrong_is_found() {
    let good = "<!DOCTYPE html><html lang=\"zh-CN\"><head><title>a</title></head><body><header></header>\
        <main><h1>a</h1><h2>b</h2><label>c <input name=\"x\"></label></main><footer></footer></body></html>";
    assert_eq!(faults(good), Vec::<String>::new());
    for (wrong, instead) in [
        (" lang=\"zh-CN\"", ""),
        ("<h2>b</h2>", "<h3>b</h3>"),
        ("<h2>b</h2>", "<h2></h2>"),
        ("<h2>b</h2>", "<h2>b"),
        ("<label>c <input name=\"x\"></label>", "<input name=\"x\">"),
        ("<h2>b</h2>", "<h2 id=\"a\">b</h2><p id=\"a\"></p>"),
        ("<h2>b</h2>", "<img src=\"/h5/x\">"),
        ("<h2>b</h2>", "<a href=\"https://evil.example\">b</a>"),
        (
            "<h2>b</h2>",
            "<form method=\"post\"><button>b</button></form>",
        ),
        ("<h2>b</h2>", "<button></button>"),
        ("<h2>b</h2>", "<p onclick=\"x\">b</p>"),
        ("<!DOCTYPE html>", ""),
    ] {
        assert!(
            !faults(&good.replace(wrong, instead)).is_empty(),
            "{instead}"
        );
    }
}
