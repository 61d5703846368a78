//! The three ways by which an interaction comes, and how each is answered.
//!
//! | way | comes from | is answered by |
//! |---|---|---|
//! | [`http`] | `POST /interactions` of http-gateway | the response's body |
//! | [`gateway`] | `INTERACTION_CREATE` in topic `tickets-events` | Discord's callback |
//! | [`late`] | topic `tickets-interactions`: "the answer comes later" was said | an edit of that answer |
//!
//! What is slow, says so beforehand, or finds the database away goes from the first two to the third: http-gateway keeps it
//! on Kafka for the first, this process for the second.

pub mod gateway;
pub mod http;
pub mod late;

mod follow_up;
mod work;
