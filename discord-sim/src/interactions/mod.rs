//! Interactions: made by clients, signed and posted or dispatched to applications, answered by callbacks and follow-ups.
//!
//! Source of the behaviour: Discord's documentation, "Receiving and Responding to Interactions".

mod answer;
mod create;
mod deliver;
mod followup;
mod options;
mod payload;
mod resolve;

use std::time::Duration;

use axum::{
    Router,
    routing::{get, post},
};

pub use create::NewInteraction;

use crate::sim::Sim;

/// The first answer must come within this time, or the token dies; [`State::interaction_deadline`](crate::state::State) shortens it.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// Follow-ups are taken until the token is this old.
pub const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// Kinds of interactions.
pub mod kind {
    /// Asked by Discord whether an endpoint is alive.
    pub const PING: u8 = 1;
    /// Slash, user or message command.
    pub const COMMAND: u8 = 2;
    /// Button or select menu.
    pub const COMPONENT: u8 = 3;
    /// Choices wanted for a half-typed command.
    pub const AUTOCOMPLETE: u8 = 4;
    /// Form sent off.
    pub const MODAL: u8 = 5;
}

pub(crate) fn routes() -> Router<Sim> {
    Router::new()
        .route("/interactions", post(create::by_client))
        .route("/interactions/{interaction}/{token}/callback", post(answer::callback))
        .route("/webhooks/{id}/{token}", get(followup::describe).post(followup::create).delete(followup::forget))
        .route(
            "/webhooks/{id}/{token}/messages/{message}",
            get(followup::one).patch(followup::edit).delete(followup::remove),
        )
}
