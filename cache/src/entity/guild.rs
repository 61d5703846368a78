use serde::{Deserialize, Serialize};
use twilight_model::{
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, UserMarker},
    },
    util::{ImageHash, Timestamp},
};

use super::{Channel, Emoji, Interner, Member, Role, Text, text};
use crate::wire;

/// A guild without its lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guild {
    /// Its id; also the id of the role @everyone.
    #[serde(with = "wire::id")]
    pub id: Id<GuildMarker>,
    /// An outage: what is known of it is from before. Not a leave.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub unavailable: bool,
    /// Its name; empty where nothing but an outage is known of it.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: Text,
    /// Its icon.
    #[serde(default, with = "wire::image")]
    pub icon: Option<ImageHash>,
    /// Who has every permission.
    #[serde(default, with = "wire::id_opt")]
    pub owner_id: Option<Id<UserMarker>>,
    /// What it says of itself.
    #[serde(default, with = "text::or_null")]
    pub description: Text,
    /// Discord's names of what it can do.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub features: Box<[Text]>,
    /// Its language, as in `en-US`.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub preferred_locale: Text,
    /// Which proof of themselves members need to write.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub verification_level: u8,
    /// Whose media are looked through.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub explicit_content_filter: u8,
    /// What members are notified of.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub default_message_notifications: u8,
    /// Whether moderators need a second factor.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub mfa_level: u8,
    /// Whether it is age-restricted.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub nsfw_level: u8,
    /// Its boost level.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub premium_tier: u8,
    /// Where voice users go that are away.
    #[serde(default, with = "wire::id_opt")]
    pub afk_channel_id: Option<Id<ChannelMarker>>,
    /// Where Discord greets members.
    #[serde(default, with = "wire::id_opt")]
    pub system_channel_id: Option<Id<ChannelMarker>>,
    /// Where its rules are.
    #[serde(default, with = "wire::id_opt")]
    pub rules_channel_id: Option<Id<ChannelMarker>>,
    /// Where Discord tells its moderators news.
    #[serde(default, with = "wire::id_opt")]
    pub public_updates_channel_id: Option<Id<ChannelMarker>>,
    /// Its address of its own.
    #[serde(default, with = "text::or_null")]
    pub vanity_url_code: Text,
    /// How many members it has: told when the bot sees it, then counted.
    #[serde(default)]
    pub member_count: Option<u32>,
    /// When the bot joined.
    #[serde(default, with = "wire::at")]
    pub joined_at: Option<Timestamp>,
}

impl Guild {
    /// One of which only is known that the bot is in it, and that it is in an outage.
    #[must_use]
    pub fn in_an_outage(id: Id<GuildMarker>) -> Self {
        Self {
            id,
            unavailable: true,
            name: Text::default(),
            icon: None,
            owner_id: None,
            description: Text::default(),
            features: Box::default(),
            preferred_locale: Text::default(),
            verification_level: 0,
            explicit_content_filter: 0,
            default_message_notifications: 0,
            mfa_level: 0,
            nsfw_level: 0,
            premium_tier: 0,
            afk_channel_id: None,
            system_channel_id: None,
            rules_channel_id: None,
            public_updates_channel_id: None,
            vanity_url_code: Text::default(),
            member_count: None,
            joined_at: None,
        }
    }

    /// Whether its lists are known. Nothing but an outage is known of a guild that had one when the bot came.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.owner_id.is_some()
    }

    /// What GUILD_UPDATE leaves out stays as it was.
    pub(crate) fn keep(&mut self, before: &Guild) {
        self.unavailable = before.unavailable;
        self.member_count = self.member_count.or(before.member_count);
        self.joined_at = self.joined_at.or(before.joined_at);
    }

    pub(crate) fn intern(&mut self, interner: &Interner) {
        let Self { name, description, preferred_locale, vanity_url_code, features, .. } = self;
        interner.intern([name, description, preferred_locale, vanity_url_code]);
        interner.intern(features.iter_mut());
    }
}

/// A guild with all that is known of it; each list by ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// Itself.
    pub guild: Guild,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// Its threads that are not archived, those that the bot may see.
    pub threads: Vec<Channel>,
    /// Its roles, @everyone among them.
    pub roles: Vec<Role>,
    /// Its emojis.
    pub emojis: Vec<Emoji>,
    /// The members that are known, with their users. Who is missing may be a member all the same.
    pub members: Vec<Member>,
}

impl Whole {
    /// Brings each list into its order, and takes doubles out.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        in_order(&mut self.channels, |channel| channel.id);
        in_order(&mut self.threads, |thread| thread.id);
        in_order(&mut self.roles, |role| role.id);
        in_order(&mut self.emojis, |emoji| emoji.id);
        in_order(&mut self.members, Member::id);
        self
    }
}

/// Brings a list into its order, and takes doubles out: the first of them stays.
pub(crate) fn in_order<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    list.sort_by_key(&key);
    list.dedup_by_key(|one| key(one));
}
