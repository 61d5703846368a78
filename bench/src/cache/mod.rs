//! The cache: what a guild takes of its memory, what it costs to bring guilds there, how fast they are written to Postgres, and
//! how soon it answers.

mod database;
mod fold;
mod guilds;
mod http;
mod lane;
mod pipeline;
mod report;
mod servers;
mod upserts;
mod yardstick;

pub(crate) use self::{
    fold::{HoldOptions, run as hold},
    http::{AskOptions, run as ask},
    report::{Measured, measure},
};
