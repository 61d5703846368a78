//! The channel of a ticket: its name, its mark, and who sees it.

use common::discord;
use model::{GuildSettings, Ticket, TicketNumber};
use serde::{Deserialize, de::IgnoredAny};
use twilight_http::request::TryIntoRequest;
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker, GuildMarker, UserMarker},
    },
};
use uuid::Uuid;

use crate::{
    context::Context,
    refused::{Failure, failure},
    text::text,
};

/// What the opener may do in the own ticket.
pub const OPENER: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::READ_MESSAGE_HISTORY)
    .union(Permissions::ATTACH_FILES)
    .union(Permissions::EMBED_LINKS);

/// What the support staff may do in a ticket.
pub const STAFF: Permissions = OPENER.union(Permissions::MANAGE_MESSAGES);

/// What the bot itself needs in a ticket: its roles may not give it where everyone is denied.
pub const BOT: Permissions = STAFF.union(Permissions::MANAGE_CHANNELS);

/// `ticket-0042`.
#[must_use]
pub fn name(number: TicketNumber) -> String {
    format!("ticket-{:04}", number.0)
}

/// The topic, which ends in the ticket's mark: by it a channel finds its ticket again.
#[must_use]
pub fn topic(ticket: &Ticket) -> String {
    let topic =
        text("channel-topic").with("number", ticket.key.number).with("opener", format_args!("<@{}>", ticket.opener));
    format!("{topic} {}", mark(ticket.nonce))
}

fn mark(nonce: Uuid) -> String {
    format!("[{}]", nonce.simple())
}

/// Who sees the channel of a ticket.
#[must_use]
pub fn overwrites(settings: &GuildSettings, opener: Id<UserMarker>, bot: Id<UserMarker>) -> Vec<PermissionOverwrite> {
    let mut overwrites = hidden(settings.guild, bot);
    overwrites.push(allow(PermissionOverwriteType::Member, opener.cast(), OPENER));
    if let Some(role) = settings.staff_role {
        overwrites.push(allow(PermissionOverwriteType::Role, role.cast(), STAFF));
    }
    overwrites
}

/// Nobody but the bot (and administrators) sees it.
#[must_use]
pub fn hidden(guild: Id<GuildMarker>, bot: Id<UserMarker>) -> Vec<PermissionOverwrite> {
    vec![
        PermissionOverwrite {
            // The role of everyone has the guild's id.
            id: guild.cast(),
            kind: PermissionOverwriteType::Role,
            allow: Permissions::empty(),
            deny: Permissions::VIEW_CHANNEL,
        },
        allow(PermissionOverwriteType::Member, bot.cast(), BOT),
    ]
}

/// What somebody may do.
#[must_use]
pub fn allow(kind: PermissionOverwriteType, id: Id<GenericMarker>, allow: Permissions) -> PermissionOverwrite {
    PermissionOverwrite { id, kind, allow, deny: Permissions::empty() }
}

/// Who sees the channel of a ticket that is being closed: the staff read, and nobody but administrators writes.
#[must_use]
pub fn locked(settings: &GuildSettings, bot: Id<UserMarker>) -> Vec<PermissionOverwrite> {
    let mut overwrites = hidden(settings.guild, bot);
    if let Some(role) = settings.staff_role {
        overwrites.push(PermissionOverwrite {
            id: role.cast(),
            kind: PermissionOverwriteType::Role,
            allow: Permissions::VIEW_CHANNEL | Permissions::READ_MESSAGE_HISTORY,
            deny: Permissions::SEND_MESSAGES,
        });
    }
    overwrites
}

/// Makes the channel of a ticket.
///
/// # Errors
///
/// As Discord refuses.
pub async fn create(
    cx: &Context,
    settings: &GuildSettings,
    ticket: &Ticket,
) -> Result<Id<ChannelMarker>, discord::Error> {
    let name = name(ticket.key.number);
    let topic = topic(ticket);
    let overwrites = overwrites(settings, ticket.opener, cx.bot_user());
    let mut request = cx
        .discord
        .requests()
        .create_guild_channel(ticket.key.guild, &name)
        .kind(ChannelType::GuildText)
        .topic(&topic)
        .permission_overwrites(&overwrites);
    if let Some(category) = settings.category {
        request = request.parent_id(category);
    }
    cx.create(request).await
}

/// The channels of the guild that carry the ticket's mark, oldest first.
///
/// Only Discord itself can say: the cache may lack the one that was made a moment ago, and each must be found.
///
/// # Errors
///
/// As Discord refuses.
pub async fn find_made(cx: &Context, ticket: &Ticket) -> Result<Vec<Id<ChannelMarker>>, discord::Error> {
    let marked = list(cx, ticket.key.guild).await?.into_iter().filter(|channel| channel.mark() == Some(ticket.nonce));
    let mut made: Vec<_> = marked.map(|channel| channel.id).collect();
    made.sort_unstable();
    Ok(made)
}

/// The guild's channels, as Discord has them now.
///
/// # Errors
///
/// As Discord refuses.
pub async fn list(cx: &Context, guild: Id<GuildMarker>) -> Result<Vec<Listed>, discord::Error> {
    cx.discord.get_json(&format!("guilds/{guild}/channels")).await
}

/// A channel as Discord lists it: what we read of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: Id<ChannelMarker>,
    /// Its guild; the list of a guild's channels may leave it out.
    pub guild_id: Option<Id<GuildMarker>>,
    topic: Option<String>,
}

impl Listed {
    /// The mark at the end of its topic: of which ticket it says that it is.
    #[must_use]
    pub fn mark(&self) -> Option<Uuid> {
        let (_, mark) = self.topic.as_deref()?.strip_suffix(']')?.rsplit_once('[')?;
        if mark.len() == 32 { Uuid::try_parse(mark).ok() } else { None }
    }
}

/// Whether Discord says that there is no such channel. Without an answer it may be there.
pub async fn is_gone(cx: &Context, channel: Id<ChannelMarker>) -> bool {
    let found: Result<IgnoredAny, _> = cx.discord.get_json(&format!("channels/{channel}")).await;
    found.is_err_and(|error| failure(&error) == Failure::Gone)
}

/// Deletes a channel; the reason stands in the guild's audit log.
///
/// # Errors
///
/// As Discord refuses.
pub async fn delete(cx: &Context, channel: Id<ChannelMarker>, reason: &str) -> Result<(), discord::Error> {
    let discord = cx.discord.with_reason(reason);
    let request = discord.requests().delete_channel(channel).try_into_request();
    // The channel that Discord answers with is nothing to us, so it cannot fail us.
    discord.raw(request.map_err(|error| discord::Error::Request(error.into()))?).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn channels_are_named_by_at_least_four_digits() {
        assert_eq!(name(TicketNumber(7)), "ticket-0007");
        assert_eq!(name(TicketNumber(12_345)), "ticket-12345");
    }

    #[test]
    fn the_topic_carries_the_mark_at_its_end() {
        let ticket = testing::ticket();
        let topic = topic(&ticket);
        assert!(topic.ends_with(&format!("[{}]", ticket.nonce.simple())), "{topic}");
        assert!(topic.chars().count() <= 1024);
    }

    #[test]
    fn everyone_is_denied_and_opener_staff_and_bot_are_let_in() {
        let settings = GuildSettings { staff_role: Some(Id::new(8)), ..GuildSettings::unset(Id::new(5)) };
        let overwrites = overwrites(&settings, Id::new(7), Id::new(1));
        let of = |id: u64| {
            overwrites.iter().find(|overwrite| overwrite.id == Id::<GenericMarker>::new(id)).copied().unwrap()
        };
        assert_eq!(overwrites.len(), 4);
        assert_eq!(of(5).deny, Permissions::VIEW_CHANNEL);
        assert_eq!((of(5).kind, of(5).allow), (PermissionOverwriteType::Role, Permissions::empty()));
        assert_eq!((of(7).kind, of(7).allow), (PermissionOverwriteType::Member, OPENER));
        assert_eq!((of(8).kind, of(8).allow), (PermissionOverwriteType::Role, STAFF));
        assert!(of(8).allow.contains(Permissions::MANAGE_MESSAGES));
        assert!(!of(7).allow.contains(Permissions::MANAGE_MESSAGES));
        assert!(of(1).allow.contains(Permissions::MANAGE_CHANNELS));
    }

    #[test]
    fn without_a_staff_role_nobody_else_is_let_in() {
        let settings = GuildSettings::unset(Id::new(5));
        assert_eq!(overwrites(&settings, Id::new(7), Id::new(1)).len(), 3);
    }

    #[test]
    fn locking_leaves_the_staff_as_readers_and_nobody_as_a_writer() {
        let settings = GuildSettings { staff_role: Some(Id::new(8)), ..GuildSettings::unset(Id::new(5)) };
        let locked = locked(&settings, Id::new(1));
        let staff = locked.iter().find(|overwrite| overwrite.id == Id::<GenericMarker>::new(8)).unwrap();
        assert!(staff.allow.contains(Permissions::VIEW_CHANNEL));
        assert!(staff.deny.contains(Permissions::SEND_MESSAGES));
        let others = locked.iter().filter(|overwrite| overwrite.id != Id::<GenericMarker>::new(1));
        assert!(others.clone().all(|overwrite| !overwrite.allow.contains(Permissions::SEND_MESSAGES)));
        assert_eq!(others.count(), 2, "the opener has no overwrite any more");
    }

    #[test]
    fn a_mark_is_read_back_from_the_topic_and_nothing_else_is_taken_for_one() {
        let ticket = testing::ticket();
        let of = |topic: Option<String>| Listed { id: Id::new(6), guild_id: None, topic }.mark();
        assert_eq!(of(Some(topic(&ticket))), Some(ticket.nonce));
        for other in ["", "[]", "ask [here]", "0000000000001234]", &format!("{} ", mark(ticket.nonce))] {
            assert_eq!(of(Some(other.to_owned())), None, "{other}");
        }
        assert_eq!(of(None), None);
    }
}
