//! What the cache answers over HTTP.
//!
//! Every route is about what *one* bot sees: the one that the header `x-bot-id` names. Answers are JSON, or the compact form for
//! who accepts `application/vnd.msgpack`. What is not known is 404 at once, with the epoch that a refill has to name.

mod answer;
mod bot;
mod guilds;
mod lists;
mod members;
mod refill;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, routing::get};
use common::{clock::Clock, http::shared_key};
use event_stream::Producer;
use model::routes::GUILD_COUNT;
use secrecy::SecretString;
use tokio::sync::mpsc;

pub use self::{
    answer::{COMPACT, EPOCH},
    bot::DefaultBot,
    guilds::Many,
    members::Permitted,
    refill::READ_MS,
};
use crate::{config::Members, hot::Hot, news::Use, store::Postgres};

/// What the routes need.
#[derive(Clone)]
pub struct Answering {
    /// What is known.
    pub hot: Hot,
    /// The truth, which takes what Discord was asked for.
    pub db: Postgres,
    /// Tells the other processes.
    pub producer: Producer,
    /// The wall time.
    pub clock: Clock,
    /// Whose guilds are meant where nobody says.
    pub bot: DefaultBot,
    /// How long what is known of a member counts.
    pub members: Members,
    /// Who was asked for, the first time in a day.
    pub uses: mpsc::Sender<Use>,
}

/// All routes; where there is a key, for those alone who have it.
pub fn router(state: Answering, key: Option<SecretString>) -> Router {
    let routes = Router::new()
        .route("/guilds", get(guilds::many))
        .route(GUILD_COUNT, get(guilds::count))
        .route("/guilds/{guild}", get(guilds::one).put(refill::guild))
        .route("/guilds/{guild}/channels", get(lists::channels))
        .route("/guilds/{guild}/channels/{channel}", get(lists::channel))
        .route("/guilds/{guild}/channels/{channel}/members/{user}", get(members::in_channel))
        .route("/guilds/{guild}/threads", get(lists::threads))
        .route("/guilds/{guild}/threads/{thread}", get(lists::thread))
        .route("/guilds/{guild}/roles", get(lists::roles))
        .route("/guilds/{guild}/roles/{role}", get(lists::role))
        .route("/guilds/{guild}/emojis", get(lists::emojis))
        .route("/guilds/{guild}/members", get(members::list))
        .route("/guilds/{guild}/members/{user}", get(members::one).put(refill::member))
        .route("/users/{user}", get(members::user))
        .with_state(Arc::new(state));
    // A whole guild of Discord's largest size, written by our client.
    let routes = routes.layer(DefaultBodyLimit::max(16 * 1024 * 1024));
    shared_key::demand(routes, key, "CACHE_SHARED_KEY")
}
