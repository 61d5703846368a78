//! What Discord says about the gateway, and what we say to it.

use std::time::Duration;

use common::{
    discord::{self, Discord},
    service::Service,
};
use serde::Deserialize;
use twilight_gateway::{Intents, queue::InMemoryQueue};
use twilight_model::gateway::CloseCode;

/// Where the bot's token comes from, for whoever has to mend it.
pub const TOKEN: &str = "SHARDER_TOKEN (or DISCORD_TOKEN)";

/// What the bot asks for.
///
/// - `GUILDS`: guilds, roles, channels and threads appear, change and go. Tickets live in channels.
/// - `GUILD_MESSAGES`: messages appear, are edited and deleted. Transcripts are made of them.
/// - `MESSAGE_CONTENT` (privileged): the texts of those messages.
///
/// `GUILD_MEMBERS` is not asked for: an interaction carries its member.
pub const INTENTS: Intents = Intents::GUILDS.union(Intents::GUILD_MESSAGES).union(Intents::MESSAGE_CONTENT);

/// The intents with or without the privileged one.
#[must_use]
pub fn intents(message_content: bool) -> Intents {
    if message_content { INTENTS } else { INTENTS.difference(Intents::MESSAGE_CONTENT) }
}

/// Discord's answer to `GET /gateway/bot`.
#[derive(Debug, Deserialize)]
pub struct GatewayInfo {
    /// The gateway's address.
    pub url: String,
    /// How many shards Discord recommends.
    pub shards: u32,
    /// How often the bot may identify.
    pub session_start_limit: StartLimit,
}

/// How often a bot may identify.
#[derive(Debug, Deserialize)]
pub struct StartLimit {
    /// Per period.
    pub total: u32,
    /// Left in this period.
    pub remaining: u32,
    /// Milliseconds until the period ends.
    pub reset_after: u64,
    /// Shards that may identify at once, every 5 s.
    pub max_concurrency: u16,
}

impl GatewayInfo {
    /// The address in the form that twilight completes: without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.url.trim_end_matches('/').to_owned()
    }
}

/// Asks where the gateway is, again and again until Discord answers.
///
/// # Errors
///
/// Where Discord refuses, or the service is told to stop first.
pub async fn ask(service: &Service, discord: &Discord) -> anyhow::Result<GatewayInfo> {
    discord::ask_json(service, discord, "gateway/bot", TOKEN).await
}

/// Says where a bot has fewer shards than Discord recommends: beyond 2,500 guilds a shard is refused.
pub fn compare_shards(total: u32, recommended: u32) {
    if total < recommended {
        tracing::warn!(total, recommended, "Discord recommends {recommended} shards, there are {total}");
    }
}

/// Paces the IDENTIFYs of this process. `buckets` overrides how many shards may identify at once.
#[must_use]
pub fn identify_queue(limit: &StartLimit, buckets: Option<u16>) -> InMemoryQueue {
    if limit.remaining == 0 {
        tracing::warn!(
            limit.total,
            limit.reset_after,
            "no session may be started until Discord's limit resets in {} s; only RESUMEs connect before",
            limit.reset_after / 1000,
        );
    }
    // 0 would mean "without pacing" to the queue.
    let buckets = buckets.unwrap_or(limit.max_concurrency).max(1);
    let total = limit.total.max(limit.remaining);
    InMemoryQueue::new(buckets, limit.remaining, Duration::from_millis(limit.reset_after), total)
}

/// Why Discord closed a connection for good, and what the operator can do; `None` for codes after which we reconnect.
#[must_use]
pub fn fatal_close(code: u16) -> Option<&'static str> {
    Some(match CloseCode::try_from(code).ok()? {
        CloseCode::AuthenticationFailed => {
            "the token is wrong or was reset: copy the current one from the bot's page in the developer portal into \
             SHARDER_TOKEN (or DISCORD_TOKEN)"
        }
        CloseCode::InvalidShard => {
            "the shard is not one of the total: SHARDER_ID, SHARDER_TOTAL and SHARDER_CLUSTER_SIZE must agree \
             in all processes"
        }
        CloseCode::ShardingRequired => {
            "the bot is in too many guilds for this few shards: raise SHARDER_TOTAL or SHARDER_CLUSTER_SIZE"
        }
        CloseCode::InvalidApiVersion => "the gateway no longer speaks API version 10: update Tickets",
        CloseCode::InvalidIntents => "an intent is unknown to the gateway: update Tickets",
        CloseCode::DisallowedIntents => {
            "the privileged intent MESSAGE_CONTENT is not enabled: switch it on under Bot in the developer portal, \
             or set GATEWAY_MESSAGE_CONTENT=false and do without the texts of messages"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fatal_code_of_discord_has_an_explanation() {
        for code in 4000..4100 {
            let fatal = CloseCode::try_from(code).is_ok_and(|code| !code.can_reconnect());
            assert_eq!(fatal_close(code).is_some(), fatal, "{code}");
        }
        assert_eq!(fatal_close(1006), None);
    }

    #[test]
    fn the_privileged_intent_can_be_left_out() {
        assert!(intents(true).contains(Intents::MESSAGE_CONTENT));
        assert_eq!(intents(false), Intents::GUILDS | Intents::GUILD_MESSAGES);
    }

    #[test]
    fn the_gateways_address_has_no_slash_at_its_end() {
        let text = r#"{"url":"wss://gateway.discord.gg/","shards":9,
            "session_start_limit":{"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":1}}"#;
        let info: GatewayInfo = serde_json::from_str(text).unwrap();
        assert_eq!(info.base_url(), "wss://gateway.discord.gg");
    }
}
