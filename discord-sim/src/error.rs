//! The errors that Discord answers with, by their documented JSON codes.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Discord's JSON error code, 0 for the general ones.
    pub code: u64,
    /// Discord's own words for the code.
    pub message: String,
    /// The tree of a form error (code 50035).
    pub errors: Option<Value>,
}

impl ApiError {
    /// An error of `status` with Discord's `code` and `message`.
    pub fn new(status: StatusCode, code: u64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), errors: None }
    }

    /// 400 with a code.
    pub fn bad(code: u64, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404 with a code (10003 unknown channel, 10008 unknown message, …).
    pub fn unknown(code: u64, what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("Unknown {what}"))
    }

    /// 401, as for a wrong or missing token.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 0, "401: Unauthorized")
    }

    /// 403 50001: the object exists but the caller cannot see it.
    pub fn missing_access() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50001, "Missing Access")
    }

    /// 403 50013: the caller may not do this.
    pub fn missing_permissions() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50013, "Missing Permissions")
    }

    /// 400 50035 with a tree of field errors.
    pub fn form(errors: Value) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: 50035, message: "Invalid Form Body".into(), errors: Some(errors) }
    }

    /// 400 50035 for one field, e.g. `field_error("name", "BASE_TYPE_REQUIRED", "This field is required")`.
    pub fn field(path: &str, code: &str, message: &str) -> Self {
        let mut tree = json!({ "_errors": [{ "code": code, "message": message }] });
        for part in path.rsplit('.') {
            tree = json!({ part: tree });
        }
        Self::form(tree)
    }

    /// The body Discord sends.
    pub fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
