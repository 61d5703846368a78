use axum::http::Method;
use serde_json::Value;

use super::{
    Judge,
    blame::Blame,
    document::Content,
    mismatch::{Mismatch, Side},
    query,
};

/// Operations that answer 200 with an object when this query parameter is true, and 204 without a body otherwise.
const ANSWER_ON_REQUEST: [(&str, &str); 2] = [
    ("/webhooks/{webhook_id}/{webhook_token}", "wait"),
    ("/interactions/{interaction_id}/{interaction_token}/callback", "with_response"),
];

impl Judge {
    /// What is wrong with an answer of the simulator, empty when nothing is.
    ///
    /// Statuses from 500 on are faults and not described. `path` may carry its query: then `wait` and `with_response` are held against
    /// the choice between 200 and 204.
    pub fn response(&self, method: &Method, path: &str, status: u16, body: Option<&Value>) -> Vec<Mismatch> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let found = self.document.routes.find(method, path);
        let blame = Blame {
            method,
            route: found.map_or(path, |(route, _)| &route.template),
            side: Side::Response,
            status: Some(status),
        };
        if status >= 500 {
            return Vec::new();
        }
        let Some((_, operation)) = found else {
            // A client that asks for what does not exist is told so, and that is no fault of the answer.
            return if status == 404 || status == 405 { Vec::new() } else { blame.undescribed(self, path) };
        };
        let Some(answer) = operation.answer(status) else {
            let described: Vec<_> = operation.answers.iter().map(|answer| answer.status.as_str()).collect();
            return vec![blame.here(format!("status {status}, where Discord answers {}", described.join(", ")))];
        };

        let mut mismatches = Vec::new();
        if let Some(detail) = query.and_then(|query| wrong_choice(method, blame.route, query, status)) {
            mismatches.push(blame.here(detail));
        }
        match (&answer.content, body) {
            (Content::Json(schema), Some(body)) => {
                self.check(schema, body, &blame, &mut mismatches);
            }
            // The page of Cloudflare that stands before Discord is not JSON.
            (Content::Json(_), None) if status == 429 => {}
            (Content::Json(_), None) => {
                mismatches.push(blame.here("no body, where Discord sends one".to_owned()));
            }
            (Content::Empty, Some(_)) => {
                mismatches.push(blame.here("a body, where Discord sends none".to_owned()));
            }
            (Content::Other, Some(_)) => {
                mismatches.push(blame.here("JSON, where Discord sends a file".to_owned()));
            }
            (Content::Empty | Content::Other, None) => {}
        }
        mismatches
    }
}

fn wrong_choice(method: &Method, route: &str, query: &str, status: u16) -> Option<String> {
    let (_, parameter) = ANSWER_ON_REQUEST.iter().find(|(template, _)| method == Method::POST && *template == route)?;
    let asked = query::pairs(query)
        .iter()
        .any(|(name, value)| name == parameter && matches!(value.as_str(), "true" | "True" | "1"));
    match (asked, status) {
        (true, 204) => Some(format!("status 204 though {parameter} asks for the object")),
        (false, 200) => Some(format!("status 200 though {parameter} does not ask for the object")),
        _ => None,
    }
}
