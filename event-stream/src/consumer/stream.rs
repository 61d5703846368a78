//! The consumer as its users see it.

use std::{
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use common::service::Dependency;
use prometheus::Registry;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tokio::{
    runtime::Handle,
    sync::{RwLock, oneshot},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error_span};

use super::{
    attempts::{How, Outcome, Rules, attempt, panic_text},
    bounds::{Bounds, Retries},
    context::{Context, Owned, Terms},
    event_metrics::EventMetrics,
    failure::{Failure, Meta},
    gate::Permit,
    metrics::Metrics,
    partition::{Lane, Partition, Running},
    poll::Poll,
};
use crate::{
    client,
    config::KafkaConfig,
    dead_letters::{self, Class, Death, Extent},
    envelope::Message,
    error::Error,
    producer::Producer,
    topics::{self, Topic},
};

const ANSWER: Duration = Duration::from_secs(5);
/// Pause before a dead letter that was not acknowledged is sent again.
const BURY_AGAIN: Duration = Duration::from_secs(1);

/// Reads topic `T` as one member of a group.
///
/// Records of different keys are handled at once, those of one key one after the other in their order, also while one of
/// them is tried again. An offset is committed after the handler of its record, and of every record before it in the
/// partition, returned: what a crash interrupts comes again, so handlers are to be idempotent.
pub struct Consumer<T> {
    consumer: BaseConsumer<Context>,
    owned: Arc<Owned>,
    group: String,
    retries: Retries,
    bounds: Bounds,
    dead_letters: Producer,
    instance: Option<String>,
    topic: PhantomData<fn() -> T>,
}

impl<T: Topic> Consumer<T> {
    /// Makes a consumer of the group `<KAFKA_GROUP_ID, else client_id>.<label of the topic>`; it joins when it runs.
    ///
    /// A group that is new begins with the oldest record. Dead letters go through `dead_letters`, best an interactive
    /// producer: a bulk one dies of a letter that its topic does not take, and another takes its place.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, no broker answers within 5 s, or the topic does not exist.
    pub async fn connect(config: &KafkaConfig, client_id: &str, dead_letters: &Producer) -> Result<Consumer<T>, Error> {
        topics::assert_dead_letters::<T>();
        let topic: Arc<str> = T::name(config).into();
        let group = format!("{}.{}", config.group.as_deref().unwrap_or(client_id), T::LABEL);
        let owned = Arc::new(Owned::new(Arc::clone(&topic), Metrics::new(T::LABEL)));
        let make = |source| Error::Client { client: client_id.to_owned(), source };
        let mut settings = client::settings(config, client_id);
        if let Some(instance) = &config.instance {
            settings.set("group.instance.id", format!("{instance}.{}", T::LABEL));
        }
        let consumer: BaseConsumer<Context> = settings
            .set("group.id", &group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", config.session_timeout().as_millis().to_string())
            // Members learn of a rebalance by their heartbeat's answer.
            .set("heartbeat.interval.ms", "1000")
            // Bounds a commit that a frozen broker does not answer.
            .set("socket.timeout.ms", "15000")
            // What is fetched ahead is bounded by bytes, and fetched again soon: the default pause of 1 s halves a backlog's pace.
            .set("queued.max.messages.kbytes", "16384")
            .set("queued.min.messages", "10000")
            .set("fetch.queue.backoff.ms", "10")
            // A partition that goes on after a pause waits for the answer to a fetch of the others, which may have nothing.
            .set("fetch.wait.max.ms", "50")
            .set("fetch.error.backoff.ms", "100")
            .create_with_context(Context(Arc::clone(&owned)))
            .map_err(make)?;

        let unreachable = |source| Error::Unreachable { brokers: config.brokers.clone(), source };
        let name = Arc::clone(&topic);
        let asking = tokio::task::spawn_blocking(move || {
            let exists = consumer.fetch_metadata(Some(&name), ANSWER).map(|metadata| {
                metadata.topics().iter().any(|topic| topic.error().is_none() && !topic.partitions().is_empty())
            });
            (consumer, exists)
        });
        let (consumer, exists) = asking.await.map_err(|_| unreachable(KafkaError::Canceled))?;
        if !exists.map_err(unreachable)? {
            return Err(Error::NoTopic { topic: topic.to_string() });
        }
        Ok(Consumer {
            consumer,
            owned,
            group,
            retries: Retries::default(),
            bounds: Bounds::default(),
            dead_letters: dead_letters.clone(),
            instance: config.instance.clone(),
            topic: PhantomData,
        })
    }

    /// Sets how often a record is tried again.
    #[must_use]
    pub fn with_retries(self, retries: Retries) -> Consumer<T> {
        Consumer { retries, ..self }
    }

    /// Sets how much is taken at once, and how long work may finish.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Consumer<T> {
        Consumer { bounds, ..self }
    }

    /// Tells `dependency` when the brokers cease to answer, and when they answer again.
    #[must_use]
    pub fn with_health(self, dependency: Dependency) -> Consumer<T> {
        self.owned.connection.report_to(dependency);
        self
    }

    /// Counts events there, together with the other consumers of the process.
    #[must_use]
    pub fn with_event_metrics(self, metrics: EventMetrics) -> Consumer<T> {
        self.owned.count_in(metrics);
        self
    }

    /// Shows the metrics of the topic in `registry`.
    ///
    /// # Errors
    ///
    /// When the registry has a consumer of the same topic already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        self.owned.metrics.register(registry)
    }

    /// The name of the consumer group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Handles records until `stop` is cancelled, with at most `concurrency` calls of `handler` at once.
    ///
    /// Which key has the next free turn is decided by the most urgent record that waits in it ([`Topic::kind`]); what is
    /// less urgent never waits for ever.
    ///
    /// Then no further call begins, those that run may finish, their offsets are committed, and the consumer leaves the
    /// group. Dropping the future drops the calls that run.
    ///
    /// A handler that fails with [`Failure::retry`], or panics, is called again after a pause; when the attempts are used
    /// up, or with [`Failure::discard`], or when the record does not decode, the record becomes a dead letter. A call can
    /// also be dropped at an await, when its partition goes to another consumer and the grace is over.
    ///
    /// # Errors
    ///
    /// When the consumer cannot go on, for example because it may no longer read the topic, or because another process has
    /// the same `KAFKA_INSTANCE_ID`.
    pub async fn run<H, F>(self, stop: CancellationToken, concurrency: usize, handler: H) -> Result<(), Error>
    where
        H: Fn(T::Payload, Meta) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let topic = Arc::clone(&self.owned.topic);
        let no_thread = |reason: String| Error::Thread { topic: topic.to_string(), reason };
        let terms = Arc::new(Terms::new(self.bounds, concurrency, stop));
        let _abandon_when_dropped = terms.abandon.clone().drop_guard();
        self.owned.terms.store(Arc::clone(&terms));
        let event_metrics = self.owned.event_metrics().clone();
        let work = Arc::new(Work::<T, H> {
            handler,
            retries: self.retries,
            terms: Arc::clone(&terms),
            event_metrics,
            owned: Arc::clone(&self.owned),
            dead_letters: self.dead_letters,
            burials: RwLock::default(),
            group: self.group,
            topic: PhantomData,
        });
        let runtime = Handle::current();
        let span = Span::current();
        let lanes = span.clone();
        let start = move |partition: Arc<Partition>, lane: Lane| {
            drop(runtime.spawn(Arc::clone(&work).run_lane(partition, lane).instrument(lanes.clone())));
        };
        let poll =
            Poll { consumer: self.consumer, owned: self.owned, start, kind: T::kind, instance: self.instance, terms };
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("poll-{}", T::LABEL));
        let thread = thread.spawn(move || ended.send(span.in_scope(|| poll.run())));
        thread.map_err(|error| no_thread(error.to_string()))?;
        end.await.unwrap_or_else(|_| Err(no_thread("it panicked".to_owned())))
    }
}

impl<T> std::fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("topic", &self.owned.topic).field("group", &self.group).finish_non_exhaustive()
    }
}

/// What every task that handles records shares.
struct Work<T, H> {
    handler: H,
    retries: Retries,
    terms: Arc<Terms>,
    event_metrics: EventMetrics,
    owned: Arc<Owned>,
    dead_letters: Producer,
    // Held for writing by who writes a dead letter that must not be sent together with another one.
    burials: RwLock<()>,
    group: String,
    topic: PhantomData<fn() -> T>,
}

impl<T, H, F> Work<T, H>
where
    T: Topic,
    H: Fn(T::Payload, Meta) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    /// Handles the records of one key, one after the other, until none waits.
    async fn run_lane(self: Arc<Self>, partition: Arc<Partition>, lane: Lane) {
        if !partition.may_begin().await {
            return;
        }
        let mut turn = None;
        while let Some(record) = partition.next(&lane) {
            let span = span_of(&record.message);
            let work = async {
                let outcome = self.handle(&partition, &lane, &mut turn, &record).await;
                self.conclude(&partition, record, outcome).await;
            };
            work.instrument(span).await;
        }
    }

    async fn handle(&self, partition: &Partition, lane: &Lane, turn: &mut Option<Permit>, record: &Running) -> Outcome {
        let message = &record.message;
        let decoded = catch_unwind(AssertUnwindSafe(|| topics::decode::<T>(message)));
        let decoded = decoded.map_err(|panic| panic_text(&*panic));
        let payload = match decoded.and_then(|decoded| decoded.map_err(|error| error.to_string())) {
            Ok(payload) => payload,
            Err(error) => {
                // A dead letter is written without one.
                *turn = None;
                return Outcome::Dead { attempts: 0, class: Class::Undecodable, error };
            }
        };
        let rules = Rules {
            retries: &self.retries,
            gate: &self.terms.gate,
            rank: &lane.rank,
            halted: &partition.halted,
            abandoned: &partition.abandoned,
        };
        let call = |number| {
            if number == 1 {
                self.event_metrics.waited(record.kind.priority, record.since.elapsed());
            }
            (self.handler)(payload.clone(), Meta::of(message, number, partition.assignment))
        };
        let failed = |attempt, how, error: &str| {
            self.event_metrics.error(record.kind, how);
            let Message { topic, partition, offset, .. } = &**message;
            match (how, attempt) {
                // It is said where the record is given up.
                (How::Discard, _) => {}
                (_, 1) => tracing::warn!(topic = &**topic, partition, offset, error, "a handler failed"),
                _ => tracing::debug!(topic = &**topic, partition, offset, attempt, error, "a handler failed again"),
            }
        };
        attempt(&rules, turn, call, failed).await
    }

    async fn conclude(&self, partition: &Partition, record: Running, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                self.event_metrics.event(record.kind, "handled");
                record.finished();
            }
            Outcome::Abandoned => self.event_metrics.event(record.kind, "abandoned"),
            Outcome::Dead { attempts, class, error } => {
                let message = &record.message;
                tracing::error!(
                    topic = &*message.topic,
                    partition = message.partition,
                    offset = message.offset,
                    class = class.as_str(),
                    attempts,
                    error,
                    "gave a record up; it is among the dead letters"
                );
                if self.bury(partition, &record, attempts, class, &error).await {
                    self.owned.metrics.died(class);
                    self.event_metrics.event(record.kind, "dead");
                    record.finished();
                } else {
                    self.event_metrics.event(record.kind, "abandoned");
                }
            }
        }
    }

    /// Writes the dead letter, however long that takes: a record is never passed over. Returns false when it was told to
    /// stop before.
    async fn bury(&self, partition: &Partition, record: &Running, attempts: u32, class: Class, error: &str) -> bool {
        let death = Death { message: &record.message, group: &self.group, attempts, class, error };
        loop {
            let buried = tokio::select! {
                biased;
                () = partition.abandoned.cancelled() => return false,
                buried = self.bury_what_fits(death) => buried,
            };
            let Err(error) = buried else { return true };
            tracing::warn!(topic = &*record.message.topic, %error, "a dead letter was not written; trying again");
            tokio::select! {
                biased;
                () = partition.halted.cancelled() => return false,
                () = tokio::time::sleep(BURY_AGAIN) => {}
            }
        }
    }

    /// Writes as much of a dead letter as its topic takes: a record that can never lie there whole must not stop its
    /// partition.
    async fn bury_what_fits(&self, death: Death<'_>) -> Result<(), Error> {
        let too_large =
            |written: &Result<(), Error>| matches!(written, Err(Error::TooLarge { .. } | Error::RefusedForSize { .. }));
        let mut extent = Extent::Whole;
        let mut written = {
            let _together = self.burials.read().await;
            dead_letters::bury(&self.dead_letters, death, extent).await
        };
        if !too_large(&written) {
            return written;
        }
        // The brokers may have refused it for what it was sent together with.
        let _alone = self.burials.write().await;
        loop {
            written = dead_letters::bury(&self.dead_letters, death, extent).await;
            match extent.less() {
                Some(less) if too_large(&written) => extent = less,
                _ => break,
            }
        }
        if written.is_ok() && extent != Extent::Whole {
            let Message { topic, partition, offset, .. } = death.message;
            tracing::error!(
                topic = &**topic,
                partition,
                offset,
                "a dead letter is larger than its topic takes: it is cut"
            );
        }
        written
    }
}

/// Every line of the log about a record carries its trace; an error's span, so that no filter of levels takes it away.
fn span_of(message: &Message) -> Span {
    let trace = topics::read_trace(&message.headers);
    trace.map_or_else(Span::none, |trace| error_span!("record", trace_id = %trace.trace_id()))
}
