//! The three ways by which an interaction comes, and how each is answered.
//!
//! | way | comes from | is answered by |
//! |---|---|---|
//! | [`http`] | `POST /interactions` of http-gateway | the response's body |
//! | [`late`] | topic `tickets-interactions`: http-gateway has said "the answer comes later" | an edit of that answer |
//! | [`gateway`] | `INTERACTION_CREATE` in topic `tickets-events` | Discord's callback |

pub mod gateway;
pub mod http;
pub mod late;

mod follow_up;
