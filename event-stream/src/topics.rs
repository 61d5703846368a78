//! The topics: what each carries, who writes it, who reads it.
//!
//! | topic | payload | key | written by | read by |
//! |---|---|---|---|---|
//! | [`GatewayEvents`] | [`GatewayEvent`] | guild, else bot | sharder | worker, cache-sync-service |
//! | [`LateInteractions`] | [`LateInteraction`] | guild, else bot | http-gateway, worker | worker |
//! | [`CacheChanges`] | [`CacheChange`] | guild, else bot | cache-sync-service | each process of cache |
//!
//! What consumer groups read has a second topic `<name>-dead` for what its readers could not handle.

use std::time::Duration;

use model::{
    TraceParent,
    topics::{CacheChange, GatewayEvent, LateInteraction},
    trace,
};
use time::OffsetDateTime;

use crate::{
    config::KafkaConfig,
    envelope::{HeaderWriter, Headers, Key, Message, Undecodable},
    kind::{Kind, Priority},
};

/// A topic, as a type: its name, its payload, and how the payload is written.
pub trait Topic: Send + Sync + 'static {
    /// What the topic carries, in one word: label of metrics and last part of the consumer group's name.
    const LABEL: &'static str;
    /// Number of the rules by which a record is written; raised when an old reader could not read a new record.
    const SCHEMA: u32 = 1;
    /// How long records are kept; the brokers' own setting where `None`.
    const RETENTION: Option<Duration> = None;
    /// What becomes of its records that nobody could handle.
    const DEAD_LETTERS: DeadLetters = DeadLetters::Kept;

    /// What a record means.
    type Payload: Clone + Send + Sync + 'static;

    /// The topic's name.
    fn name(config: &KafkaConfig) -> &str;

    /// What keeps records in order among themselves.
    fn key(payload: &Self::Payload) -> Key;

    /// Writes the headers; the schema's is there already.
    fn headers(payload: &Self::Payload, headers: &mut HeaderWriter);

    /// The value.
    fn body(payload: &Self::Payload) -> &[u8];

    /// What a record with these headers is about, and how urgent it is; asked before the record is decoded.
    fn kind(headers: &Headers) -> Kind {
        let _ = headers;
        Kind { name: Self::LABEL, priority: Priority::Normal }
    }

    /// Reads a record; its schema is checked already.
    ///
    /// # Errors
    ///
    /// When the record is not what [`Topic::headers`] and [`Topic::body`] write.
    fn decode(message: &Message) -> Result<Self::Payload, Undecodable>;
}

/// What becomes of records that nobody could handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    /// They are kept until somebody deletes them.
    Kept,
    /// They are kept by the brokers' own setting.
    Passing,
    /// There are none: no consumer group reads the topic, and whoever follows it reads the truth anew.
    ///
    /// ```compile_fail,E0080
    /// # use event_stream::{CacheChanges, KafkaConfig, dead_letters_of};
    /// dead_letters_of::<CacheChanges>(&KafkaConfig::at("127.0.0.1:9092"));
    /// ```
    Never,
}

/// Fails to compile for a topic without dead letters.
pub(crate) const fn assert_dead_letters<T: Topic>() {
    const { assert!(!matches!(T::DEAD_LETTERS, DeadLetters::Never), "this topic has no dead letters") }
}

/// How a topic is made.
pub(crate) struct Making<'a> {
    pub(crate) name: &'a str,
    pub(crate) retention: Option<Duration>,
    pub(crate) dead_letters: DeadLetters,
}

/// Every topic, for making them.
pub(crate) fn all(config: &KafkaConfig) -> [Making<'_>; 3] {
    [making::<GatewayEvents>(config), making::<LateInteractions>(config), making::<CacheChanges>(config)]
}

fn making<T: Topic>(config: &KafkaConfig) -> Making<'_> {
    Making { name: T::name(config), retention: T::RETENTION, dead_letters: T::DEAD_LETTERS }
}

/// Reads a record of topic `T`.
pub(crate) fn decode<T: Topic>(message: &Message) -> Result<T::Payload, Undecodable> {
    message.headers.expect_schema(T::SCHEMA)?;
    T::decode(message)
}

const BOT: &str = "bot";
const SHARD: &str = "shard";
const SESSION: &str = "session";
const SEQUENCE: &str = "sequence";
const TYPE: &str = "type";
const GUILD: &str = "guild";
const VERSION: &str = "version";
const INTERACTION: &str = "interaction";
/// Nanoseconds since 1970.
const RECEIVED_AT: &str = "received-at-ns";

/// What the gateway dispatched: the whole frame, with where it came from in the headers.
#[derive(Debug)]
pub struct GatewayEvents;

impl Topic for GatewayEvents {
    const LABEL: &'static str = "events";
    type Payload = GatewayEvent;

    fn name(config: &KafkaConfig) -> &str {
        &config.events_topic
    }

    fn key(event: &GatewayEvent) -> Key {
        Key::guild_or_bot(event.guild, event.bot)
    }

    fn headers(event: &GatewayEvent, headers: &mut HeaderWriter) {
        headers.number(BOT, event.bot);
        headers.number(SHARD, event.shard);
        headers.text(SESSION, &event.session);
        headers.number(SEQUENCE, event.sequence);
        headers.text(TYPE, &event.kind);
        if let Some(guild) = event.guild {
            headers.number(GUILD, guild);
        }
        headers.number(RECEIVED_AT, event.received_at.unix_timestamp_nanos());
        write_trace(event.trace, headers);
    }

    fn body(event: &GatewayEvent) -> &[u8] {
        &event.payload
    }

    fn kind(headers: &Headers) -> Kind {
        headers.text(TYPE).map_or(Kind::OTHER, Kind::of_event)
    }

    fn decode(message: &Message) -> Result<GatewayEvent, Undecodable> {
        let headers = &message.headers;
        Ok(GatewayEvent {
            bot: headers.parse(BOT)?,
            shard: headers.parse(SHARD)?,
            session: headers.text(SESSION)?.to_owned(),
            sequence: headers.parse(SEQUENCE)?,
            kind: headers.text(TYPE)?.to_owned(),
            guild: headers.parse_optional(GUILD)?,
            received_at: received_at(headers)?,
            trace: read_trace(headers),
            payload: message.body()?.clone(),
        })
    }
}

/// Clicks that were answered by "deferred" and wait for a worker.
///
/// The value carries the interaction's own token, which lives for 15 minutes: a record is useless after that, and gone
/// soon after.
#[derive(Debug)]
pub struct LateInteractions;

impl Topic for LateInteractions {
    const LABEL: &'static str = "interactions";
    const RETENTION: Option<Duration> = Some(Duration::from_secs(15 * 60));
    // Nobody can answer an old click.
    const DEAD_LETTERS: DeadLetters = DeadLetters::Passing;
    type Payload = LateInteraction;

    fn name(config: &KafkaConfig) -> &str {
        &config.interactions_topic
    }

    fn key(late: &LateInteraction) -> Key {
        Key::guild_or_bot(late.guild, late.bot)
    }

    fn headers(late: &LateInteraction, headers: &mut HeaderWriter) {
        headers.number(BOT, late.bot);
        headers.number(INTERACTION, late.interaction);
        if let Some(guild) = late.guild {
            headers.number(GUILD, guild);
        }
        headers.number(RECEIVED_AT, late.received_at.unix_timestamp_nanos());
        write_trace(late.trace, headers);
    }

    fn body(late: &LateInteraction) -> &[u8] {
        &late.payload
    }

    fn kind(_: &Headers) -> Kind {
        Kind::LATE_INTERACTION
    }

    fn decode(message: &Message) -> Result<LateInteraction, Undecodable> {
        let headers = &message.headers;
        Ok(LateInteraction {
            bot: headers.parse(BOT)?,
            interaction: headers.parse(INTERACTION)?,
            guild: headers.parse_optional(GUILD)?,
            received_at: received_at(headers)?,
            trace: read_trace(headers),
            payload: message.body()?.clone(),
        })
    }
}

/// What changed in the cache.
///
/// Every process that holds a cache reads all of it, see [`Follower`](crate::Follower). The truth is in Postgres: who was
/// away for longer than records are kept reads it anew.
#[derive(Debug)]
pub struct CacheChanges;

impl Topic for CacheChanges {
    const LABEL: &'static str = "changes";
    const RETENTION: Option<Duration> = Some(Duration::from_hours(6));
    const DEAD_LETTERS: DeadLetters = DeadLetters::Never;
    type Payload = CacheChange;

    fn name(config: &KafkaConfig) -> &str {
        &config.cache_topic
    }

    fn key(change: &CacheChange) -> Key {
        Key::guild_or_bot(change.guild, change.bot)
    }

    fn headers(change: &CacheChange, headers: &mut HeaderWriter) {
        headers.number(BOT, change.bot);
        if let Some(guild) = change.guild {
            headers.number(GUILD, guild);
        }
        headers.number(VERSION, change.version);
    }

    fn body(change: &CacheChange) -> &[u8] {
        &change.payload
    }

    fn decode(message: &Message) -> Result<CacheChange, Undecodable> {
        let headers = &message.headers;
        Ok(CacheChange {
            bot: headers.parse(BOT)?,
            guild: headers.parse_optional(GUILD)?,
            version: headers.parse(VERSION)?,
            payload: message.body()?.clone(),
        })
    }
}

fn received_at(headers: &Headers) -> Result<OffsetDateTime, Undecodable> {
    let nanos = headers.parse::<i128>(RECEIVED_AT)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| Undecodable::Malformed(RECEIVED_AT))
}

fn write_trace(trace: Option<TraceParent>, headers: &mut HeaderWriter) {
    if let Some(trace) = trace {
        headers.text(trace::HEADER, trace.encode(&mut [0; trace::LENGTH]));
    }
}

/// A trace only helps who reads logs: without it, or with one that is malformed, the record is as good.
pub(crate) fn read_trace(headers: &Headers) -> Option<TraceParent> {
    TraceParent::parse(headers.text(trace::HEADER).ok()?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use twilight_model::id::Id;

    use super::*;

    /// The record that a payload becomes, without a broker between.
    fn on_the_wire<T: Topic>(payload: &T::Payload) -> Message {
        let mut headers = HeaderWriter::new(T::SCHEMA);
        T::headers(payload, &mut headers);
        Message {
            topic: T::LABEL.into(),
            partition: 0,
            offset: 0,
            key: Some(Bytes::copy_from_slice(T::key(payload).as_bytes())),
            headers: Headers::from(&headers.finish()),
            payload: Some(Bytes::copy_from_slice(T::body(payload))),
        }
    }

    fn at() -> impl Strategy<Value = OffsetDateTime> {
        (0_i64..4_000_000_000, 0_i64..1_000_000_000).prop_map(|(seconds, nanos)| {
            OffsetDateTime::from_unix_timestamp(seconds).unwrap() + time::Duration::nanoseconds(nanos)
        })
    }

    fn trace() -> impl Strategy<Value = Option<TraceParent>> {
        proptest::option::of(
            (any::<String>(), any::<u64>()).prop_map(|(source, number)| TraceParent::derived(&source, number)),
        )
    }

    proptest! {
        #[test]
        fn a_gateway_event_comes_back_whole(
            bot in 1..u64::MAX, shard: u32, session: String, sequence: u64, kind in "[A-Z_]{1,40}",
            guild in proptest::option::of(1..u64::MAX), received_at in at(), trace in trace(), payload: Vec<u8>,
        ) {
            let event = GatewayEvent {
                bot: Id::new(bot), shard, session, sequence, kind, guild: guild.map(Id::new), received_at,
                trace, payload: Bytes::from(payload),
            };
            let message = on_the_wire::<GatewayEvents>(&event);
            let key = guild.unwrap_or(bot).to_string();
            prop_assert_eq!(message.key.as_deref(), Some(key.as_bytes()));
            prop_assert_eq!(decode::<GatewayEvents>(&message), Ok(event));
        }

        #[test]
        fn a_late_interaction_comes_back_whole(
            bot in 1..u64::MAX, interaction in 1..u64::MAX, guild in proptest::option::of(1..u64::MAX),
            received_at in at(), trace in trace(), payload: Vec<u8>,
        ) {
            let late = LateInteraction {
                bot: Id::new(bot), interaction: Id::new(interaction), guild: guild.map(Id::new), received_at,
                trace, payload: Bytes::from(payload),
            };
            prop_assert_eq!(decode::<LateInteractions>(&on_the_wire::<LateInteractions>(&late)), Ok(late));
        }

        #[test]
        fn a_change_of_the_cache_comes_back_whole(
            bot in 1..u64::MAX, guild in proptest::option::of(1..u64::MAX), version: u64, payload: Vec<u8>,
        ) {
            let change =
                CacheChange { bot: Id::new(bot), guild: guild.map(Id::new), version, payload: Bytes::from(payload) };
            let message = on_the_wire::<CacheChanges>(&change);
            let key = guild.unwrap_or(bot).to_string();
            prop_assert_eq!(message.key.as_deref(), Some(key.as_bytes()));
            prop_assert_eq!(decode::<CacheChanges>(&message), Ok(change));
        }

        #[test]
        fn any_headers_decode_or_are_refused_but_never_panic(
            values in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..24)), 9),
            payload: Option<Vec<u8>>,
        ) {
            let names = ["schema", BOT, SHARD, SESSION, SEQUENCE, TYPE, GUILD, RECEIVED_AT, VERSION];
            let pairs: Vec<(&str, &[u8])> =
                names.into_iter().zip(&values).filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            let message = Message {
                topic: "t".into(), partition: 0, offset: 0, key: None,
                headers: Headers::from_pairs(pairs), payload: payload.map(Bytes::from),
            };
            let _ = decode::<GatewayEvents>(&message);
            let _ = decode::<CacheChanges>(&message);
        }
    }

    #[test]
    fn a_record_with_a_malformed_trace_or_none_is_read_without_one() {
        let late = LateInteraction {
            bot: Id::new(1),
            interaction: Id::new(2),
            guild: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            trace: Some(TraceParent::derived("interaction", 2)),
            payload: Bytes::from_static(b"{}"),
        };
        let whole = on_the_wire::<LateInteractions>(&late);
        let without = LateInteraction { trace: None, ..late };
        for malformed in [None, Some(&b"00-abc"[..]), Some(b"\xff")] {
            let kept = HeaderWriter::copy_of(&whole.headers, |name| name != trace::HEADER);
            let kept = Headers::from(&kept.finish());
            let pairs = kept.iter().filter_map(|(name, value)| Some((name, value?)));
            let headers = Headers::from_pairs(pairs.chain(malformed.map(|value| (trace::HEADER, value))));
            let message = Message { headers, ..whole.clone() };
            assert_eq!(decode::<LateInteractions>(&message), Ok(without.clone()));
        }
    }

    #[test]
    fn a_record_of_another_topic_is_undecodable() {
        let late = LateInteraction {
            bot: Id::new(1),
            interaction: Id::new(2),
            guild: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            trace: None,
            payload: Bytes::from_static(b"{}"),
        };
        let message = on_the_wire::<LateInteractions>(&late);
        assert_eq!(decode::<GatewayEvents>(&message), Err(Undecodable::Missing(SHARD)));
    }
}
