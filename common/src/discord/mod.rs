//! The only way to send to Discord: through the gate, `global-resolver`, which knows all limits and obeys them.
//!
//! Requests are built, typed and validated, by `twilight_http`'s builders, and sent here: twilight-http 0.18 repeats a
//! 429 in a hot loop (118 requests in 2 s were counted), and 10,000 invalid requests in 10 minutes ban the address.
//!
//! ```no_run
//! # use common::discord::{Discord, Error};
//! # use twilight_model::{channel::Message, id::{Id, marker::ChannelMarker}};
//! # async fn greet(discord: &Discord, channel: Id<ChannelMarker>) -> Result<Message, Error> {
//! discord.call(discord.requests().create_message(channel).content("Hello")).await
//! # }
//! ```

mod answer;
mod ask;
mod client;
mod config;
mod error;
pub mod gate;
mod route;
mod send;

pub use ask::{ask, ask_json, ask_own_id, explained, watch_token};
pub use client::Discord;
pub use config::DiscordConfig;
pub use error::Error;
pub use gate::Priority;
pub use route::Route;
