//! Routes that Discord does not have: what went wrong here, faults, and the making of worlds, for tests in other processes.

mod gateway;
mod ledger;
mod rest;
mod world;

pub(crate) use gateway::AtWork;

use axum::{
    Router,
    routing::{get, post},
};

use crate::sim::Sim;

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/_sim/ledger", get(ledger::summary))
        .route("/_sim/dispatches", get(ledger::dispatches))
        .route("/_sim/requests", get(ledger::requests))
        .route("/_sim/sessions", get(ledger::sessions))
        .route("/_sim/rest", get(rest::settings).post(rest::change))
        .route("/_sim/gateway", post(gateway::disturb))
        .route("/_sim/world", post(world::change))
}
