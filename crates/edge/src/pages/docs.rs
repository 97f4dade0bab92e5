//! The API's page: every path with its members, a command that calls it, and a form to try it.

use askama::Template;

use super::member::{Member, Shape, members};
use super::routes::{GROUPS, Route, routes};
use super::sample;
use crate::pages::{DOCS_PATH, MARK, OPENAPI_PATH, SCRIPT, STATUS_PATH, STYLE, TABLE};
use crate::rows::Action;

/// The page. `base_url` is where the HIS reaches the edge.
pub(crate) fn docs(base_url: &str) -> Result<String, askama::Error> {
    let routes = routes();
    let groups = GROUPS.map(|name| Group {
        name,
        routes: routes
            .iter()
            .filter(|route| route.group == name)
            .map(|route| Shown::new(route, base_url))
            .collect(),
    });
    let actions = Action::ENTRIES.iter().filter_map(|entry| {
        let action = Action::from_code(entry.code)?;
        Some(Columns {
            code: entry.code,
            name: entry.name,
            lines: lines(&members(action.fields())),
        })
    });
    let page = Page {
        base_url,
        groups,
        actions: actions.collect(),
    };
    page.render()
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'a> {
    base_url: &'a str,
    groups: [Group<'a>; GROUPS.len()],
    actions: Vec<Columns>,
}

/// The columns of a dropped file, for one kind of line.
struct Columns {
    code: &'static str,
    name: &'static str,
    lines: Vec<Line>,
}

struct Group<'a> {
    name: &'static str,
    routes: Vec<Shown<'a>>,
}

/// A path as it is shown.
struct Shown<'a> {
    route: &'a Route,
    verb: &'static str,
    /// Parts of the path and of the query, to be filled in.
    inputs: Vec<Input<'a>>,
    request: Vec<Line>,
    reply: Vec<Line>,
    example: Option<String>,
    curl: String,
}

struct Input<'a> {
    member: &'a Member,
    is_in_path: bool,
    sample: &'static str,
}

/// A line of a table of members.
struct Line {
    path: String,
    name: &'static str,
    kind: String,
    is_required: bool,
    note: String,
}

impl<'a> Shown<'a> {
    fn new(route: &'a Route, base_url: &str) -> Self {
        let body = route.body.as_deref();
        let example = body.map(|body| pretty(&sample::object(body)));
        let inputs = [(&route.places, true), (&route.query, false)];
        let inputs = inputs.into_iter().flat_map(|(members, is_in_path)| {
            members.iter().map(move |member| Input {
                member,
                is_in_path,
                sample: sample::text(member.code),
            })
        });
        Self {
            curl: curl(route, base_url, example.as_deref()),
            verb: route.verb.name(),
            inputs: inputs.collect(),
            request: lines(body.unwrap_or_default()),
            reply: lines(&route.data),
            example,
            route,
        }
    }
}

/// The command, for the shell of any system that has one.
fn curl(route: &Route, base_url: &str, example: Option<&str>) -> String {
    let base_url = base_url.trim_end_matches('/');
    let mut path = route.path.clone();
    for place in &route.places {
        let named = format!("{{{}}}", place.code);
        path = path.replace(&named, sample::text(place.code));
    }
    let query = route.query.iter().filter(|member| member.is_required);
    let query: Vec<_> = query
        .map(|member| format!("{}={}", member.code, sample::text(member.code)))
        .collect();
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let mut command = format!("curl -sS '{base_url}{path}'");
    if route.has_key {
        command.push_str(" \\\n  -H 'Authorization: Bearer 前置机密钥'");
    }
    if let Some(example) = example {
        command.push_str(" \\\n  -H 'Content-Type: application/json' \\\n  -d '");
        command.push_str(example);
        command.push('\'');
    }
    command
}

fn lines(members: &[Member]) -> Vec<Line> {
    let mut all = Vec::new();
    add(&mut all, members, "");
    all
}

fn add(all: &mut Vec<Line>, members: &[Member], prefix: &str) {
    for member in members {
        let path = format!("{prefix}{}", member.code);
        all.push(Line {
            name: member.name,
            kind: member.shape.label(),
            is_required: member.is_required,
            note: member.note.clone(),
            path: path.clone(),
        });
        if let Shape::List(inner) = &member.shape {
            add(all, inner, &format!("{path}[]."));
        }
    }
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
