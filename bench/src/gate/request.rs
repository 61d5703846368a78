//! The calls that are sent.

use serde::Serialize;

/// Channels of a load; each is one bot's.
pub(super) const CHANNELS: u64 = 4_096;
/// Bots of a load that no limit is to hold up.
pub(super) const BOTS: u64 = 16;
/// What an embed or two take.
const BODY: usize = 2_000;

/// What is asked of Discord.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Reads messages: no body.
    Get,
    /// Sends a message of 2 kB.
    Post,
}

/// A call that is yet to be written.
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) bot: u64,
    pub(super) channel: u64,
    /// Whose turn it uses; else the channel's.
    pub(super) guild: Option<u64>,
    pub(super) deadline_ms: u64,
}

impl Call {
    /// As our services send it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { kind, bot, channel, guild, deadline_ms } = self;
        let (method, body) = match kind {
            Kind::Get => ("GET", String::new()),
            Kind::Post => ("POST", format!(r#"{{"content":"{}"}}"#, "x".repeat(BODY - 14))),
        };
        let guild = guild.map_or(String::new(), |guild| format!("x-guild-id: {guild}\r\n"));
        let content = match kind {
            Kind::Get => String::new(),
            Kind::Post => format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
        };
        // Ids and tokens are as long as Discord's.
        let head = format!(
            "{method} /api/v10/channels/{}/messages HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\
             authorization: Bot {bot:0>72}\r\nuser-agent: DiscordBot (https://example.com, 1.0)\r\n\
             x-deadline-ms: {deadline_ms}\r\nx-priority: interactive\r\n{guild}{content}\r\n",
            1_200_000_000_000_000_000 + channel
        );
        (head + &body).into_bytes()
    }
}

/// A call to each channel of a load, by many bots.
pub(super) fn to_each_channel(kind: Kind) -> Vec<Vec<u8>> {
    let call = |channel| Call { kind, bot: channel % BOTS, channel, guild: None, deadline_ms: 15_000 };
    (0..CHANNELS).map(|channel| call(channel).bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message;

    #[test]
    fn a_call_has_a_body_of_its_length() {
        for (kind, body) in [(Kind::Get, 0), (Kind::Post, BODY)] {
            let call = Call { kind, bot: 1, channel: 2, guild: Some(3), deadline_ms: 4 }.bytes();
            let head = call.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            assert_eq!((message(&call).unwrap().unwrap().length, call.len() - head), (call.len(), body));
        }
    }
}
