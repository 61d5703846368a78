//! The bytes behind the addresses of attachments.

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use twilight_model::id::{Id, marker::AttachmentMarker};

use super::Path;
use crate::{error::ApiError, sim::Sim};

pub(super) async fn one(
    State(sim): State<Sim>,
    Path((id, _)): Path<(Id<AttachmentMarker>, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let file = sim.read(|state| state.files.get(&id).cloned());
    let (attachment, bytes): (_, Bytes) =
        file.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, 0, "404: Not Found"))?;
    // Uploaded HTML must not run as this page's own.
    let headers = [
        (header::CONTENT_TYPE, attachment.content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
    ];
    Ok((headers, bytes))
}
