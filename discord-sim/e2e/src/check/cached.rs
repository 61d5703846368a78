//! V6: what a cache process knows, against what Discord has.

use std::fmt::Debug;

use bytes::Bytes;
use cache::{
    ClientConfig,
    change::Change,
    entity,
    fold::{self, Folded},
    http::COMPACT,
};
use common::http::shared_key;
use discord_sim::{Sim, state::Principal};
use model::{
    routes::{self, BOT_ID, Count},
    topics::GatewayEvent,
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker, UserMarker},
};

/// How what a cache process knows of the bot's guilds differs from what Discord would tell the bot now; empty where it does not.
///
/// # Errors
///
/// When the cache does not answer, or not yet.
pub async fn cache_differences(
    sim: &Sim,
    bot: Id<ApplicationMarker>,
    cache: &ClientConfig,
) -> Result<Vec<String>, String> {
    let asking = Asking::new(bot, cache)?;
    let guilds = sim.read(|state| {
        let of_bot = |guild: &&discord_sim::state::Guild| guild.members.contains_key(&bot.cast());
        state.guilds.values().filter(of_bot).map(|guild| guild.id).collect::<Vec<_>>()
    });
    let mut differences = Vec::new();
    let counted: Count = asking.ask(routes::GUILD_COUNT).await?.ok_or("it does not count")?;
    if counted.count != guilds.len() as u64 {
        differences.push(format!("it counts {} guilds, not {}", counted.count, guilds.len()));
    }
    for guild in guilds {
        let (unavailable, wanted) = wanted(sim, bot, guild)?;
        match asking.whole(guild).await? {
            None => differences.push(format!("it does not know guild {guild}")),
            Some(found) if unavailable => {
                if !found.guild.unavailable {
                    differences.push(format!("it takes guild {guild} for available"));
                }
            }
            Some(found) => {
                let mut differ = Differ { guild, differences: &mut differences };
                differ.one("itself", &found.guild, &wanted.guild);
                differ.list("channel", &found.channels, &wanted.channels);
                differ.list("thread", &found.threads, &wanted.threads);
                differ.list("role", &found.roles, &wanted.roles);
                differ.list("emoji", &found.emojis, &wanted.emojis);
                // Who is missing is only not known; of each who is there it must be right.
                for member in &found.members {
                    let known = wanted.members.iter().find(|wanted| wanted.id() == member.id());
                    differ.one("a member", &Some(member), &known);
                }
            }
        }
    }
    Ok(differences)
}

/// Collects what is not as it should be.
struct Differ<'a> {
    guild: Id<GuildMarker>,
    differences: &'a mut Vec<String>,
}

impl Differ<'_> {
    fn one<T: PartialEq + Debug>(&mut self, what: &str, found: &T, wanted: &T) {
        if found != wanted {
            self.differences.push(format!("guild {}: {what} is {found:?}, not {wanted:?}", self.guild));
        }
    }

    fn list<T: PartialEq + Debug>(&mut self, what: &str, found: &[T], wanted: &[T]) {
        for extra in found.iter().filter(|found| !wanted.contains(found)) {
            self.differences.push(format!("guild {}: it has {what} {extra:?}", self.guild));
        }
        for missing in wanted.iter().filter(|wanted| !found.contains(wanted)) {
            self.differences.push(format!("guild {}: it lacks {what} {missing:?}", self.guild));
        }
    }
}

/// What Discord would tell in GUILD_CREATE now, with all members; and whether the guild is in an outage.
fn wanted(sim: &Sim, bot: Id<ApplicationMarker>, guild: Id<GuildMarker>) -> Result<(bool, entity::Whole), String> {
    let (unavailable, told) = sim.read(|state| {
        let guild = &state.guilds[&guild];
        let mut told = state.guild_create_json(guild, Principal::Bot(bot));
        let members = guild.members.keys().filter_map(|user| state.member_json(guild.id, *user));
        told["members"] = members.collect();
        (guild.unavailable, told)
    });
    let event = GatewayEvent {
        bot,
        shard: 0,
        session: "the checker's".to_owned(),
        sequence: 1,
        kind: "GUILD_CREATE".to_owned(),
        guild: Some(guild),
        received_at: OffsetDateTime::UNIX_EPOCH,
        trace: None,
        payload: Bytes::from(json!({ "op": 0, "s": 1, "t": "GUILD_CREATE", "d": told }).to_string()),
    };
    match fold::fold(&event).map_err(|error| error.to_string())? {
        Folded::Guild(update) => match update.changes.into_iter().next() {
            Some(Change::Whole(whole)) => Ok((unavailable, *whole)),
            other => Err(format!("GUILD_CREATE became {other:?}")),
        },
        other => Err(format!("GUILD_CREATE became {other:?}")),
    }
}

/// A cache process, as this bot asks it.
struct Asking {
    http: reqwest::Client,
    base: String,
    key: SecretString,
    bot: Id<ApplicationMarker>,
}

impl Asking {
    fn new(bot: Id<ApplicationMarker>, cache: &ClientConfig) -> Result<Self, String> {
        let http = common::http::client("e2e").map_err(|error| error.to_string())?;
        let base = cache.uri.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, key: cache.shared_key.clone().unwrap_or_default(), bot })
    }

    /// `None` where it does not know.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let key = shared_key::bearer(&self.key).map_err(|error| error.to_string())?;
        let request =
            self.http.get(format!("{}{path}", self.base)).header("accept", COMPACT).header(BOT_ID, self.bot.get());
        let response = request.header("authorization", key).send().await.map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200 => {
                let body = response.bytes().await.map_err(|error| error.to_string())?;
                cache::decode(&body).map(Some).map_err(|error| error.to_string())
            }
            404 => Ok(None),
            status => Err(format!("{path} answers {status}")),
        }
    }

    /// A guild with all lists; of one in an outage they may be unknown.
    async fn whole(&self, guild: Id<GuildMarker>) -> Result<Option<entity::Whole>, String> {
        let Some(found) = self.ask::<entity::Guild>(&format!("/guilds/{guild}")).await? else { return Ok(None) };
        Ok(Some(entity::Whole {
            guild: found,
            channels: self.ask(&format!("/guilds/{guild}/channels")).await?.unwrap_or_default(),
            threads: self.ask(&format!("/guilds/{guild}/threads")).await?.unwrap_or_default(),
            roles: self.ask(&format!("/guilds/{guild}/roles")).await?.unwrap_or_default(),
            emojis: self.ask(&format!("/guilds/{guild}/emojis")).await?.unwrap_or_default(),
            members: self.members(guild).await?,
        }))
    }

    async fn members(&self, guild: Id<GuildMarker>) -> Result<Vec<entity::Member>, String> {
        let mut all: Vec<entity::Member> = Vec::new();
        loop {
            let after: Option<Id<UserMarker>> = all.last().and_then(entity::Member::id);
            let after = after.map_or(String::new(), |after| format!("&after={after}"));
            let page: Vec<entity::Member> =
                self.ask(&format!("/guilds/{guild}/members?limit=1000{after}")).await?.unwrap_or_default();
            let full = page.len() == 1_000;
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }
}
