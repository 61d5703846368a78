//! Several services together.
#![expect(clippy::expect_used, reason = "what is missing fails the test")]

mod cache;
mod checker;
mod faults;
mod foreign_guild;
mod forged_signature;
mod late_click;
mod life_of_a_ticket;
mod limit_race;
mod servers_away;
mod sharder_killed;
mod unclear_answer;
