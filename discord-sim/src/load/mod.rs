//! A Discord that only dispatches: prepared frames at a rate of choice, for measuring what receives them.
//!
//! It has a gateway, the two REST routes that a bot asks before it connects, and routes to order load by. There is no
//! world behind it, nothing is judged and nothing is remembered: what is sent is counted only, and a RESUME replays
//! nothing. Frames have the members of Discord's own in the order in which Discord writes them (the guild's id of a
//! message comes last), texts and ids that do not repeat within the window of the compression, and sizes as ordered.

mod frames;
mod guild;
mod server;
mod words;

pub use self::{frames::guild_id, guild::reference_guild, server::serve};
