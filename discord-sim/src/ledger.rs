//! What happened here: requests with their verdicts, dispatched events, and wrongs that fail a test.

use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{GuildMarker, InteractionMarker},
};

use crate::state::Principal;

/// The memory of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every REST request, oldest first.
    pub requests: Vec<Request>,
    /// Every dispatch to a bot's session, oldest first: what invariant V1 is checked against.
    pub dispatches: Vec<Dispatch>,
    /// What must never happen: bodies against Discord's description, requests that Discord would punish. Tests fail on any.
    pub violations: Vec<String>,
    /// Interactions that an endpoint answered wrongly or not at all, with the reason.
    pub failed_interactions: Vec<(Id<InteractionMarker>, String)>,
}

/// A REST request and its answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who, when the token was good.
    pub principal: Option<Principal>,
    /// HTTP method.
    pub method: String,
    /// Path below `/api/v10`, without query; interaction and webhook tokens are cut.
    pub path: String,
    /// Discord's route template, when it has one.
    pub template: Option<String>,
    /// Status of the answer.
    pub status: u16,
    /// When it came.
    pub at: OffsetDateTime,
}

/// An event that a session was given.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Session.
    pub session_id: String,
    /// Sequence within the session.
    pub sequence: u64,
    /// Event type.
    pub kind: String,
    /// The frame as it went out.
    pub frame: std::sync::Arc<str>,
    /// The guild that the event is about.
    pub guild_id: Option<Id<GuildMarker>>,
}
