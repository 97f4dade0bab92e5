//! A citizen's visit to the pages, as a browser without JavaScript makes it.

use banyan_sandbox::Citizen;
use url::form_urlencoded;

use crate::partners_voice::{RawReply, http};
use crate::telling::Story;

/// A visit: whose session, and where.
pub(crate) struct Visit<'a> {
    story: &'a Story,
    pub(crate) cookie: String,
}

/// The path of a fresh link for this citizen, from 闽政通.
pub(crate) async fn link(story: &Story, citizen: &Citizen) -> String {
    let reply = story.mzt.entry_link(citizen).await.unwrap();
    let url: url::Url = reply.mdrUrl.expose().as_str().parse().unwrap();
    url.path().to_owned()
}

/// Opens a fresh link of 闽政通.
pub(crate) async fn come_in<'a>(story: &'a Story, citizen: &Citizen) -> Visit<'a> {
    Visit::enter(story, &link(story, citizen).await).await
}

/// The phone number that an appeal carries.
pub(crate) const CONTACT: &str = "13800000000";

impl<'a> Visit<'a> {
    /// Opens this link.
    pub(crate) async fn enter(story: &'a Story, link: &str) -> Self {
        let entered = http(story.platform(), "GET", link, &[], b"").await;
        let cookie = entered.header("set-cookie").unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { story, cookie }
    }

    pub(crate) async fn get(&self, path: &str) -> RawReply {
        let headers = [("cookie", &*self.cookie)];
        http(self.story.platform(), "GET", path, &headers, b"").await
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        reply.text()
    }

    pub(crate) async fn list(&self) -> String {
        self.page("/h5/overdue").await
    }

    /// Sends a form's fields.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> RawReply {
        self.send_from(path, fields, &[]).await
    }

    /// The same with headers that tell where the form was.
    pub(crate) async fn send_from(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> RawReply {
        let mut all = vec![("cookie", &*self.cookie)];
        all.extend(headers);
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        http(
            self.story.platform(),
            "POST",
            path,
            &all,
            body.finish().as_bytes(),
        )
        .await
    }

    /// Opens a page, fills its form for `action` and sends it.
    pub(crate) async fn submit(
        &self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> RawReply {
        let code = code_of(&self.page(page).await, action);
        let mut all = vec![("code", &*code)];
        all.extend(fields);
        self.send(action, &all).await
    }

    pub(crate) async fn refresh(&self) -> RawReply {
        self.submit("/h5/overdue", "/h5/refresh", &[]).await
    }

    /// Appeals against a record; gives the answer to the form.
    pub(crate) async fn appeal(&self, trace_id: &str, reason: &str, text: &str) -> RawReply {
        let path = format!("/h5/overdue/item/{trace_id}/appeal");
        let fields = [("reason", reason), ("text", text), ("contact", CONTACT)];
        self.submit(&path, &path, &fields).await
    }

    /// The same where it goes well; gives the appeal's own path.
    pub(crate) async fn appealed(&self, trace_id: &str, reason: &str, text: &str) -> String {
        let filed = self.appeal(trace_id, reason, text).await;
        assert_eq!(filed.status, 303, "{}", filed.text());
        let path = filed.header("location").unwrap();
        path.strip_suffix("?filed=1").unwrap().to_owned()
    }
}

/// The code in a page's form for `action`.
pub(crate) fn code_of(html: &str, action: &str) -> String {
    let form = html.split(&format!("action=\"{action}\"")).nth(1);
    let form = form.unwrap_or_else(|| panic!("no form for {action}: {html}"));
    let code = form.split("name=\"code\" value=\"").nth(1).unwrap();
    code.split('"').next().unwrap().to_owned()
}
