//! How far a consumer is behind.

use std::{
    collections::HashMap,
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use time::OffsetDateTime;

use super::context::{Context, Owned};

/// How long the brokers' answer is waited for. A broker works off one connection's requests in order, and so answers only
/// after a fetch that waits for records, which takes up to 500 ms (`fetch.wait.max.ms`).
const ANSWER: Duration = Duration::from_secs(2);

/// Looks every `Bounds::lag_every` until `stop` is dropped: asks the brokers where the partitions end, one request for
/// those of a broker, and holds against it what is finished. Neither needs the partition to be fetched from, so a paused
/// or stuck one is seen too.
///
/// On a thread of its own, because an answer takes long while records of other brokers may come. The end of the consumer
/// waits for one question at most.
pub(super) fn watch(owned: &Owned, consumer: &BaseConsumer<Context>, stop: &Receiver<()>) {
    loop {
        look(owned, consumer, stop);
        let every = owned.terms.load().bounds.lag_every;
        if stop.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn look(owned: &Owned, consumer: &BaseConsumer<Context>, stop: &Receiver<()>) {
    let all = owned.all();
    let ends = ask(owned, stop, |list| at(consumer, list, Offset::End), all.iter().map(|partition| partition.number));
    let new = all.iter().filter(|partition| partition.unfinished().is_none() && partition.behind.start.get().is_none());
    let starts = ask(owned, stop, |list| starts(consumer, list, stop), new.map(|partition| partition.number));
    let now_ms = now_ms();
    for partition in all {
        if let Some(start) = starts.get(&partition.number) {
            // The first answer stays.
            let _ = partition.behind.start.set(*start);
        }
        let end = ends.get(&partition.number).copied();
        if let Some(lag) = partition.behind.lag(partition.unfinished(), end, now_ms) {
            owned.show_lag(&partition, lag);
        }
    }
}

/// What is remembered of one assignment of a partition.
#[derive(Default)]
pub(super) struct Behind {
    /// Where it began, as the group has it.
    start: OnceLock<i64>,
    /// The first record that waits and was not taken yet, and when it was seen to wait.
    unseen: Mutex<Option<(i64, i64)>>,
}

/// How far one partition is behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lag {
    /// Records that are not finished; `None` where the brokers did not say where the partition ends.
    pub(super) messages: Option<i64>,
    /// Age of the oldest of them.
    pub(super) seconds: f64,
}

impl Behind {
    /// `unfinished`: the first record that is not finished and when it was written, as far as any was taken.
    fn lag(&self, unfinished: Option<(i64, Option<i64>)>, end: Option<i64>, now_ms: i64) -> Option<Lag> {
        let (first, written_ms) = unfinished.or_else(|| Some((*self.start.get()?, None)))?;
        let messages = end.map(|end| (end - first).max(0));
        let mut unseen = self.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        let since_ms = match (written_ms, messages) {
            (Some(written_ms), _) => Some(written_ms),
            (None, Some(0)) => None,
            // Nobody knows when it was written before it is taken; at least as old as this it is.
            (None, Some(_)) => Some(unseen.filter(|(offset, _)| *offset == first).map_or(now_ms, |(_, since)| since)),
            (None, None) => unseen.filter(|(offset, _)| *offset == first).map(|(_, since)| since),
        };
        *unseen = since_ms.filter(|_| written_ms.is_none()).map(|since| (first, since));
        // The clock of who wrote it may be ahead.
        let age_ms = since_ms.map_or(0, |since| (now_ms - since).max(0));
        Some(Lag { messages, seconds: Duration::from_millis(age_ms.unsigned_abs()).as_secs_f64() })
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Offsets of these partitions, without those that nobody tells.
fn ask(
    owned: &Owned,
    stop: &Receiver<()>,
    question: impl FnOnce(TopicPartitionList) -> Result<TopicPartitionList, KafkaError>,
    partitions: impl Iterator<Item = i32>,
) -> HashMap<i32, i64> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&owned.topic, partition);
    }
    if list.count() == 0 || owned.connection.is_in_doubt() || is_over(stop) {
        return HashMap::new();
    }
    match question(list) {
        Ok(list) => known(&list).collect(),
        Err(error) => {
            tracing::debug!(topic = &*owned.topic, %error, "the brokers do not tell where the partitions stand");
            HashMap::new()
        }
    }
}

/// Where partitions begin or end now. librdkafka's question "which offset at this time" takes both instead of a time.
fn at(
    consumer: &BaseConsumer<Context>,
    mut list: TopicPartitionList,
    place: Offset,
) -> Result<TopicPartitionList, KafkaError> {
    list.set_all_offsets(place)?;
    consumer.offsets_for_times(list, ANSWER)
}

/// Where the group goes on in partitions; in those that it never worked on, with the oldest record.
fn starts(
    consumer: &BaseConsumer<Context>,
    list: TopicPartitionList,
    stop: &Receiver<()>,
) -> Result<TopicPartitionList, KafkaError> {
    let oldest = at(consumer, list.clone(), Offset::Beginning)?;
    if is_over(stop) {
        return Err(KafkaError::Canceled);
    }
    let mut committed = consumer.committed_offsets(list, ANSWER)?;
    let of_group: HashMap<_, _> = known(&committed).collect();
    for element in oldest.elements() {
        if !of_group.contains_key(&element.partition()) && element.error().is_ok() {
            committed.set_partition_offset(element.topic(), element.partition(), element.offset())?;
        }
    }
    Ok(committed)
}

/// Whether nobody wants to know any more.
fn is_over(stop: &Receiver<()>) -> bool {
    stop.try_recv() == Err(TryRecvError::Disconnected)
}

fn known(list: &TopicPartitionList) -> impl Iterator<Item = (i32, i64)> {
    let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
    let elements = list.elements().into_iter().filter(|element| element.error().is_ok());
    elements
        .filter_map(move |element| Some((element.partition(), offset(element.offset())?)))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Instant,
    };

    use super::*;
    use crate::{client, config::KafkaConfig, consumer::metrics::Metrics};

    #[test]
    fn nobody_is_asked_after_the_stop_and_one_question_ends_it() {
        // Nobody listens there: each question takes its whole time.
        let config = KafkaConfig::at("127.0.0.1:1");
        let owned = Arc::new(Owned::new("events".into(), Metrics::new("events")));
        owned.begin(0..1);
        let mut settings = client::settings(&config, "test");
        let consumer: BaseConsumer<Context> =
            settings.set("group.id", "test").create_with_context(Context(Arc::clone(&owned))).unwrap();

        let (stop, stopped) = mpsc::channel();
        let began = Instant::now();
        let look = std::thread::spawn({
            let owned = Arc::clone(&owned);
            move || {
                watch(&owned, &consumer, &stopped);
                look(&owned, &consumer, &stopped);
            }
        });
        drop(stop);
        look.join().unwrap();
        assert!(began.elapsed() < ANSWER * 2, "{:?}", began.elapsed());
    }

    #[track_caller]
    fn check(
        behind: &Behind,
        unfinished: Option<(i64, Option<i64>)>,
        end: Option<i64>,
        now_ms: i64,
        expected: Option<(Option<i64>, f64)>,
    ) {
        let lag = behind.lag(unfinished, end, now_ms);
        assert_eq!(lag, expected.map(|(messages, seconds)| Lag { messages, seconds }));
    }

    #[test]
    fn the_oldest_record_that_is_not_finished_tells_the_age() {
        let behind = Behind::default();
        check(&behind, Some((10, Some(1_000))), Some(15), 3_500, Some((Some(5), 2.5)));
        // The brokers are away: what is in our hands is known still.
        check(&behind, Some((10, Some(1_000))), None, 4_500, Some((None, 3.5)));
        // A writer's clock that is ahead.
        check(&behind, Some((10, Some(9_000))), Some(15), 4_500, Some((Some(5), 0.0)));
        check(&behind, Some((15, None)), Some(15), 5_000, Some((Some(0), 0.0)));
    }

    #[test]
    fn a_record_that_was_not_taken_yet_ages_from_when_it_was_seen() {
        let behind = Behind::default();
        check(&behind, Some((10, None)), Some(12), 1_000, Some((Some(2), 0.0)));
        check(&behind, Some((10, None)), Some(14), 6_000, Some((Some(4), 5.0)));
        check(&behind, Some((10, None)), None, 11_000, Some((None, 10.0)));
        // Another one waits now.
        check(&behind, Some((12, None)), Some(14), 16_000, Some((Some(2), 0.0)));
        check(&behind, Some((14, None)), Some(14), 21_000, Some((Some(0), 0.0)));
    }

    #[test]
    fn a_partition_of_which_nothing_was_taken_is_behind_from_where_the_group_stands() {
        let behind = Behind::default();
        check(&behind, None, Some(12), 1_000, None);
        behind.start.set(5).unwrap();
        check(&behind, None, Some(12), 1_000, Some((Some(7), 0.0)));
        check(&behind, None, Some(5), 1_000, Some((Some(0), 0.0)));
    }
}
