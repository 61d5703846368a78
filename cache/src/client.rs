//! Asks the cache, and Discord where the cache does not know.
//!
//! A question that the cache cannot answer goes to Discord, once for all who ask it at the same time, and the answer is written back. While
//! the cache is away or not right, Discord is asked and nothing is written back.

use std::{hash::Hash, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use common::{
    clock::Clock,
    discord::{self, Discord},
    http::shared_key,
};
use model::routes::BOT_ID;
use prometheus::{IntCounterVec, Opts, Registry};
use reqwest::{
    StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, ChannelMarker, GuildMarker, UserMarker},
    },
};

use crate::{
    ClientConfig,
    entity::{Channel, Emoji, Guild, Member, Role, Whole},
    http::{COMPACT, EPOCH, Permitted, READ_MS},
    permissions::Standing,
    wire,
};

/// How long the cache may take: it answers from memory, or it is away.
const PATIENCE: Duration = Duration::from_millis(500);

/// The cache as one bot asks it. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    discord: Discord,
}

struct Shared {
    http: reqwest::Client,
    base: String,
    key: Option<HeaderValue>,
    bot: Id<ApplicationMarker>,
    clock: Clock,
    asked: IntCounterVec,
    /// Guilds and members that Discord is being asked for.
    guilds: Flights<Id<GuildMarker>, Whole>,
    members: Flights<(Id<GuildMarker>, Id<UserMarker>), Member>,
}

/// What Discord is being asked for, and what it says.
type Flights<K, V> = moka::future::Cache<K, Option<Arc<V>>>;

/// Why there is no answer: Discord was asked, and failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<discord::Error>);

impl Error {
    /// What Discord said.
    #[must_use]
    pub fn discord(&self) -> &discord::Error {
        &self.0
    }
}

/// What the cache said.
enum Said<T> {
    Known(T),
    /// It does not know; the guild's epoch.
    Unknown(u64),
    /// It is away, or not right.
    Nothing,
}

impl Client {
    /// The cache at that address, asked by `bot`; `discord` is that bot's.
    ///
    /// # Errors
    ///
    /// When the client cannot be made, or the key cannot be sent in a header.
    pub fn new(
        config: &ClientConfig,
        name: &str,
        bot: Id<ApplicationMarker>,
        discord: Discord,
    ) -> anyhow::Result<Self> {
        let key = config.shared_key.as_ref().map(shared_key::bearer).transpose();
        let opts = Opts::new("cache_questions_total", "Questions to the cache, by who answered");
        let shared = Shared {
            http: common::http::client(name)?,
            base: config.uri.as_str().trim_end_matches('/').to_owned(),
            key: key.context("CACHE_SHARED_KEY holds what no header can")?,
            bot,
            clock: Clock::system(),
            asked: IntCounterVec::new(opts, &["answered"])?,
            guilds: flights(),
            members: flights(),
        };
        Ok(Self { shared: Arc::new(shared), discord })
    }

    /// Counts who answered in `cache_questions_total{answered}`: `cache`, `discord`, or `nobody` where only the cache was asked.
    ///
    /// # Errors
    ///
    /// When the registry has a metric of that name already.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.shared.asked.clone()))
    }

    /// The same, asking Discord by that client: in the turns of a guild, or in bulk.
    #[must_use]
    pub fn by(&self, discord: Discord) -> Self {
        Self { shared: Arc::clone(&self.shared), discord }
    }

    /// A guild without its lists; `None` where the bot is not in it.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn guild(&self, guild: Id<GuildMarker>) -> Result<Option<Guild>, Error> {
        match self.ask::<Guild>(&format!("guilds/{guild}")).await {
            Said::Known(found) if found.is_known() => Ok(Some(found)),
            Said::Unknown(epoch) => Ok(self.refill_guild(guild, epoch).await?.map(|whole| whole.guild.clone())),
            Said::Known(_) | Said::Nothing => self.read(format!("guilds/{guild}")).await,
        }
    }

    /// A guild's channels, without threads; `None` where the bot is not in the guild.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn channels(&self, guild: Id<GuildMarker>) -> Result<Option<Vec<Channel>>, Error> {
        self.list(guild, "channels", |whole| whole.channels.clone()).await
    }

    /// A guild's channels as far as the cache knows them; Discord is not asked.
    pub async fn channels_if_known(&self, guild: Id<GuildMarker>) -> Option<Vec<Channel>> {
        let said = self.try_ask(&format!("guilds/{guild}/channels")).await;
        let known = if let Ok(Said::Known(channels)) = said { Some(channels) } else { None };
        self.count(if known.is_some() { "cache" } else { "nobody" });
        known
    }

    /// A guild's roles; `None` where the bot is not in the guild.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn roles(&self, guild: Id<GuildMarker>) -> Result<Option<Vec<Role>>, Error> {
        self.list(guild, "roles", |whole| whole.roles.clone()).await
    }

    /// A guild's emojis; `None` where the bot is not in the guild.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn emojis(&self, guild: Id<GuildMarker>) -> Result<Option<Vec<Emoji>>, Error> {
        self.list(guild, "emojis", |whole| whole.emojis.clone()).await
    }

    /// A member with the user; `None` where the user is no member.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn member(&self, guild: Id<GuildMarker>, user: Id<UserMarker>) -> Result<Option<Member>, Error> {
        match self.ask::<Member>(&format!("guilds/{guild}/members/{user}")).await {
            Said::Known(member) => Ok(Some(member)),
            Said::Unknown(epoch) => Ok(self.refill_member(guild, user, Some(epoch)).await?.map(Arc::unwrap_or_clone)),
            Said::Nothing => Ok(self.refill_member(guild, user, None).await?.map(Arc::unwrap_or_clone)),
        }
    }

    /// What a member may do in a channel or a thread; `None` where there is no such member or channel.
    ///
    /// # Errors
    ///
    /// As Discord refuses, where it had to be asked.
    pub async fn permissions(
        &self,
        guild: Id<GuildMarker>,
        channel: Id<ChannelMarker>,
        user: Id<UserMarker>,
    ) -> Result<Option<Permissions>, Error> {
        let path = format!("guilds/{guild}/channels/{channel}/members/{user}");
        if let Said::Known(permitted) = self.ask::<Permitted>(&path).await {
            return Ok(Some(permitted.permissions));
        }
        let (Some(whole), Some(channels), Some(roles), Some(member)) = (
            self.guild(guild).await?,
            self.channels(guild).await?,
            self.roles(guild).await?,
            self.member(guild, user).await?,
        ) else {
            return Ok(None);
        };
        let by_id = |id| channels.iter().find(|known: &&Channel| known.id == id);
        let (channel, is_thread) = match by_id(channel) {
            Some(channel) => (channel, false),
            None => match self.channel_of(guild, channel).await?.and_then(by_id) {
                Some(parent) => (parent, true),
                None => return Ok(None),
            },
        };
        let mut roles = roles;
        roles.sort_by_key(|role| role.id);
        let standing = Standing {
            guild,
            owner: whole.owner_id,
            roles: &roles,
            user,
            has: &member.roles,
            timed_out_until: member.communication_disabled_until,
        };
        Ok(Some(standing.in_channel(channel, is_thread, self.shared.clock.now())))
    }

    /// The channel that a thread of the guild is in, as Discord says: it lists no archived threads.
    async fn channel_of(
        &self,
        guild: Id<GuildMarker>,
        thread: Id<ChannelMarker>,
    ) -> Result<Option<Id<ChannelMarker>>, Error> {
        let found = self.read::<Thread>(format!("channels/{thread}")).await?;
        Ok(found.filter(|thread| thread.guild_id == Some(guild) && thread.is_one()).and_then(|thread| thread.parent_id))
    }

    async fn list<T: DeserializeOwned>(
        &self,
        guild: Id<GuildMarker>,
        name: &str,
        of: impl FnOnce(&Whole) -> Vec<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        let path = format!("guilds/{guild}/{name}");
        match self.ask(&path).await {
            Said::Known(list) => Ok(Some(list)),
            Said::Unknown(epoch) => Ok(self.refill_guild(guild, epoch).await?.map(|whole| of(&whole))),
            Said::Nothing => self.read(path).await,
        }
    }

    /// Asks the cache.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Said<T> {
        let said = self.try_ask(path).await.unwrap_or(Said::Nothing);
        self.count(if matches!(said, Said::Known(_)) { "cache" } else { "discord" });
        said
    }

    fn count(&self, answered: &str) {
        self.shared.asked.with_label_values(&[answered]).inc();
    }

    async fn try_ask<T: DeserializeOwned>(&self, path: &str) -> Result<Said<T>, reqwest::Error> {
        let Shared { http, base, .. } = &*self.shared;
        let request = http.get(format!("{base}/{path}")).header(ACCEPT, COMPACT).timeout(PATIENCE);
        let response = self.known(request).send().await?;
        match response.status() {
            StatusCode::OK => {
                let body = response.bytes().await?;
                Ok(wire::decode(&body).map_or(Said::Nothing, Said::Known))
            }
            StatusCode::NOT_FOUND => {
                let epoch = response.headers().get(EPOCH).and_then(|epoch| epoch.to_str().ok()?.parse().ok());
                Ok(epoch.map_or(Said::Nothing, Said::Unknown))
            }
            StatusCode::UNAUTHORIZED => {
                tracing::warn!("the cache does not know our key: is CACHE_SHARED_KEY the same for both?");
                Ok(Said::Nothing)
            }
            _ => Ok(Said::Nothing),
        }
    }

    /// Says who asks.
    fn known(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request.header(BOT_ID, self.shared.bot.get());
        match &self.shared.key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        }
    }

    /// Asks Discord for a guild as a whole, once for all who ask, and writes it back.
    async fn refill_guild(&self, guild: Id<GuildMarker>, epoch: u64) -> Result<Option<Arc<Whole>>, Error> {
        let asking = async {
            let read_ms = self.shared.clock.now_ms();
            let (Some(found), Some(channels), Some(threads)) = tokio::try_join!(
                self.read::<InFull>(format!("guilds/{guild}")),
                self.read::<Vec<Channel>>(format!("guilds/{guild}/channels")),
                self.read::<Active>(format!("guilds/{guild}/threads/active")),
            )?
            else {
                return Ok(None);
            };
            let InFull { own, lists } = found;
            let whole = Whole {
                guild: own,
                channels,
                threads: threads.threads,
                roles: lists.roles,
                emojis: lists.emojis,
                members: Vec::new(),
            };
            let whole = whole.sorted();
            self.write_back(&format!("guilds/{guild}"), &whole, epoch, read_ms).await;
            Ok(Some(Arc::new(whole)))
        };
        one_error(self.shared.guilds.try_get_with(guild, asking).await)
    }

    /// Asks Discord for a member, once for all who ask, and writes it back where there is an epoch.
    async fn refill_member(
        &self,
        guild: Id<GuildMarker>,
        user: Id<UserMarker>,
        epoch: Option<u64>,
    ) -> Result<Option<Arc<Member>>, Error> {
        let asking = async {
            let read_ms = self.shared.clock.now_ms();
            let path = format!("guilds/{guild}/members/{user}");
            let Some(member) = self.read::<Member>(path.clone()).await? else { return Ok(None) };
            if let Some(epoch) = epoch {
                self.write_back(&path, &member, epoch, read_ms).await;
            }
            Ok(Some(Arc::new(member)))
        };
        one_error(self.shared.members.try_get_with((guild, user), asking).await)
    }

    /// What is not taken is asked for again by the next who wants it.
    async fn write_back<T: serde::Serialize>(&self, path: &str, value: &T, epoch: u64, read_ms: i64) {
        let Ok(body) = wire::encode(value) else { return };
        let request = self
            .shared
            .http
            .put(format!("{}/{path}", self.shared.base))
            .header(EPOCH, epoch)
            .header(READ_MS, read_ms)
            .body(Bytes::from(body));
        if let Err(error) = self.known(request).send().await {
            tracing::debug!("the cache does not take what Discord said: {}", error.without_url());
        }
    }

    /// Asks Discord; `None` where it says that there is none.
    async fn read<T: DeserializeOwned>(&self, path: String) -> Result<Option<T>, Error> {
        match self.discord.get_json(&path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(Error(Arc::new(error))),
        }
    }
}

/// A guild as `GET /guilds/{id}` tells it.
struct InFull {
    own: Guild,
    lists: Lists,
}

#[derive(Deserialize)]
struct Lists {
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    emojis: Vec<Emoji>,
}

impl<'de> Deserialize<'de> for InFull {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let own = Guild::deserialize(&value).map_err(serde::de::Error::custom)?;
        let lists = Lists::deserialize(&value).map_err(serde::de::Error::custom)?;
        Ok(Self { own, lists })
    }
}

#[derive(Deserialize)]
struct Active {
    threads: Vec<Channel>,
}

/// What Discord tells of a channel that may be a thread.
#[derive(Deserialize)]
struct Thread {
    guild_id: Option<Id<GuildMarker>>,
    parent_id: Option<Id<ChannelMarker>>,
    #[serde(rename = "type")]
    kind: u8,
}

impl Thread {
    /// Other channels have a category for a parent.
    fn is_one(&self) -> bool {
        matches!(self.kind, 10..=12)
    }
}

/// Who asks while another asks the same waits for that answer. Nothing is kept behind it.
fn flights<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static>() -> Flights<K, V> {
    Flights::builder().max_capacity(10_000).time_to_live(Duration::from_nanos(1)).build()
}

fn one_error<T>(answer: Result<T, Arc<Error>>) -> Result<T, Error> {
    answer.map_err(Arc::unwrap_or_clone)
}
