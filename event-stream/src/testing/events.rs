use model::topics::{CacheChange, GatewayEvent};
use time::OffsetDateTime;
use twilight_model::id::Id;

/// A message in a guild, received with this sequence.
///
/// # Panics
///
/// When `guild` is 0, which is no guild.
pub fn event(guild: u64, sequence: u64) -> GatewayEvent {
    GatewayEvent {
        bot: Id::new(1),
        shard: 0,
        session: "session".to_owned(),
        sequence,
        kind: "MESSAGE_CREATE".to_owned(),
        guild: Some(Id::new(guild)),
        received_at: OffsetDateTime::UNIX_EPOCH,
        trace: None,
        payload: format!(r#"{{"op":0,"s":{sequence},"t":"MESSAGE_CREATE","d":{{}}}}"#).into(),
    }
}

/// A change of a guild's cache, which it had so many of then.
///
/// # Panics
///
/// When `guild` is 0, which is no guild.
pub fn change(guild: u64, version: u64) -> CacheChange {
    let payload = format!("change {version}").into();
    CacheChange { bot: Id::new(1), guild: Some(Id::new(guild)), version, payload }
}
