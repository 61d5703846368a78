use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, CommandMarker, CommandVersionMarker, GuildMarker, UserMarker},
};

/// An application with its bot.
#[derive(Clone, Debug)]
pub struct Application {
    /// Id; its bot user has the same.
    pub id: Id<ApplicationMarker>,
    /// Name.
    pub name: String,
    /// Signs the interactions that are posted to the endpoint.
    pub signing_key: SigningKey,
    /// Where interactions are posted; without it they come as INTERACTION_CREATE over the gateway.
    pub interactions_endpoint_url: Option<String>,
    /// Privileged intents that the developer portal would have enabled, as intent bits.
    pub privileged_intents: u64,
    /// Registered commands by id.
    pub commands: BTreeMap<Id<CommandMarker>, Command>,
    /// Guilds per shard that `/gateway/bot` recommends from; shards it answers.
    pub shards: u32,
    /// IDENTIFYs that may run at once.
    pub max_concurrency: u32,
    /// IDENTIFYs left in this window.
    pub identifies_remaining: u32,
    /// IDENTIFYs that a window has: 1000 unless a test changes it.
    pub identifies_total: u32,
    /// The window after which they are renewed: 24 h unless a test changes it.
    pub identify_window: Duration,
    /// When this window began.
    pub window_began: Instant,
    /// The person in whose portal it stands; without one it is the first person there is.
    pub owner: Option<Id<UserMarker>>,
}

/// Discord's answer to how often a bot may still IDENTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartLimit {
    /// In one window.
    pub total: u32,
    /// In this window.
    pub remaining: u32,
    /// Until the next window.
    pub reset_after: Duration,
}

impl Application {
    /// How often it may still IDENTIFY.
    pub fn start_limit(&self, now: Instant) -> StartLimit {
        let (total, window) = (self.identifies_total, self.identify_window.max(Duration::from_millis(1)));
        let since = now.saturating_duration_since(self.window_began);
        let remaining = if since < window { self.identifies_remaining } else { total };
        let into = Duration::from_millis(u64::try_from(since.as_millis() % window.as_millis().max(1)).unwrap_or(0));
        StartLimit { total, remaining, reset_after: window.saturating_sub(into) }
    }

    /// Renews the IDENTIFYs when a new window has begun.
    pub(crate) fn begin_window(&mut self, now: Instant) {
        let limit = self.start_limit(now);
        if now.saturating_duration_since(self.window_began) >= self.identify_window {
            let into = self.identify_window.saturating_sub(limit.reset_after);
            self.window_began = now.checked_sub(into).unwrap_or(now);
            self.identifies_remaining = self.identifies_total;
        }
    }

    /// The public key in hex, as the developer portal shows it.
    pub fn verify_key(&self) -> String {
        hex::encode(self.signing_key.verifying_key().as_bytes())
    }

    /// The public flags: which privileged intents are enabled, as for an application in less than a hundred guilds.
    pub fn flags(&self) -> u64 {
        const LIMITED: [(u64, u64); 3] = [(1 << 8, 1 << 13), (1 << 1, 1 << 15), (1 << 15, 1 << 19)];
        LIMITED.iter().filter(|(intent, _)| self.privileged_intents & intent != 0).map(|(_, flag)| flag).sum()
    }

    /// The object of `/applications/@me`.
    pub fn to_json(&self, owner: Value, bot: Value, guilds: usize) -> Value {
        json!({
            "id": self.id, "name": self.name, "icon": null, "description": "", "type": null, "verify_key": self.verify_key(), "flags": self.flags(), "flags_new": self.flags().to_string(),
            "redirect_uris": [], "interactions_endpoint_url": self.interactions_endpoint_url, "role_connections_verification_url": null,
            "owner": owner, "bot": bot, "approximate_guild_count": guilds, "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "team": null, "eligible_oauth2_scopes": [],
            "bot_public": true, "bot_require_code_grant": false, "integration_types_config": {},
        })
    }
}

/// A registered application command.
#[derive(Clone, Debug)]
pub struct Command {
    /// Id.
    pub id: Id<CommandMarker>,
    /// Grows with every change.
    pub version: Id<CommandVersionMarker>,
    /// The guild of a guild command.
    pub guild_id: Option<Id<GuildMarker>>,
    /// Type: 1 chat input, 2 user, 3 message.
    pub kind: u8,
    /// Name.
    pub name: String,
    /// The definition as it was registered.
    pub definition: Value,
}
