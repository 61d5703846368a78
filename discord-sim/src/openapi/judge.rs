use std::sync::LazyLock;

use axum::http::Method;
use serde_json::Value;

use super::{blame::Blame, document::Document, explain, mismatch::Mismatch};

static SHARED: LazyLock<Judge> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the document is compiled in, so this fails in the first test or never")]
    let document = Document::load().expect("the description that is compiled in can be read");
    Judge { document }
});

/// Judges requests and answers by Discord's description of its REST API.
///
/// Paths are given below `/api/v10`, as `/channels/123/messages`. A body is judged in a few microseconds once its schema has been used
/// for the first time.
pub struct Judge {
    pub(super) document: Document,
}

impl Judge {
    /// The judge of this process; the description is read on the first call.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// The description's template for `path`, such as `/channels/{channel_id}/messages`; `None` when Discord describes no such operation.
    ///
    /// Literal segments win over parameters, so `@original` is not taken for a message id.
    pub fn template(&self, method: &Method, path: &str) -> Option<&str> {
        self.document.routes.find(method, path).map(|(route, _)| route.template.as_str())
    }

    /// Adds what is wrong with `body` by the schema of this name.
    pub(super) fn check(&self, schema: &str, body: &Value, blame: &Blame<'_>, mismatches: &mut Vec<Mismatch>) {
        match self.document.schemas.validator(schema) {
            Ok(validator) => mismatches.extend(
                explain::findings(validator, body).into_iter().map(|finding| blame.at(finding.pointer, finding.detail)),
            ),
            Err(error) => mismatches.push(blame.here(error.to_string())),
        }
    }
}
