//! Who gets an event.

use std::sync::Arc;

use serde_json::Value;
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use super::{Session, Sessions, Target, handshake, intents};
use crate::state::{Audience, Event, State};

impl Sessions {
    /// Gives `event` to every session that it is for.
    pub fn dispatch(&mut self, state: &mut State, event: &Event) {
        let guild = guild_of(state, event.audience, &event.data);
        let required = intents::required(event.kind, guild.is_some());
        let wanted = |session: &Session| {
            required.is_none_or(|bits| session.intents & bits != 0)
                && intents::members_shown(event, session.intents, session.principal)
                || intents::about_self(event, session.principal)
        };
        let mut whole: Option<Arc<str>> = None;
        self.deliver(state, event.kind, event.audience, guild, wanted, |session| {
            let bare = (session.intents & intents::MESSAGE_CONTENT == 0)
                .then(|| intents::without_content(&event.data, session.principal))
                .flatten();
            match bare {
                Some(bare) => bare.to_string().into(),
                None => Arc::clone(whole.get_or_insert_with(|| event.data.to_string().into())),
            }
        });
    }

    fn dispatch_prepared(&mut self, state: &mut State, event: &Prepared<'_>) {
        let required = intents::required(event.kind, event.guild.is_some());
        let wanted = |session: &Session| required.is_none_or(|bits| session.intents & bits != 0);
        let (mut whole, mut bare): (Option<Arc<str>>, Option<Arc<str>>) = (None, None);
        self.deliver(state, event.kind, event.audience, event.guild, wanted, |session| {
            let shown = session.intents & intents::MESSAGE_CONTENT != 0 || session.principal.user() == event.author;
            let text = if shown { whole.get_or_insert_with(event.whole) } else { bare.get_or_insert_with(event.bare) };
            Arc::clone(text)
        });
    }

    /// Sends to every session that an event is for; the cheapest questions are asked first.
    fn deliver(
        &mut self,
        state: &mut State,
        kind: &'static str,
        audience: Audience,
        guild: Option<Id<GuildMarker>>,
        wanted: impl Fn(&Session) -> bool,
        mut data: impl FnMut(&Session) -> Arc<str>,
    ) {
        let life = self.life();
        for session in self.by_id.values_mut() {
            if session.has_outlived(life) || !is_for(state, audience, guild, session) || !wanted(session) {
                continue;
            }
            if let Some(guild) = guild
                && !session.coming.is_empty()
            {
                let told = handshake::send_guild(state, session, guild);
                // Of the guild's coming, or of its outage.
                if told && matches!(kind, "GUILD_CREATE" | "GUILD_DELETE") {
                    continue;
                }
            }
            let data = data(session);
            session.push(kind, &data, guild, &mut state.ledger);
        }
    }
}

/// An event whose payload is made without JSON values. Its texts are those of `d`.
pub(crate) struct Prepared<'a> {
    pub(crate) kind: &'static str,
    pub(crate) audience: Audience,
    pub(crate) guild: Option<Id<GuildMarker>>,
    /// Who sees the content without an intent.
    pub(crate) author: Id<UserMarker>,
    pub(crate) whole: &'a dyn Fn() -> Arc<str>,
    pub(crate) bare: &'a dyn Fn() -> Arc<str>,
}

impl State {
    /// As [`State::emit`], for what is prepared.
    pub(crate) fn emit_prepared(&mut self, event: &Prepared<'_>) {
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.dispatch_prepared(self, event);
        self.sessions = sessions;
    }

    /// Gives sessions of bots an event of any kind and shape, as if it were Discord's: numbered, replayed, in the ledger. `write` makes the
    /// payload from the sequence. Intents are not asked.
    pub fn dispatch_as(
        &mut self,
        on: &Target,
        kind: &str,
        guild: Option<Id<GuildMarker>>,
        write: impl Fn(u64) -> String,
    ) {
        for session in self.sessions.by_id.values_mut().filter(|session| on.hits(session)) {
            session.push_as(kind, guild, &mut self.ledger, &write);
        }
    }

    /// As [`State::dispatch_as`], in Discord's ordinary form: `t`, `s`, `op`, `d`.
    pub fn dispatch_to(&mut self, on: &Target, kind: &str, guild: Option<Id<GuildMarker>>, data: &Value) {
        let t = Value::from(kind);
        self.dispatch_as(on, kind, guild, |sequence| format!(r#"{{"t":{t},"s":{sequence},"op":0,"d":{data}}}"#));
    }
}

fn guild_of(state: &State, audience: Audience, data: &Value) -> Option<Id<GuildMarker>> {
    match audience {
        Audience::Guild(guild) | Audience::Member(_, guild) => Some(guild),
        Audience::Bot(_, guild) => guild,
        Audience::Channel(channel) => state.channels.get(&channel).and_then(|channel| channel.guild_id),
        Audience::Person(_) => data.get("guild_id").and_then(Value::as_str).and_then(|id| id.parse().ok()),
    }
}

fn is_for(state: &State, audience: Audience, guild: Option<Id<GuildMarker>>, session: &Session) -> bool {
    let me = session.principal.user();
    if session.is_bot() && !session.holds(guild) {
        return false;
    }
    match audience {
        Audience::Guild(guild) => {
            state.guilds.get(&guild).is_some_and(|guild| !guild.unavailable && guild.members.contains_key(&me))
        }
        Audience::Channel(id) => state.channels.get(&id).is_some_and(|channel| {
            let known =
                channel.guild_id.is_none_or(|guild| state.guilds.get(&guild).is_some_and(|guild| !guild.unavailable));
            known && state.can_view(channel, me)
        }),
        Audience::Person(user) | Audience::Member(user, _) => user == me,
        Audience::Bot(application, _) => session.principal == crate::state::Principal::Bot(application),
    }
}
