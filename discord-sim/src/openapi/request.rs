use axum::http::Method;
use serde_json::{Map, Value};

use super::{
    Judge,
    blame::Blame,
    document::{Body, Operation},
    explain,
    mismatch::{Mismatch, Side},
    query,
};

impl Judge {
    /// What is wrong with a request, empty when nothing is.
    ///
    /// `body` is the JSON body, or `payload_json` of a multipart form; `None` for an empty body and for a form without that part.
    pub fn request(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        content_type: Option<&str>,
        body: Option<&Value>,
    ) -> Vec<Mismatch> {
        let found = self.document.routes.find(method, path);
        let blame = Blame {
            method,
            route: found.map_or(path, |(route, _)| &route.template),
            side: Side::Request,
            status: None,
        };
        let Some((route, operation)) = found else {
            return blame.undescribed(self, path);
        };

        let mut mismatches: Vec<_> =
            route.check_parameters(path).into_iter().map(|detail| blame.here(detail)).collect();
        self.check_query(operation, query.unwrap_or_default(), &blame, &mut mismatches);
        match &operation.body {
            Some(described) => {
                self.check_body(described, content_type, body, &blame, &mut mismatches);
            }
            None if body.is_some_and(|body| !is_empty(body)) => {
                mismatches.push(blame.here("a body, where Discord takes none".to_owned()));
            }
            None => {}
        }
        mismatches
    }

    fn check_query(&self, operation: &Operation, query: &str, blame: &Blame<'_>, mismatches: &mut Vec<Mismatch>) {
        let pairs = query::pairs(query);
        for parameter in &operation.query {
            match parameter.value(&pairs) {
                Some(value) => match self.document.schemas.validator(&parameter.schema) {
                    Ok(validator) => {
                        mismatches.extend(explain::findings(validator, &value).into_iter().map(|finding| {
                            blame.here(format!("query parameter {}: {}", parameter.name, finding.detail))
                        }));
                    }
                    Err(error) => mismatches.push(blame.here(error.to_string())),
                },
                None if parameter.required => {
                    mismatches.push(blame.here(format!("query parameter {} is missing", parameter.name)));
                }
                None => {}
            }
        }
        for (name, _) in &pairs {
            if !operation.query.iter().any(|parameter| parameter.name == *name) {
                mismatches.push(blame.here(format!("Discord knows no query parameter {name:?} here")));
            }
        }
    }

    fn check_body(
        &self,
        described: &Body,
        content_type: Option<&str>,
        body: Option<&Value>,
        blame: &Blame<'_>,
        mismatches: &mut Vec<Mismatch>,
    ) {
        let media = content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        match &media {
            Some(media) if !described.media.contains(media) => {
                let known = described.media.join(", ");
                mismatches.push(blame.here(format!("content type {media}, where Discord takes {known}")));
            }
            None if body.is_some() => {
                mismatches.push(blame.here("a body without a content type".to_owned()));
            }
            _ => {}
        }
        let form = media.as_deref().is_some_and(|media| media != "application/json");
        match body {
            Some(body) => self.check(&described.schema, body, blame, mismatches),
            // A form may consist of files and plain fields.
            None if described.required && !form => {
                mismatches.push(blame.here("no body, where Discord demands one".to_owned()));
            }
            None => {}
        }
    }
}

fn is_empty(body: &Value) -> bool {
    body.is_null() || body.as_object().is_some_and(Map::is_empty)
}
