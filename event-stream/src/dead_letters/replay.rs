//! Writes dead letters back to the topics that they came from.

use std::{ops::ControlFlow, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::mpsc;

use super::{
    id::LetterId,
    letter::{Class, DeadLetter, MARKS, origin, topic},
    look::{Buried, Selection, visit_dead_letters},
    replayed::mark,
};
use crate::{
    config::KafkaConfig,
    envelope::HeaderWriter,
    error::Error,
    producer::{Delivery, Producer, Record},
};

/// The letter that a record was replayed from, on the record.
const REPLAYED_FROM: &str = "replayed-from";

/// Records under way at most: as many may be written a second time when this process dies.
const IN_FLIGHT: usize = 256;
/// The same in bytes of their values; the last one may exceed it.
const BYTES_IN_FLIGHT: usize = 8 * 1024 * 1024;
/// Letters read ahead; each may have 16 MiB.
const AHEAD: usize = 4;
/// How often a full queue is looked at again.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// How letters are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaying {
    /// Nothing is written.
    pub dry_run: bool,
    /// Also those that were replayed already.
    pub again: bool,
}

/// What became of one letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its record is back in its topic, and it is marked. In a dry run: it would be.
    Replayed(LetterId),
    /// It stays as it is.
    Spared(LetterId, Spared),
}

/// Why a letter was not replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spared {
    /// It was replayed before.
    #[error("was replayed before")]
    Before,
    /// The record was never written, and is kept without its value.
    #[error("cannot be replayed: it was refused for its size, and is kept without its value")]
    Refused,
    /// So many bytes of the record are missing.
    #[error("cannot be replayed: {0} bytes of it were left out, because its dead letters' topic does not take as much")]
    Cut(u64),
    /// It does not say what it is.
    #[error("cannot be replayed: it is no dead letter, {0}")]
    NoLetter(String),
    /// It says that it came from another topic than the one whose dead letters these are.
    #[error("cannot be replayed: it names {0} as its origin, whose dead letters lie elsewhere")]
    Foreign(String),
}

impl Spared {
    /// Whether the letter can never be replayed.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        *self != Spared::Before
    }
}

/// Writes the letters of `dead_letters` that `selection` means back to their topic, in the order in which they died, and
/// tells of each. Those that die meanwhile are not among them.
///
/// A record comes back with its key, value and headers, less those of its death, and `replayed-from`. Each is marked as
/// soon as Kafka has it; where this process dies in between, the letter is replayed once more the next time: at least
/// once, never lost, and handlers are idempotent.
///
/// # Errors
///
/// When the brokers do not answer or do not take a record; what was told before that is done.
pub async fn replay(
    config: &KafkaConfig,
    producer: &Producer,
    dead_letters: &str,
    selection: &Selection,
    replaying: Replaying,
    mut tell: impl FnMut(Told),
) -> Result<(), Error> {
    let (letters, next) = mpsc::channel(AHEAD);
    let hand_over = |letters: &mut mpsc::Sender<Buried>, buried| match letters.blocking_send(buried) {
        Ok(()) => ControlFlow::Continue(()),
        // Nobody wants more.
        Err(_) => ControlFlow::Break(()),
    };
    // The channel ends with the reading.
    let reading = async { visit_dead_letters(config, dead_letters, selection, letters, hand_over).await.map(drop) };
    let (written, read) = tokio::join!(write(producer, next, replaying, &mut tell), reading);
    written.and(read)
}

/// Writes what is read. After a failure nothing more begins, and what is under way is still marked.
async fn write(
    producer: &Producer,
    mut next: mpsc::Receiver<Buried>,
    replaying: Replaying,
    tell: &mut impl FnMut(Told),
) -> Result<(), Error> {
    let mut under_way = FuturesUnordered::new();
    let mut bytes = 0;
    let mut outcome = Ok(());
    loop {
        let has_room = outcome.is_ok() && under_way.len() < IN_FLIGHT && bytes < BYTES_IN_FLIGHT;
        tokio::select! {
            biased;
            Some((size, done)) = under_way.next() => {
                bytes -= size;
                match done {
                    Ok(id) => tell(Told::Replayed(id)),
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
            Some(buried) = next.recv(), if has_room => {
                if let Some(spared) = spared(&buried, replaying) {
                    tell(Told::Spared(buried.id, spared));
                } else if replaying.dry_run {
                    tell(Told::Replayed(buried.id));
                } else {
                    // Handed over in the order of the letters: the records of one key stay in theirs.
                    match hand_over(producer, || record(&buried)).await {
                        Ok(delivery) => {
                            let size = buried.message.payload.as_ref().map_or(0, bytes::Bytes::len);
                            bytes += size;
                            under_way.push(async move { (size, conclude(producer, buried.id, delivery).await) });
                        }
                        Err(error) => outcome = Err(error),
                    }
                }
            }
            else => return outcome,
        }
    }
}

/// Why a letter is not to be replayed.
fn spared(buried: &Buried, replaying: Replaying) -> Option<Spared> {
    match &buried.letter {
        Err(error) => Some(Spared::NoLetter(error.to_string())),
        Ok(DeadLetter { class: Class::Refused, .. }) => Some(Spared::Refused),
        Ok(DeadLetter { left_out: Some(bytes), .. }) => Some(Spared::Cut(*bytes)),
        Ok(letter) if topic(&letter.topic) != buried.id.topic => Some(Spared::Foreign(letter.topic.clone())),
        Ok(_) => (buried.replayed && !replaying.again).then_some(Spared::Before),
    }
}

/// The record that died, as it was, and where it is replayed from.
fn record(buried: &Buried) -> Record<'_> {
    let message = &buried.message;
    let mut headers = HeaderWriter::copy_of(&message.headers, |name| !name.starts_with(MARKS) && name != REPLAYED_FROM);
    headers.text(REPLAYED_FROM, &buried.id.to_string());
    Record {
        topic: origin(&buried.id.topic),
        partition: None,
        key: message.key.as_deref(),
        headers: headers.finish(),
        payload: message.payload.as_deref(),
    }
}

/// Waits until Kafka has the record, and marks its letter.
async fn conclude(producer: &Producer, id: LetterId, delivery: Delivery) -> Result<LetterId, Error> {
    let acked = delivery.await?;
    let to = LetterId { topic: origin(&id.topic).to_owned(), partition: acked.partition, offset: acked.offset };
    let (key, to) = (id.to_string(), to.to_string());
    hand_over(producer, || mark(&id, &key, &to)).await?.await?;
    Ok(id)
}

async fn hand_over<'a>(producer: &Producer, record: impl Fn() -> Record<'a>) -> Result<Delivery, Error> {
    loop {
        match producer.enqueue_record(None, record()) {
            Err(Error::QueueFull) => tokio::time::sleep(FULL_QUEUE_PAUSE).await,
            handed_over => return handed_over,
        }
    }
}
