//! The browser page and the one route of it that is not Discord's: the people to switch between.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use serde_json::{Value, json};

use crate::sim::Sim;

/// The files of `page/`; in debug builds they are read anew at each request.
#[derive(RustEmbed)]
#[folder = "page/"]
struct Files;

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{name}", get(|Path(name): Path<String>| async move { file(&name) }))
        .route("/_sim/people", get(people))
}

fn file(name: &str) -> Response {
    let Some(file) = Files::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let content_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let policy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: http: https:";
    (
        [
            (header::CONTENT_TYPE, content_type),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        file.data,
    )
        .into_response()
}

async fn people(State(sim): State<Sim>) -> Json<Value> {
    const COLORS: [&str; 6] = ["#5b7cfa", "#2fa36b", "#d9822b", "#b85cc9", "#c94f5d", "#3b9db8"];
    Json(sim.read(|state| {
        let people = state.users.values().filter_map(|user| Some((user, user.note.as_ref()?)));
        let described = people.zip(COLORS.into_iter().cycle()).map(|((user, note), color)| {
            json!({ "id": user.id, "username": user.username, "global_name": user.global_name, "avatar_color": color, "token": user.token, "note": note })
        });
        described.collect()
    }))
}
