//! Whose guilds are meant.

use axum::{http::HeaderMap, response::Response};
use model::routes::BOT_ID;
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::answer::{bad, nothing};
use crate::store::Memory;

/// The bot that is meant where nobody says.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultBot(pub Option<Id<ApplicationMarker>>);

impl DefaultBot {
    /// Whether this bot is the default, or the only one where there is no default.
    pub(super) fn is(self, bot: Id<ApplicationMarker>, memory: &Memory) -> bool {
        self.0.map_or_else(|| memory.bots() == [bot], |default| default == bot)
    }

    /// The bot that a request is about: the one that it names, else the default, else the only one.
    pub(super) fn of(self, headers: &HeaderMap, memory: &Memory) -> Result<Id<ApplicationMarker>, Box<Response>> {
        if let Some(named) = headers.get(BOT_ID) {
            let named = named.to_str().ok().and_then(|text| text.parse().ok()).and_then(Id::new_checked);
            return named.ok_or_else(|| Box::new(bad(format_args!("{BOT_ID} is not a bot's id"))));
        }
        if let Some(bot) = self.0 {
            return Ok(bot);
        }
        match memory.bots().as_slice() {
            [only] => Ok(*only),
            [] => Err(Box::new(nothing(format_args!("no bot is known yet: name one by the header {BOT_ID}")))),
            _ => Err(Box::new(bad(format_args!(
                "there are several bots: name one by the header {BOT_ID}, or set PUBLIC_BOT_ID"
            )))),
        }
    }
}
