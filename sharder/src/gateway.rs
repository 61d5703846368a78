//! What Discord says about the gateway, and what we say to it.

use common::{
    discord::{self, Discord},
    service::Service,
};
use serde::Deserialize;
use twilight_gateway::Intents;
use twilight_model::gateway::CloseCode;

/// Where the bot's token comes from, for whoever has to mend it.
pub const TOKEN: &str = "SHARDER_TOKEN (or DISCORD_TOKEN)";

/// What every bot asks for.
///
/// - `GUILDS`: guilds, roles, channels and threads appear, change and go. Tickets live in channels.
/// - `GUILD_MESSAGES`: messages appear, are edited and deleted. Transcripts are made of them.
/// - `GUILD_EMOJIS_AND_STICKERS` (Discord's `GUILD_EXPRESSIONS`): emojis change. Buttons show them.
pub const INTENTS: Intents = Intents::GUILDS.union(Intents::GUILD_MESSAGES).union(Intents::GUILD_EMOJIS_AND_STICKERS);

/// What a bot asks for with those of the privileged intents that it wants.
///
/// - `MESSAGE_CONTENT`: the texts of messages.
/// - `GUILD_MEMBERS`: members come, change and go. Without it an interaction and a message still carry theirs.
#[must_use]
pub fn intents(message_content: bool, members: bool) -> Intents {
    let privileged = [(message_content, Intents::MESSAGE_CONTENT), (members, Intents::GUILD_MEMBERS)];
    privileged.into_iter().filter(|(wanted, _)| *wanted).fold(INTENTS, |all, (_, intent)| all.union(intent))
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
#[derive(Clone, Debug, Deserialize)]
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

/// Discord closed the connection of a shard in a way that no retry can cure.
#[derive(Debug, thiserror::Error)]
#[error("Discord closed shard {shard} for good with code {code} ({reason}): {cause}")]
pub struct FatalClose {
    /// The shard.
    pub shard: u32,
    /// The close code; 4004 also where the REST API refused the token.
    pub code: u16,
    /// Discord's own words.
    pub reason: String,
    /// What that means for the public bot, and what to do, see [`fatal_close`].
    pub cause: &'static str,
}

/// Why Discord closed a connection that asked for these intents for good, and what the operator can do; `None` for codes
/// after which we reconnect.
#[must_use]
pub fn fatal_close(code: u16, asked: Intents) -> Option<&'static str> {
    Some(match CloseCode::try_from(code).ok()? {
        CloseCode::AuthenticationFailed => {
            "the token is wrong or was reset: copy the current one from the bot's page in the developer portal into \
             SHARDER_TOKEN (or DISCORD_TOKEN)"
        }
        CloseCode::InvalidShard => {
            "the shard is not one of the total: SHARDER_TOTAL and SHARDER_CLUSTER_SIZE, or TOTAL_SHARDS, must be the \
             same in all processes"
        }
        CloseCode::ShardingRequired => {
            "the bot is in too many guilds for this few shards: raise SHARDER_TOTAL, SHARDER_CLUSTER_SIZE or \
             TOTAL_SHARDS in all processes; after SHARDER_TOTAL=auto delete sharder:total:{bot} from Redis"
        }
        CloseCode::InvalidApiVersion => "the gateway no longer speaks API version 10: update Tickets",
        CloseCode::InvalidIntents => "an intent is unknown to the gateway: update Tickets",
        CloseCode::DisallowedIntents => disallowed(asked),
        _ => return None,
    })
}

fn disallowed(asked: Intents) -> &'static str {
    match (asked.contains(Intents::MESSAGE_CONTENT), asked.contains(Intents::GUILD_MEMBERS)) {
        (true, true) => {
            "one of the privileged intents MESSAGE_CONTENT and GUILD_MEMBERS is not enabled: switch both on under Bot \
             in the developer portal, or set GATEWAY_MESSAGE_CONTENT=false and do without the texts of messages, or \
             GATEWAY_MEMBERS=false and know members only as they write or click"
        }
        (false, true) => {
            "the privileged intent GUILD_MEMBERS is not enabled: switch it on under Bot in the developer portal, or \
             set GATEWAY_MEMBERS=false and know members only as they write or click"
        }
        _ => {
            "the privileged intent MESSAGE_CONTENT is not enabled: switch it on under Bot in the developer portal, \
             or set GATEWAY_MESSAGE_CONTENT=false and do without the texts of messages"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fatal_code_of_discord_has_an_explanation() {
        for code in 4000..4100 {
            let fatal = CloseCode::try_from(code).is_ok_and(|code| !code.can_reconnect());
            assert_eq!(fatal_close(code, INTENTS).is_some(), fatal, "{code}");
        }
        assert_eq!(fatal_close(1006, INTENTS), None);
    }

    #[test]
    fn each_privileged_intent_can_be_left_out() {
        assert_eq!(intents(false, false), INTENTS);
        assert_eq!(intents(true, false), INTENTS | Intents::MESSAGE_CONTENT);
        assert_eq!(intents(false, true), INTENTS | Intents::GUILD_MEMBERS);
        let privileged = Intents::MESSAGE_CONTENT | Intents::GUILD_MEMBERS;
        assert_eq!(intents(true, true), INTENTS | privileged);
        assert!(!INTENTS.intersects(privileged | Intents::GUILD_PRESENCES));
    }

    #[test]
    fn a_disallowed_intent_is_one_that_was_asked_for() {
        let code = CloseCode::DisallowedIntents as u16;
        for (message_content, members) in [(true, false), (false, true), (true, true)] {
            let said = fatal_close(code, intents(message_content, members)).unwrap();
            assert_eq!(said.contains("GATEWAY_MESSAGE_CONTENT=false"), message_content, "{said}");
            assert_eq!(said.contains("GATEWAY_MEMBERS=false"), members, "{said}");
        }
    }

    #[test]
    fn the_gateways_address_has_no_slash_at_its_end() {
        let text = r#"{"url":"wss://gateway.discord.gg/","shards":9,
            "session_start_limit":{"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":1}}"#;
        let info: GatewayInfo = serde_json::from_str(text).unwrap();
        assert_eq!(info.base_url(), "wss://gateway.discord.gg");
    }
}
