//! The producer as its users see it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use arc_swap::ArcSwap;
use prometheus::Registry;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedHeaders,
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};
use tokio::sync::{Notify, oneshot};

use super::{
    native::{Current, Metrics},
    receipts::{Receipts, Waiting},
};
use crate::{
    client,
    config::KafkaConfig,
    dead_letters,
    envelope::HeaderWriter,
    error::Error,
    topics::{self, Topic},
};

/// How long [`Producer::connect`] waits for the brokers before it fails and may be tried again.
const WARM: Duration = Duration::from_secs(10);
/// How often [`Producer::send`] looks whether the full queue has room again.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// What a producer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Somebody waits for each record: sent at once, given up after 10 s.
    Interactive,
    /// A stream: collected for 5 ms and compressed, tried until Kafka has it.
    ///
    /// A record that the brokers refuse for good takes everything under way along: the producer dies.
    Bulk,
}

impl Profile {
    pub(super) fn label(self) -> &'static str {
        match self {
            Profile::Interactive => "interactive",
            Profile::Bulk => "bulk",
        }
    }

    pub(super) fn gives_up_after(self) -> Option<Duration> {
        match self {
            Profile::Interactive => Some(Duration::from_secs(10)),
            Profile::Bulk => None,
        }
    }
}

/// Where Kafka put a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    /// The partition.
    pub partition: i32,
    /// The record's place in it.
    pub offset: i64,
}

/// One life of a producer: it ends with a fatal error, and another one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life(u64);

/// A handle on an idempotent producer: `acks=all`, each result collected, order kept per key.
///
/// One per [`Profile`] and process; clones share it. A producer that died of a fatal error, for example because a broker
/// lost its data, is replaced at once, and every record that was under way fails. A caller that sends on before
/// it has seen those failures, and wants its order kept, names the [`Life`] that it sends in.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Shared>,
    // Where the topics' names are; tests write to topics of their own through one producer.
    names: Arc<KafkaConfig>,
}

struct Shared {
    config: KafkaConfig,
    client_id: String,
    profile: Profile,
    current: ArcSwap<Current>,
    metrics: Arc<Metrics>,
    // Told when a producer may have died, and at the end.
    dead: Arc<Notify>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.dead.notify_one();
    }
}

/// Replaces each producer that died: dropping it fails what it still holds, which librdkafka else keeps without an answer.
async fn replace_the_dead(shared: Weak<Shared>, names: Arc<KafkaConfig>, dead: Arc<Notify>) {
    loop {
        dead.notified().await;
        let Some(shared) = shared.upgrade() else { return };
        let current = shared.current.load_full();
        if current.native.as_ref().is_some_and(|native| native.client().fatal_error().is_some()) {
            Producer { shared, names: Arc::clone(&names) }.replace(current);
        }
    }
}

impl Producer {
    /// Makes a producer and waits until its first record would go out without delay.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or no broker answers within 10 s.
    pub async fn connect(config: &KafkaConfig, client_id: &str, profile: Profile) -> Result<Producer, Error> {
        let metrics = Arc::new(Metrics::new(profile));
        let dead = Arc::new(Notify::new());
        let (current, warm) = Current::new(config, client_id, profile, &metrics, &dead, 0)?;
        let shared = Shared {
            config: config.clone(),
            client_id: client_id.to_owned(),
            profile,
            current: ArcSwap::from_pointee(current),
            metrics,
            dead: Arc::clone(&dead),
        };
        let not_warm = |_| Error::NotWarm { brokers: config.brokers.clone() };
        tokio::time::timeout(WARM, warm.notified()).await.map_err(not_warm)?;
        let (shared, names) = (Arc::new(shared), Arc::new(config.clone()));
        tokio::spawn(replace_the_dead(Arc::downgrade(&shared), Arc::clone(&names), dead));
        Ok(Producer { shared, names })
    }

    /// The name of topic `T`.
    pub(super) fn name_of<T: Topic>(&self) -> &str {
        T::name(&self.names)
    }

    /// The librdkafka producer of the moment.
    pub(super) fn current(&self) -> Arc<Current> {
        self.shared.current.load_full()
    }

    /// The same producer, for the topics that `names` has on the same cluster.
    pub(crate) fn for_topics_of(&self, names: &KafkaConfig) -> Producer {
        Producer { shared: Arc::clone(&self.shared), names: Arc::new(names.clone()) }
    }

    /// Shows the producer's counters, `produced_total{result}` and `producer_replaced_total`, in `registry`.
    ///
    /// # Errors
    ///
    /// When the registry has a producer of the same profile already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.shared.metrics.produced.clone()))?;
        registry.register(Box::new(self.shared.metrics.replaced.clone()))
    }

    /// Writes a record and waits until every replica in sync has it, waiting for room in the queue where it is full.
    ///
    /// A caller that stops waiting does not take the record back.
    ///
    /// # Errors
    ///
    /// When the record is too large or was not acknowledged within the profile's time; then it may still have been written.
    pub async fn send<T: Topic>(&self, payload: &T::Payload) -> Result<Acked, Error> {
        let deadline = self.shared.profile.gives_up_after().map(|time| tokio::time::Instant::now() + time);
        loop {
            match self.enqueue::<T>(payload) {
                Ok(delivery) => return delivery.await,
                Err(Error::QueueFull) if deadline.is_none_or(|deadline| tokio::time::Instant::now() < deadline) => {
                    tokio::time::sleep(FULL_QUEUE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands a record over without waiting; the [`Delivery`] resolves when Kafka has it.
    ///
    /// Records of one key arrive in the order in which they were handed over.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] when the producer holds as much as it may; [`Error::TooLarge`].
    pub fn enqueue<T: Topic>(&self, payload: &T::Payload) -> Result<Delivery, Error> {
        let (one, delivery) = oneshot::channel();
        self.enqueue_payload::<T>(None, payload, Waiting::One(one))?;
        Ok(Delivery(delivery))
    }

    /// Hands a record over without waiting, in this life of the producer only; the result comes in `receipts` under
    /// `number`.
    ///
    /// What was under way when a producer died has failed, but its caller may not know yet; what it sends now would come
    /// before what it is to send again.
    ///
    /// # Errors
    ///
    /// [`Error::Replaced`] when that life is over, and as [`Producer::enqueue`]. Then no receipt comes.
    pub fn enqueue_in<T: Topic>(
        &self,
        life: Life,
        payload: &T::Payload,
        receipts: &Receipts,
        number: u64,
    ) -> Result<(), Error> {
        self.enqueue_payload::<T>(Some(life), payload, Waiting::Listed { receipts: receipts.clone(), number })
    }

    /// The life that the producer is in; where it died, the next one begins.
    pub fn life(&self) -> Life {
        Life(self.alive().life)
    }

    fn enqueue_payload<T: Topic>(
        &self,
        life: Option<Life>,
        payload: &T::Payload,
        waiting: Waiting,
    ) -> Result<(), Error> {
        let mut headers = HeaderWriter::new(T::SCHEMA);
        T::headers(payload, &mut headers);
        let key = T::key(payload);
        let record = Record {
            topic: T::name(&self.names),
            partition: None,
            key: Some(key.as_bytes()),
            headers: headers.finish(),
            payload: Some(T::body(payload)),
        };
        self.hand_over(life, record, waiting)
    }

    /// Writes among the dead letters that a record could not be written: key and headers, without the value.
    ///
    /// # Errors
    ///
    /// As [`Producer::enqueue`].
    pub fn enqueue_refused<T: Topic>(&self, payload: &T::Payload, error: &Error) -> Result<Delivery, Error> {
        let (one, delivery) = oneshot::channel();
        self.hand_over_refused::<T>(payload, error, Waiting::One(one))?;
        Ok(Delivery(delivery))
    }

    /// As [`Producer::enqueue_refused`]; the result comes in `receipts` under `number`.
    ///
    /// # Errors
    ///
    /// As [`Producer::enqueue`]. Then no receipt comes.
    pub fn enqueue_refused_in<T: Topic>(
        &self,
        payload: &T::Payload,
        error: &Error,
        receipts: &Receipts,
        number: u64,
    ) -> Result<(), Error> {
        self.hand_over_refused::<T>(payload, error, Waiting::Listed { receipts: receipts.clone(), number })
    }

    fn hand_over_refused<T: Topic>(&self, payload: &T::Payload, error: &Error, waiting: Waiting) -> Result<(), Error> {
        topics::assert_dead_letters::<T>();
        let mut headers = HeaderWriter::new(T::SCHEMA);
        T::headers(payload, &mut headers);
        let (topic, key) = (T::name(&self.names), T::key(payload));
        dead_letters::mark_refused(&mut headers, topic, &self.shared.client_id, error);
        let record = Record {
            topic: &dead_letters::topic(topic),
            partition: None,
            key: Some(key.as_bytes()),
            headers: headers.finish(),
            payload: None,
        };
        self.hand_over(None, record, waiting)
    }

    /// How many records wait for their result.
    pub fn in_flight(&self) -> usize {
        let current = self.shared.current.load();
        let count = current.native.as_ref().map_or(0, ThreadedProducer::in_flight_count);
        usize::try_from(count).unwrap_or(0)
    }

    /// Waits until each record handed over so far has its result, or `patience` is over.
    ///
    /// Returns how many still wait.
    pub async fn flush(&self, patience: Duration) -> usize {
        let done = async {
            while self.in_flight() > 0 {
                tokio::time::sleep(FULL_QUEUE_PAUSE).await;
            }
        };
        match tokio::time::timeout(patience, done).await {
            Ok(()) => 0,
            Err(_) => self.in_flight(),
        }
    }

    pub(crate) fn enqueue_record(&self, life: Option<Life>, record: Record<'_>) -> Result<Delivery, Error> {
        let (one, delivery) = oneshot::channel();
        self.hand_over(life, record, Waiting::One(one))?;
        Ok(Delivery(delivery))
    }

    fn hand_over(&self, life: Option<Life>, record: Record<'_>, waiting: Waiting) -> Result<(), Error> {
        let bytes = record.payload.map_or(0, <[u8]>::len);
        if bytes > client::LARGEST_PAYLOAD {
            return Err(Error::TooLarge { topic: record.topic.to_owned(), bytes, limit: client::LARGEST_PAYLOAD });
        }
        let current = self.alive();
        if life.is_some_and(|life| life != Life(current.life)) {
            return Err(Error::Replaced);
        }
        let Some(native) = &current.native else { return Err(Error::Ended) };
        let native_record = BaseRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.payload,
            key: record.key,
            timestamp: None,
            headers: Some(record.headers),
            delivery_opaque: Box::new(waiting),
        };
        let sent = match native.send(native_record) {
            // The first to hear that the producer died, before the callbacks that say so were called.
            Err((error, native_record)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) => {
                let successor = self.replace(Arc::clone(&current));
                if life.is_some() && successor.life != current.life {
                    return Err(Error::Replaced);
                }
                match &successor.native {
                    Some(native) => native.send(native_record),
                    None => Err((error, native_record)),
                }
            }
            sent => sent,
        };
        match sent {
            Ok(()) => Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Err(Error::QueueFull),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                Err(Error::TooLarge { topic: record.topic.to_owned(), bytes, limit: client::LARGEST_RECORD })
            }
            Err((source, _)) => {
                self.shared.metrics.failed.inc();
                Err(Error::NotDelivered { topic: record.topic.to_owned(), source })
            }
        }
    }

    /// The producer of the moment; a new one in place of one that died.
    fn alive(&self) -> Arc<Current> {
        let current = self.shared.current.load_full();
        match &current.native {
            Some(native) if native.context().died.load(Ordering::Relaxed) => self.replace(current),
            _ => current,
        }
    }

    fn replace(&self, dead: Arc<Current>) -> Arc<Current> {
        let shared = &self.shared;
        let reason = dead.native.as_ref().and_then(|native| native.client().fatal_error());
        let life = dead.life + 1;
        let Shared { config, client_id, profile, metrics, dead: told, .. } = shared.as_ref();
        let (new, _) = match Current::new(config, client_id, *profile, metrics, told, life) {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(%error, "could not replace a kafka producer that died");
                return dead;
            }
        };
        let new = Arc::new(new);
        let before = shared.current.compare_and_swap(&dead, Arc::clone(&new));
        if !Arc::ptr_eq(&before, &dead) {
            // Another caller was faster; its producer is the one to use.
            return shared.current.load_full();
        }
        shared.metrics.replaced.inc();
        tracing::error!(?reason, "a kafka producer died of a fatal error; the next one takes over");
        new
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("client_id", &self.shared.client_id)
            .field("profile", &self.shared.profile)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// A record as librdkafka takes it.
pub(crate) struct Record<'a> {
    pub(crate) topic: &'a str,
    /// By the key where `None`.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
    pub(crate) payload: Option<&'a [u8]>,
}

/// The result of one record, to come.
///
/// Dropping it does not take the record back, and its failure is still counted.
#[derive(Debug)]
#[must_use = "a record that is not acknowledged may be lost"]
pub struct Delivery(oneshot::Receiver<Result<Acked, Error>>);

impl Future for Delivery {
    type Output = Result<Acked, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(result.unwrap_or(Err(Error::Ended)))
    }
}

#[cfg(test)]
mod tests {
    use model::topics::{GatewayEvent, LateInteraction};
    use rdkafka::{
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };
    use time::OffsetDateTime;
    use twilight_model::id::Id;

    use super::*;
    use crate::{GatewayEvents, LateInteractions, Receipt, testing};

    fn late(interaction: u64) -> LateInteraction {
        LateInteraction {
            bot: Id::new(1),
            interaction: Id::new(interaction),
            guild: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            trace: None,
            payload: "{}".into(),
        }
    }

    #[tokio::test]
    async fn a_producer_that_died_of_a_fatal_error_is_replaced_by_the_next_record() {
        let cluster = MockCluster::new(1).unwrap();
        let config = KafkaConfig::at(cluster.bootstrap_servers());
        cluster.create_topic(&config.interactions_topic, 1, 1).unwrap();
        let producer = Producer::connect(&config, "test", Profile::Interactive).await.unwrap();
        producer.send::<LateInteractions>(&late(1)).await.unwrap();

        // The broker and the producer disagree about what was written last.
        let desynchronised = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        cluster.request_errors(RDKafkaApiKey::Produce, &[desynchronised]);
        let error = producer.send::<LateInteractions>(&late(2)).await.unwrap_err();
        assert!(matches!(error, Error::NotDelivered { .. }), "{error:?}");

        producer.send::<LateInteractions>(&late(3)).await.unwrap();
        assert_eq!(producer.shared.metrics.replaced.get(), 1);
        assert_eq!((producer.shared.metrics.acked.get(), producer.shared.metrics.failed.get()), (2, 1));
        let read = testing::read_all::<LateInteractions>(&config, &config.interactions_topic).await.unwrap();
        let ids: Vec<_> = read.iter().map(|(late, _)| late.interaction.get()).collect();
        assert_eq!(ids, [1, 3]);
    }

    #[tokio::test]
    async fn a_refused_record_takes_what_is_behind_it_along_and_nothing_goes_out_before_the_next_life() {
        let config = testing::config();
        testing::make_with_limit(&config, &config.events_topic, 300_000).await.unwrap();
        let producer = Producer::connect(&config, "test", Profile::Bulk).await.unwrap();
        let life = producer.life();
        // Many requests; what is large and does not compress is refused, in the midst of them.
        let large: Vec<u8> = (0..40_000).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
        let receipts = Receipts::default();
        let send = |n| {
            let payload = if n == 40 { large.clone() } else { vec![b' '; 100_000] };
            let event = GatewayEvent { payload: payload.into(), ..testing::event(1, n) };
            producer.enqueue_in::<GatewayEvents>(life, &event, &receipts, n)
        };
        // It may die before the last one is handed over.
        let sent = (1..=120).take_while(|n| send(*n).is_ok()).count();
        // What waited in the queue fails before what was on the wire.
        let mut answers = answered(&receipts, sent).await;
        answers.sort_by_key(|answer| answer.number);
        let numbers: Vec<_> = answers.iter().map(|answer| answer.number).collect();
        assert_eq!(numbers, (1..=sent as u64).collect::<Vec<_>>());
        let refused = answers.iter().position(|answer| answer.failure.is_some()).unwrap();
        let first = answers[refused].failure.as_deref();
        assert!(matches!(first, Some(Error::RefusedForSize { .. })), "{first:?}");
        assert!(answers[refused..].iter().all(|answer| answer.failure.is_some()), "{:?}", &answers[refused..]);

        let early = producer.enqueue_in::<GatewayEvents>(life, &testing::event(1, 121), &receipts, 121);
        assert!(matches!(early, Err(Error::Replaced)), "{early:?}");
        let next = producer.life();
        assert_ne!(life, next);
        producer.enqueue_in::<GatewayEvents>(next, &testing::event(1, 121), &receipts, 122).unwrap();
        let answers = answered(&receipts, 1).await;
        assert!(answers[0].number == 122 && answers[0].failure.is_none(), "{answers:?}");
        assert_eq!(producer.shared.metrics.replaced.get(), 1);
    }

    /// So many results, in the order of their coming.
    async fn answered(receipts: &Receipts, count: usize) -> Vec<Receipt> {
        let (mut all, mut list) = (Vec::new(), Vec::new());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while all.len() < count && tokio::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
            receipts.take(&mut list);
            all.append(&mut list);
        }
        all
    }

    #[tokio::test]
    async fn a_delivery_that_nobody_waits_for_is_counted() {
        let cluster = MockCluster::new(1).unwrap();
        let config = KafkaConfig::at(cluster.bootstrap_servers());
        cluster.create_topic(&config.interactions_topic, 1, 1).unwrap();
        let producer = Producer::connect(&config, "test", Profile::Bulk).await.unwrap();
        let registry = Registry::new();
        producer.register(&registry).unwrap();
        for interaction in 1..=5 {
            drop(producer.enqueue::<LateInteractions>(&late(interaction)).unwrap());
        }
        assert_eq!(producer.flush(Duration::from_secs(10)).await, 0);
        assert_eq!(producer.shared.metrics.acked.get(), 5);
        let shown = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(shown.contains("produced_total{producer=\"bulk\",result=\"acked\"} 5"), "{shown}");
    }
}
