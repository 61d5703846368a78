use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{
        ApplicationMarker, AttachmentMarker, ChannelMarker, GuildMarker, InteractionMarker, MessageMarker, UserMarker,
        WebhookMarker,
    },
};

use super::{
    Application, Attachment, Audience, Channel, Event, Guild, Interaction, Message, Principal, User, flags, kind,
};
use crate::{
    gateway::Sessions, ledger::Ledger, rate_limits::RateLimits, rest::RestFaults, snowflake::Snowflakes, storm::Storm,
};

/// The whole of this Discord.
///
/// Reads are fields; changes that the world can notice go through the methods, which send the gateway events.
#[derive(Debug, Default)]
pub struct State {
    /// People and bots.
    pub users: BTreeMap<Id<UserMarker>, User>,
    /// Applications; each has a bot user with the same id.
    pub applications: BTreeMap<Id<ApplicationMarker>, Application>,
    /// Guilds.
    pub guilds: BTreeMap<Id<GuildMarker>, Guild>,
    /// Channels of guilds, threads and direct messages.
    pub channels: BTreeMap<Id<ChannelMarker>, Channel>,
    /// The channels and threads of each guild.
    pub(crate) channels_by_guild: HashMap<Id<GuildMarker>, BTreeSet<Id<ChannelMarker>>>,
    /// Messages of each channel, ephemeral ones too; oldest first.
    pub messages: BTreeMap<Id<ChannelMarker>, BTreeMap<Id<MessageMarker>, Message>>,
    /// The bytes of attachments.
    pub files: BTreeMap<Id<AttachmentMarker>, (Attachment, Bytes)>,
    /// Webhooks of channels.
    pub webhooks: BTreeMap<Id<WebhookMarker>, Webhook>,
    /// Interactions, also finished ones.
    pub interactions: BTreeMap<Id<InteractionMarker>, Interaction>,
    /// Gateway sessions.
    pub sessions: Sessions,
    /// What was asked and dispatched, and every wrong that was noticed.
    pub ledger: Ledger,
    /// Faults of REST answers, injected by a test.
    pub rest_faults: RestFaults,
    /// Faults of REST answers by chance, while there is one. What it told to wait for goes on for a while after its end.
    pub storm: Option<Storm>,
    /// The limits of REST.
    pub rate_limits: RateLimits,
    /// Time in which an interaction must be answered: Discord's 3 s unless a test shortens it.
    pub interaction_deadline: Option<Duration>,
    /// Source of ids.
    pub snowflakes: Snowflakes,
    /// Where this server is reached, e.g. `http://127.0.0.1:4000`; attachment addresses begin with it.
    pub base_url: String,
}

/// An incoming webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Id.
    pub id: Id<WebhookMarker>,
    /// Token in its address.
    pub token: String,
    /// Channel that it posts in.
    pub channel_id: Id<ChannelMarker>,
    /// Guild of the channel.
    pub guild_id: Id<GuildMarker>,
    /// Default name.
    pub name: String,
    /// The application that made it.
    pub application_id: Option<Id<ApplicationMarker>>,
    /// The user that made it.
    pub user_id: Id<UserMarker>,
}

impl Webhook {
    /// The webhook object without the user that made it.
    pub fn to_json(&self, base_url: &str) -> Value {
        json!({
            "id": self.id, "type": 1, "application_id": self.application_id, "avatar": null, "channel_id": self.channel_id,
            "guild_id": self.guild_id, "name": self.name, "token": self.token,
            "url": format!("{base_url}/api/webhooks/{}/{}", self.id, self.token),
        })
    }
}

impl State {
    /// The instant that ids and timestamps are taken from.
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// A fresh id.
    pub fn new_id<T>(&self) -> Id<T> {
        self.snowflakes.next(self.now())
    }

    /// Sends an event to every session that it is for.
    pub fn emit(&mut self, event: Event) {
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.dispatch(self, &event);
        self.sessions = sessions;
    }

    /// The principal behind an `Authorization` header or an IDENTIFY token (`Bot …` or a person's bare token).
    pub fn principal(&self, token: &str) -> Option<Principal> {
        let (bare, as_bot) = token.strip_prefix("Bot ").map_or((token, false), |bare| (bare, true));
        let user = self.user_of(bare)?;
        (!as_bot || user.bot)
            .then(|| if user.bot { Principal::Bot(user.id.cast()) } else { Principal::Person(user.id) })
    }

    /// Who has this token. The id that stands in it spares a search among all.
    fn user_of(&self, token: &str) -> Option<&User> {
        let mut parts = token.split('.');
        let id = match (parts.next()?, parts.next()) {
            ("person", Some(id)) => id.parse().ok(),
            (id, _) => STANDARD_NO_PAD.decode(id).ok().and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok()),
        };
        let named = id.and_then(|id| self.users.get(&id)).filter(|user| user.token == token);
        named.or_else(|| self.users.values().find(|user| user.token == token && !token.is_empty()))
    }

    /// The user object, or a placeholder for someone unknown.
    pub fn user_json(&self, user: Id<UserMarker>) -> Value {
        self.users.get(&user).map_or_else(|| json!({ "id": user, "username": "deleted_user", "discriminator": "0", "avatar": null, "global_name": null, "public_flags": 0, "flags": 0, "primary_guild": null }), User::to_json)
    }

    /// The member object with its user.
    pub fn member_json(&self, guild: Id<GuildMarker>, user: Id<UserMarker>) -> Option<Value> {
        let member = self.guilds.get(&guild)?.members.get(&user)?;
        Some(member.to_json(Some(self.user_json(user))))
    }

    /// The channel object as `viewer` sees it (a direct message lists the other side).
    pub fn channel_json(&self, channel: &Channel, viewer: Option<Id<UserMarker>>) -> Value {
        let recipients: Vec<Value> =
            channel.recipients.iter().filter(|id| Some(**id) != viewer).map(|id| self.user_json(*id)).collect();
        channel.to_json(&recipients)
    }

    /// The channel object of a thread, with the viewer's own place in it.
    pub(crate) fn thread_json(&self, thread: &Channel, viewer: Id<UserMarker>) -> Value {
        let mut json = self.channel_json(thread, Some(viewer));
        if let Some(member) = thread.thread.as_ref().and_then(|about| about.member_json(thread.id, viewer)) {
            json["member"] = member;
        }
        json
    }

    /// The message object as the REST API answers it.
    pub fn message_json(&self, message: &Message) -> Value {
        let referenced = message.reference.and_then(|(channel, id)| self.message(channel, id)).map(|referenced| {
            let mut plain = referenced.clone();
            plain.reference = None;
            self.message_json(&plain)
        });
        let mentions = message.mentions.iter().map(|id| self.user_json(*id)).collect();
        let author = match &message.webhook_name {
            Some(name) => json!({
                "id": message.author_id, "username": name, "discriminator": "0000", "global_name": null, "avatar": null, "public_flags": 0,
                "flags": 0, "primary_guild": null, "bot": true,
            }),
            None => self.user_json(message.author_id),
        };
        let mut json = message.to_json(author, mentions, referenced);
        // A thread of a message has the message's id.
        if message.flags & flags::HAS_THREAD != 0
            && let Some(thread) = self.channels.get(&message.id.cast())
        {
            json["thread"] = self.channel_json(thread, None);
        }
        json
    }

    /// The message object as gateway events carry it: with `guild_id`, and the `member` of the author and of those it mentions.
    pub fn message_event_json(&self, message: &Message) -> Value {
        let mut data = self.message_json(message);
        let channel = self.channels.get(&message.channel_id);
        data["channel_type"] = json!(channel.map(|channel| channel.kind));
        if let Some(guild) = channel.and_then(|channel| self.guilds.get(&channel.guild_id?)) {
            data["guild_id"] = json!(guild.id);
            if let Some(member) = guild.members.get(&message.author_id) {
                data["member"] = member.to_json(None);
            }
            for (user, id) in data["mentions"].as_array_mut().into_iter().flatten().zip(&message.mentions) {
                if let Some(member) = guild.members.get(id) {
                    user["member"] = member.to_json(None);
                }
            }
        }
        data
    }

    /// A message, when it exists.
    pub fn message(&self, channel: Id<ChannelMarker>, id: Id<MessageMarker>) -> Option<&Message> {
        self.messages.get(&channel)?.get(&id)
    }

    /// The channels of a guild without threads, in the order of their positions.
    pub fn guild_channels(&self, guild: Id<GuildMarker>) -> Vec<&Channel> {
        let mut channels: Vec<_> = self.channels_of(guild).filter(|channel| !channel.is_thread()).collect();
        channels.sort_by_key(|channel| (channel.position, channel.id));
        channels
    }

    /// The threads of a guild that are not archived.
    pub fn active_threads(&self, guild: Id<GuildMarker>) -> Vec<&Channel> {
        self.channels_of(guild)
            .filter(|channel| channel.thread.as_ref().is_some_and(|thread| !thread.archived))
            .collect()
    }

    fn channels_of(&self, guild: Id<GuildMarker>) -> impl Iterator<Item = &Channel> {
        let ids = self.channels_by_guild.get(&guild);
        ids.into_iter().flatten().filter_map(|id| self.channels.get(id))
    }

    /// The payload of GUILD_CREATE for one session's owner.
    pub fn guild_create_json(&self, guild: &Guild, viewer: Principal) -> Value {
        let mut data = guild.to_json();
        let me = viewer.user();
        // Without the presences intent Discord sends bots only themselves and those in voice.
        let members: Vec<Value> = guild
            .members
            .keys()
            .filter(|id| matches!(viewer, Principal::Person(_)) || **id == me)
            .filter_map(|id| self.member_json(guild.id, *id))
            .collect();
        let threads: Vec<Value> = self
            .active_threads(guild.id)
            .into_iter()
            .filter(|thread| self.can_view(thread, me))
            .map(|thread| self.thread_json(thread, me))
            .collect();
        data["joined_at"] =
            guild.members.get(&me).map_or(Value::Null, |member| json!(super::guild::timestamp(member.joined_at)));
        data["large"] = json!(false);
        data["unavailable"] = json!(false);
        data["member_count"] = json!(guild.members.len());
        data["members"] = json!(members);
        data["channels"] =
            self.guild_channels(guild.id).into_iter().map(|channel| self.channel_json(channel, Some(me))).collect();
        data["threads"] = json!(threads);
        for empty in ["voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"] {
            data[empty] = json!([]);
        }
        data
    }

    /// Stores a new channel (or thread) and tells its guild.
    pub fn insert_channel(&mut self, channel: Channel) {
        let id = channel.id;
        let mut data = self.channel_json(&channel, None);
        let events = match (channel.guild_id, channel.is_thread()) {
            (Some(_), true) => {
                data["newly_created"] = json!(true);
                vec![Event { kind: "THREAD_CREATE", data, audience: Audience::Channel(id) }]
            }
            (Some(guild), false) => vec![Event { kind: "CHANNEL_CREATE", data, audience: Audience::Guild(guild) }],
            // Bots are not told of direct messages before there is one.
            (None, _) => {
                let people =
                    channel.recipients.iter().filter(|user| self.users.get(user).is_some_and(|user| !user.bot));
                let events = people.map(|user| Event {
                    kind: "CHANNEL_CREATE",
                    data: self.channel_json(&channel, Some(*user)),
                    audience: Audience::Person(*user),
                });
                events.collect()
            }
        };
        self.store_channel(channel);
        for event in events {
            self.emit(event);
        }
    }

    /// Stores a new channel without a word to anybody.
    pub(crate) fn store_channel(&mut self, channel: Channel) {
        if let Some(guild) = channel.guild_id {
            self.channels_by_guild.entry(guild).or_default().insert(channel.id);
        }
        self.messages.entry(channel.id).or_default();
        self.channels.insert(channel.id, channel);
    }

    /// Tells a guild that a channel changed; the caller has changed it already.
    pub fn channel_changed(&mut self, id: Id<ChannelMarker>) {
        let Some(channel) = self.channels.get(&id) else { return };
        let data = self.channel_json(channel, None);
        let event = match channel.guild_id {
            Some(_) if channel.is_thread() => Event { kind: "THREAD_UPDATE", data, audience: Audience::Channel(id) },
            Some(guild) => Event { kind: "CHANNEL_UPDATE", data, audience: Audience::Guild(guild) },
            None => return,
        };
        self.emit(event);
    }

    /// Removes a channel with its messages and threads, and tells its guild. Children of a category stay without one.
    pub fn remove_channel(&mut self, id: Id<ChannelMarker>) -> Option<Channel> {
        let channel = self.channels.get(&id)?.clone();
        let children: Vec<_> = self
            .channels
            .values()
            .filter(|child| child.parent_id == Some(id))
            .map(|child| (child.id, child.is_thread()))
            .collect();
        for (child, is_thread) in children {
            if is_thread {
                self.remove_channel(child);
            } else if let Some(child_channel) = self.channels.get_mut(&child) {
                child_channel.parent_id = None;
                self.channel_changed(child);
            }
        }
        let data = self.channel_json(&channel, None);
        let event = match (channel.guild_id, channel.is_thread()) {
            (Some(guild), true) => Some(Event {
                kind: "THREAD_DELETE",
                data: json!({ "id": id, "guild_id": guild, "parent_id": channel.parent_id, "type": channel.kind }),
                audience: Audience::Channel(id),
            }),
            (Some(guild), false) => Some(Event { kind: "CHANNEL_DELETE", data, audience: Audience::Guild(guild) }),
            (None, _) => None,
        };
        // The event goes out first: who sees a thread is known only while it stands.
        if let Some(event) = event {
            self.emit(event);
        }
        self.messages.remove(&id);
        self.webhooks.retain(|_, webhook| webhook.channel_id != id);
        if let Some(ids) = channel.guild_id.and_then(|guild| self.channels_by_guild.get_mut(&guild)) {
            ids.remove(&id);
        }
        self.channels.remove(&id)
    }

    /// Stores a new message and tells those who see it.
    pub fn insert_message(&mut self, message: Message) -> Id<MessageMarker> {
        let (id, channel_id) = (message.id, message.channel_id);
        if let Some(channel) = self.channels.get_mut(&channel_id)
            && message.only_for.is_none()
        {
            channel.last_message_id = Some(id);
            if let Some(thread) = &mut channel.thread {
                thread.total_message_sent += 1;
                // A message opens an archived thread again, unless it is locked.
                if thread.archived && !thread.locked {
                    thread.archived = false;
                    self.channel_changed(channel_id);
                }
            }
        }
        let mut data = self.message_event_json(&message);
        if let Some(nonce) = &message.nonce {
            data["nonce"] = nonce.clone();
        }
        let audience = message.only_for.map_or(Audience::Channel(channel_id), Audience::Person);
        self.messages.entry(channel_id).or_default().insert(id, message);
        self.emit(Event { kind: "MESSAGE_CREATE", data, audience });
        id
    }

    /// Changes a message and tells those who see it; `None` when it does not exist.
    pub fn update_message(
        &mut self,
        channel: Id<ChannelMarker>,
        id: Id<MessageMarker>,
        change: impl FnOnce(&mut Message),
    ) -> Option<Message> {
        let message = self.messages.get_mut(&channel)?.get_mut(&id)?;
        change(message);
        let message = message.clone();
        let data = self.message_event_json(&message);
        let audience = message.only_for.map_or(Audience::Channel(channel), Audience::Person);
        self.emit(Event { kind: "MESSAGE_UPDATE", data, audience });
        Some(message)
    }

    /// Removes a message and tells those who saw it.
    pub fn remove_message(&mut self, channel: Id<ChannelMarker>, id: Id<MessageMarker>) -> Option<Message> {
        let message = self.messages.get_mut(&channel)?.remove(&id)?;
        let mut data = json!({ "id": id, "channel_id": channel });
        if let Some(guild) = self.channels.get(&channel).and_then(|channel| channel.guild_id) {
            data["guild_id"] = json!(guild);
        }
        let audience = message.only_for.map_or(Audience::Channel(channel), Audience::Person);
        self.emit(Event { kind: "MESSAGE_DELETE", data, audience });
        Some(message)
    }

    /// Keeps the bytes of a file and describes it.
    pub fn store_file(
        &mut self,
        filename: &str,
        content_type: &str,
        description: Option<String>,
        bytes: Bytes,
    ) -> Attachment {
        let id = self.new_id();
        let url = format!("{}/attachments/{id}/{filename}", self.base_url);
        let attachment = Attachment {
            id,
            filename: filename.to_owned(),
            description,
            content_type: content_type.to_owned(),
            size: bytes.len(),
            url,
        };
        self.files.insert(id, (attachment.clone(), bytes));
        attachment
    }

    /// The direct-message channel of two users, made when missing.
    pub fn direct_channel(&mut self, one: Id<UserMarker>, other: Id<UserMarker>) -> Id<ChannelMarker> {
        let existing = self.channels.values().find(|channel| {
            channel.kind == kind::DM && channel.recipients.contains(&one) && channel.recipients.contains(&other)
        });
        if let Some(channel) = existing {
            return channel.id;
        }
        let id = self.new_id();
        self.insert_channel(Channel {
            id,
            kind: kind::DM,
            guild_id: None,
            name: String::new(),
            topic: None,
            parent_id: None,
            position: 0,
            overwrites: Vec::new(),
            nsfw: false,
            rate_limit_per_user: 0,
            last_message_id: None,
            recipients: vec![one, other],
            thread: None,
        });
        id
    }
}
