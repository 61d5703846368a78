//! What every handler is given first.

use std::sync::Arc;

use common::{clock::Clock, discord};
use database::Database;
use event_stream::Producer;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use twilight_http::request::TryIntoRequest;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

use crate::metrics::Metrics;

/// The worker's state, cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Tickets, panels and settings.
    pub db: Database,
    /// Discord as our bot sees it.
    pub discord: discord::Discord,
    /// Guilds, as the cache knows them; where it does not, Discord is asked.
    pub cache: cache::client::Client,
    /// Our bot. Its user and its application have the same id.
    pub bot: Id<ApplicationMarker>,
    /// The wall time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Keeps clicks from the gateway whose answer comes later.
    pub late_clicks: Producer,
    /// Work that outlives the request that began it; the stop waits for it.
    pub tasks: TaskTracker,
    /// Wakes the reconciler before its time.
    pub wake: Arc<Notify>,
}

impl Context {
    /// The user that our bot is.
    #[must_use]
    pub fn bot_user(&self) -> Id<UserMarker> {
        self.bot.cast()
    }

    /// The same for the work of one guild: guilds take turns at Discord.
    #[must_use]
    pub fn for_guild(&self, guild: Id<GuildMarker>) -> Context {
        self.by(self.discord.for_guild(guild))
    }

    /// The same for work that nobody waits for: others go first at Discord.
    #[must_use]
    pub fn in_bulk(&self) -> Context {
        self.by(self.discord.in_bulk())
    }

    fn by(&self, discord: discord::Discord) -> Context {
        Context { cache: self.cache.by(discord.clone()), discord, ..self.clone() }
    }

    /// Sends a request that makes something, and reads the id of what was made: nothing else in the answer can fail us.
    ///
    /// # Errors
    ///
    /// As Discord refuses.
    pub fn create<R, M>(&self, request: R) -> impl Future<Output = Result<Id<M>, discord::Error>> + Send + use<'_, R, M>
    where
        R: TryIntoRequest,
        M: Send,
    {
        let request = request.try_into_request().map_err(|error| discord::Error::Request(error.into()));
        async move {
            let request = request?;
            let route = request.path().to_owned();
            let body = self.discord.raw(request).await?;
            serde_json::from_slice::<Made<M>>(&body)
                .map(|made| made.id)
                .map_err(|source| discord::Error::Decode { route, source })
        }
    }

    /// Sends a request whose answer nobody reads.
    ///
    /// # Errors
    ///
    /// As Discord refuses.
    pub fn send<R: TryIntoRequest>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<(), discord::Error>> + Send + use<'_, R> {
        let request = request.try_into_request().map_err(|error| discord::Error::Request(error.into()));
        async move { self.discord.raw(request?).await.map(drop) }
    }
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Made<M> {
    id: Id<M>,
}
