//! The limits of Discord's REST API, as counts that are driven by the instants they are given: nothing here sleeps, sends or asks for
//! the time.
//!
//! A request arrives and passes or is refused. Who is refused is told to wait, and [`RateLimits`] remembers what was told, so that a
//! request that comes back too early is known as one.
//!
//! The source of each is named: "Discord" is the section of its documentation, "Rate Limits"; "community" is what was measured and what
//! Discord's people confirmed or did not deny, by the thread in discord/discord-api-docs; the rest is our guess.

mod global;
mod invalid;
mod limits;
mod place;
mod refusal;
mod table;
#[cfg(test)]
mod tests;
mod waits;
mod windows;

pub use limits::{Mode, RateLimits};
pub use refusal::Scope;

pub(crate) use limits::Shown;
pub(crate) use place::Place;
pub(crate) use refusal::Refusal;
