//! Somebody who reads the events' topic as it grows, in a consumer group of its own.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use discord_sim::Sim;
use event_stream::{Consumer, Error, GatewayEvents, KafkaConfig, Producer, Profile};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::wait;

/// What was seen in the topic so far. Dropping it ends the reading.
pub struct Witness {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    /// How many dispatches of the ledger were found to be seen, from the first one on.
    checked: usize,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

/// The sequences of one session.
#[derive(Default)]
struct Seen {
    /// All up to here.
    upto: u64,
    /// Those beyond a gap.
    beyond: BTreeSet<u64>,
}

impl Seen {
    fn add(&mut self, sequence: u64) {
        if sequence > self.upto {
            self.beyond.insert(sequence);
        }
        while self.beyond.remove(&(self.upto + 1)) {
            self.upto += 1;
        }
    }

    fn holds(&self, sequence: u64) -> bool {
        sequence <= self.upto || self.beyond.contains(&sequence)
    }
}

impl Witness {
    /// Begins to read the events of `kafka` from the oldest on.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn start(kafka: &KafkaConfig) -> Result<Self, Error> {
        let own = KafkaConfig { group: Some(format!("{}-witness", kafka.events_topic)), ..kafka.clone() };
        let producer = Producer::connect(&own, "witness", Profile::Interactive).await?;
        let consumer = Consumer::<GatewayEvents>::connect(&own, "witness", &producer).await?;
        let seen: Arc<Mutex<HashMap<String, Seen>>> = Arc::default();
        let stop = CancellationToken::new();
        let (noted, stopped) = (Arc::clone(&seen), stop.clone());
        let task = tokio::spawn(async move {
            let note = move |event: model::topics::GatewayEvent, _| {
                lock(&noted).entry(event.session).or_default().add(event.sequence);
                async { Ok(()) }
            };
            consumer.run(stopped, 64, note).await
        });
        Ok(Self { seen, checked: 0, stop, task })
    }

    /// Waits until everything is in the topic that the ledger holds now, but for what Discord itself lost.
    ///
    /// # Errors
    ///
    /// When nothing more comes for `patience`; the text names the first event that is missing.
    pub async fn sees_all(&mut self, sim: &Sim, patience: Duration) -> Result<(), String> {
        let until = sim.read(|state| state.ledger.dispatches.len());
        let (seen, task, checked) = (&self.seen, &self.task, &mut self.checked);
        let waited = wait::until_none_left("all events in the topic", patience, async || {
            // Then nothing becomes less.
            if task.is_finished() {
                return None;
            }
            let seen = lock(seen);
            sim.read(|state| {
                let due = &state.ledger.dispatches[*checked..until];
                let good = due.iter().take_while(|dispatch| {
                    seen.get(&dispatch.session_id).is_some_and(|seen| seen.holds(dispatch.sequence))
                        || state.sessions.expired(dispatch)
                });
                *checked += good.count();
            });
            Some((until - *checked) as u64)
        });
        match waited.await {
            Ok(()) => Ok(()),
            Err(vain) => sim.read(|state| {
                let first = &state.ledger.dispatches[self.checked];
                Err(format!(
                    "{vain}; the first one missing is {} of {} ({})",
                    first.sequence, first.session_id, first.kind
                ))
            }),
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
