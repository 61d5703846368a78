//! Discord's published description of its REST API as a judge over both sides of a conversation.
//!
//! [`Judge::request`] says what is wrong with a request, [`Judge::response`] what is wrong with an answer of the simulator. The
//! description knows shapes, not behaviour: what it leaves open (lengths that belong together, permissions, limits) is in
//! [`check`](crate::check).

mod blame;
mod document;
mod explain;
mod judge;
mod mismatch;
mod patches;
mod query;
mod request;
mod response;
mod routes;
mod schemas;
#[cfg(test)]
mod tests;

pub use judge::Judge;
pub use mismatch::{Mismatch, Side};
