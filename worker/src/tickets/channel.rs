//! The channel of a ticket: its name, its mark, and who sees it.

use model::{GuildSettings, Ticket, TicketNumber};
use serde::Deserialize;
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    http::permission_overwrite as outgoing,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker, GuildMarker, UserMarker},
    },
};
use uuid::Uuid;

use crate::{context::Context, text::text};

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

/// The overwrite that shuts the opener out when the ticket is being closed.
#[must_use]
pub fn locked_out(opener: Id<UserMarker>) -> outgoing::PermissionOverwrite {
    outgoing::PermissionOverwrite {
        id: opener.cast(),
        kind: outgoing::PermissionOverwriteType::Member,
        allow: Some(Permissions::empty()),
        deny: Some(Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES),
    }
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
) -> Result<Id<ChannelMarker>, common::discord::Error> {
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
/// # Errors
///
/// As Discord refuses.
pub async fn find_made(cx: &Context, ticket: &Ticket) -> Result<Vec<Id<ChannelMarker>>, common::discord::Error> {
    let path = format!("guilds/{}/channels", ticket.key.guild);
    let channels: Vec<Listed> = cx.discord.get_json(&path).await?;
    let mark = mark(ticket.nonce);
    let mut made: Vec<_> = channels
        .into_iter()
        .filter(|channel| channel.topic.as_deref().is_some_and(|topic| topic.ends_with(&mark)))
        .map(|channel| channel.id)
        .collect();
    made.sort_unstable();
    Ok(made)
}

#[derive(Deserialize)]
struct Listed {
    id: Id<ChannelMarker>,
    topic: Option<String>,
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
    fn locking_takes_away_all_that_was_given() {
        let locked = locked_out(Id::new(7));
        assert_eq!(locked.allow, Some(Permissions::empty()));
        assert!(locked.deny.is_some_and(|deny| deny.contains(Permissions::VIEW_CHANNEL)));
    }
}
