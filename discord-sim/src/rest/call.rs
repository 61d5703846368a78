//! What handlers take from a request: the caller, the address, and the body as JSON with the uploaded files.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Multipart, Request,
        path::ErrorKind,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use crate::{
    error::ApiError,
    sim::Sim,
    snowflake::ids_as_text,
    state::{Principal, State},
};

/// What a guild without boosts lets a bot upload, 10 MiB, is also what an interaction names as `attachment_size_limit`.
const MAX_FILE: usize = 10 * 1024 * 1024;
/// A request may carry ten files.
pub(super) const MAX_BODY: usize = 110 * 1024 * 1024;

/// Who calls; 401 without a good token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl Caller {
    /// The user behind the caller.
    pub(crate) fn user(self) -> Id<UserMarker> {
        self.0.user()
    }

    /// The caller's application, 403 for people.
    pub(crate) fn application(self) -> Result<Id<ApplicationMarker>, ApiError> {
        match self.0 {
            Principal::Bot(id) => Ok(id),
            Principal::Person(_) => Err(ApiError::bad(20002, "Only bots can use this endpoint")),
        }
    }
}

impl FromRequestParts<Sim> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        sim.read(|state| principal(state, parts)).map(Caller).ok_or_else(ApiError::unauthorized)
    }
}

/// The owner of a request's token.
pub(super) fn principal(state: &State, parts: &Parts) -> Option<Principal> {
    let token = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let principal = state.principal(token)?;
    // Discord takes a bot's token only behind its scheme.
    (token.starts_with("Bot ") == matches!(principal, Principal::Bot(_))).then_some(principal)
}

/// Parameters in the path; an id that is none is refused as Discord refuses it.
#[derive(Clone, Copy, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub(crate) T);

/// Parameters of the query.
#[derive(Clone, Copy, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub(crate) T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        let value = match &rejection {
            PathRejection::FailedToDeserializePathParams(failed) => match failed.kind() {
                ErrorKind::ParseErrorAtIndex { value, .. }
                | ErrorKind::ParseErrorAtKey { value, .. }
                | ErrorKind::ParseError { value, .. }
                | ErrorKind::DeserializeError { value, .. } => value.as_str(),
                _ => "",
            },
            _ => "",
        };
        Self::field("id", "NUMBER_TYPE_COERCE", &format!("Value \"{value}\" is not snowflake."))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::field("query", "BASE_TYPE_COERCE", &rejection.body_text())
    }
}

/// A switch in the query: libraries write `true`, `True` or `1`.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(D::Error::custom(format!("{text} is not a boolean"))),
    }
}

/// A file of a multipart body.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// The `n` of `files[n]`.
    pub(crate) index: String,
    /// Name.
    pub(crate) filename: String,
    /// MIME type.
    pub(crate) content_type: String,
    /// Content.
    pub(crate) bytes: Bytes,
}

/// A request's body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// The JSON body, or `payload_json` of a form. `{}` when there is none.
    pub(crate) json: Value,
    /// Files of a form.
    pub(crate) files: Vec<Upload>,
}

impl Body {
    /// The fields of an object body.
    pub(crate) fn fields(&self) -> Result<&Map<String, Value>, ApiError> {
        self.json.as_object().ok_or_else(|| ApiError::bad(50109, "The request body contains invalid JSON."))
    }
}

impl FromRequest<Sim> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, sim: &Sim) -> Result<Self, ApiError> {
        let content_type =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("multipart/form-data") {
            return multipart(request, sim).await;
        }
        let bytes =
            Bytes::from_request(request, sim).await.map_err(|_| ApiError::bad(40005, "Request entity too large"))?;
        let json = if bytes.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(&bytes)
                .map(ids_as_text)
                .map_err(|_| ApiError::bad(50109, "The request body contains invalid JSON."))?
        };
        Ok(Self { json, files: Vec::new() })
    }
}

async fn multipart(request: Request, sim: &Sim) -> Result<Body, ApiError> {
    let broken = |_| ApiError::bad(50035, "Invalid Form Body");
    let mut form =
        Multipart::from_request(request, sim).await.map_err(|_| ApiError::bad(50035, "Invalid Form Body"))?;
    let mut body = Body { json: json!({}), files: Vec::new() };
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "payload_json" {
            let text = field.text().await.map_err(broken)?;
            body.json = serde_json::from_str(&text)
                .map(ids_as_text)
                .map_err(|_| ApiError::bad(50109, "The request body contains invalid JSON."))?;
        } else if let Some(filename) = field.file_name().map(str::to_owned) {
            let index = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name).to_owned();
            let content_type = field.content_type().map_or_else(|| guess_type(&filename), str::to_owned);
            let bytes = field.bytes().await.map_err(broken)?;
            if bytes.len() > MAX_FILE {
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, 40005, "Request entity too large"));
            }
            body.files.push(Upload { index, filename, content_type, bytes });
        } else {
            let text = field.text().await.map_err(broken)?;
            if let Some(fields) = body.json.as_object_mut() {
                fields.insert(name, json!(text));
            }
        }
    }
    Ok(body)
}

fn guess_type(filename: &str) -> String {
    let extension = filename.rsplit('.').next().unwrap_or_default();
    match extension {
        "txt" | "log" | "md" => "text/plain; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
    .to_owned()
}
