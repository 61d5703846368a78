use std::time::Duration;

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, UserMarker},
};

use crate::{
    chatter::Chatter,
    error::ApiError,
    sim::Sim,
    state::{Application, State as World},
};

/// What `POST /_sim/world` changes.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Change {
    /// Makes bots with owners; answers them. In `guild` they are members.
    Bots { count: usize, guild: Option<Id<GuildMarker>> },
    /// Makes small guilds with one bot in them; answers them.
    Guilds { count: usize, bot: Id<ApplicationMarker>, owner: Option<Id<UserMarker>> },
    /// Somebody writes in channels in turn: at once, or so many messages a second. Without channels, in every text channel of the bot.
    Chatter {
        bot: Option<Id<ApplicationMarker>>,
        #[serde(default)]
        channels: Vec<Id<ChannelMarker>>,
        author: Option<Id<UserMarker>>,
        messages: usize,
        per_second: Option<u32>,
    },
    /// An outage of a guild begins or ends.
    Unavailable { guild: Id<GuildMarker>, unavailable: bool },
    /// Gives a bot a new token; answers it.
    ResetToken { bot: Id<ApplicationMarker> },
    /// What the portal and Discord say of an application.
    Application(Portal),
    /// Times and what is kept.
    Set(Settings),
}

#[derive(Deserialize)]
pub(super) struct Portal {
    bot: Id<ApplicationMarker>,
    privileged_intents: Option<u64>,
    shards: Option<u32>,
    max_concurrency: Option<u32>,
    identifies_total: Option<u32>,
    identifies_remaining: Option<u32>,
    identify_window_ms: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Settings {
    identify_interval_ms: Option<u64>,
    session_life_ms: Option<u64>,
    heartbeat_interval_ms: Option<u64>,
    buffer_limit: Option<usize>,
    keep_frames: Option<bool>,
    keep_dispatches: Option<bool>,
    keep_requests: Option<bool>,
}

pub(super) async fn change(State(sim): State<Sim>, Json(change): Json<Change>) -> Result<Json<Value>, ApiError> {
    let unknown_bot = || ApiError::unknown(10002, "Application");
    match change {
        Change::Bots { count, guild } => Ok(Json(sim.write(|state| {
            let bots = state.add_bots(count);
            for (bot, guild) in bots.iter().filter_map(|bot| Some((bot, guild?))) {
                state.add_member(guild, bot.owner);
                state.install(guild, bot.application);
            }
            json!(bots)
        }))),
        Change::Guilds { count, bot, owner } => sim.write(|state| {
            let owner = owner.or_else(|| first_person(state)).ok_or_else(|| ApiError::unknown(10013, "User"))?;
            state.applications.get(&bot).ok_or_else(unknown_bot)?;
            Ok(Json(json!(state.add_guilds(count, bot, owner))))
        }),
        Change::Chatter { bot, channels, author, messages, per_second } => {
            let chatter = sim.write(|state| {
                let author = author.or_else(|| first_person(state));
                let author = author.ok_or_else(|| ApiError::unknown(10013, "User"))?;
                let channels = if channels.is_empty() { channels_of(state, bot) } else { channels };
                Ok::<_, ApiError>(Chatter::new(state, &channels, author))
            })?;
            match per_second {
                None => {
                    let mut chatter = chatter;
                    sim.write(|state| chatter.say(state, messages));
                }
                Some(rate) => {
                    tokio::spawn(chat(sim, chatter, messages, rate));
                }
            }
            Ok(Json(json!({})))
        }
        Change::Unavailable { guild, unavailable } => {
            sim.write(|state| state.set_unavailable(guild, unavailable));
            Ok(Json(json!({})))
        }
        Change::ResetToken { bot } => sim.write(|state| {
            state.applications.get(&bot).ok_or_else(unknown_bot)?;
            Ok(Json(json!({ "token": state.reset_token(bot) })))
        }),
        Change::Application(portal) => sim.write(|state| {
            let application = state.applications.get_mut(&portal.bot).ok_or_else(unknown_bot)?;
            portal.write_to(application);
            Ok(Json(json!({})))
        }),
        Change::Set(settings) => {
            sim.write(|state| settings.write_to(state));
            Ok(Json(json!({})))
        }
    }
}

impl Portal {
    fn write_to(self, application: &mut Application) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut application.privileged_intents, self.privileged_intents);
        set(&mut application.shards, self.shards);
        set(&mut application.max_concurrency, self.max_concurrency);
        set(&mut application.identifies_total, self.identifies_total);
        set(&mut application.identifies_remaining, self.identifies_remaining);
        set(&mut application.identify_window, self.identify_window_ms.map(Duration::from_millis));
    }
}

impl Settings {
    fn write_to(self, state: &mut World) {
        let sessions = &mut state.sessions;
        sessions.identify_interval =
            self.identify_interval_ms.map(Duration::from_millis).or(sessions.identify_interval);
        sessions.session_life = self.session_life_ms.map(Duration::from_millis).or(sessions.session_life);
        sessions.heartbeat_interval =
            self.heartbeat_interval_ms.map(Duration::from_millis).or(sessions.heartbeat_interval);
        sessions.buffer_limit = self.buffer_limit.or(sessions.buffer_limit);
        let ledger = &mut state.ledger;
        ledger.keep_frames = self.keep_frames.unwrap_or(ledger.keep_frames);
        ledger.keep_dispatches = self.keep_dispatches.unwrap_or(ledger.keep_dispatches);
        ledger.keep_requests = self.keep_requests.unwrap_or(ledger.keep_requests);
    }
}

fn first_person(state: &World) -> Option<Id<UserMarker>> {
    state.users.values().find(|user| !user.bot).map(|user| user.id)
}

/// The text channels that a bot sees, or that there are.
fn channels_of(state: &World, bot: Option<Id<ApplicationMarker>>) -> Vec<Id<ChannelMarker>> {
    let text = state.channels.values().filter(|channel| channel.kind == crate::state::kind::TEXT);
    text.filter(|channel| bot.is_none_or(|bot| state.can_view(channel, bot.cast()))).map(|channel| channel.id).collect()
}

/// Writes at a steady rate; what a tick came too late for is made up for by the next.
async fn chat(sim: Sim, mut chatter: Chatter, messages: usize, per_second: u32) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, stopped) = (tokio::time::Instant::now(), sim.stopped());
    let mut said = 0;
    while said < messages && !stopped.is_cancelled() {
        tick.tick().await;
        let millis = usize::try_from(began.elapsed().as_millis()).unwrap_or(usize::MAX);
        let per_second = usize::try_from(per_second).unwrap_or(usize::MAX);
        let due = millis.saturating_mul(per_second) / 1000;
        let now = due.min(messages).saturating_sub(said);
        sim.write(|state| chatter.say(state, now));
        said += now;
    }
}
