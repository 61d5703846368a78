//! Routes that Discord does not have: what went wrong here, and faults of the gateway, for tests in other processes.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sim::Sim;

/// What `POST /_sim/gateway` does to all sessions of bots.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Fault {
    /// Ends the connections, with a close code or without a word.
    Close { code: Option<u16> },
    /// Asks to reconnect (op 7).
    Reconnect,
    /// Ends the sessions (op 9).
    Invalidate {
        #[serde(default)]
        resumable: bool,
    },
    /// Ends the sessions as timed out (4009).
    TimeOut,
}

pub(crate) fn router() -> Router<Sim> {
    Router::new().route("/_sim/ledger", get(ledger)).route("/_sim/gateway", post(gateway))
}

async fn ledger(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.read(|state| {
        let failed = state.ledger.failed_interactions.iter().map(|(id, why)| json!({ "id": id, "why": why }));
        json!({
            "violations": state.ledger.violations, "failed_interactions": failed.collect::<Vec<_>>(),
            "identifies": state.sessions.identifies.len(), "resumes": state.sessions.resumes, "requests": state.ledger.requests.len(),
        })
    }))
}

async fn gateway(State(sim): State<Sim>, Json(fault): Json<Fault>) -> StatusCode {
    sim.write(|state| match fault {
        Fault::Close { code } => state.sessions.disconnect_bots(code),
        Fault::Reconnect => state.sessions.ask_bots_to_reconnect(),
        Fault::Invalidate { resumable } => state.sessions.invalidate_bots(resumable),
        Fault::TimeOut => state.sessions.time_out_bots(),
    });
    StatusCode::NO_CONTENT
}
