//! Writes updates in batches: while one transaction runs, the next one collects.
//!
//! Several writers work side by side, and all updates of a guild go to one of them.

use std::{
    collections::{HashSet, VecDeque},
    hash::BuildHasher,
    sync::Arc,
};

use cache::{
    change::Update,
    news::{self, News},
    store::{Error, Outcome, Postgres, Store},
};
use common::service::{Dependency, Service};
use event_stream::{Failure, Producer};
use foldhash::fast::FixedState;
use tokio::sync::{mpsc, oneshot};

use crate::{failure::failed, metrics::Metrics};

/// Updates in a batch.
const UPDATES: usize = 64;
/// Updates that wait for a writer; who brings more waits.
const WAITING: usize = 256;

/// Hands updates to the writers. Clones are the same.
#[derive(Clone)]
pub(crate) struct Writer {
    queues: Arc<[mpsc::Sender<Waiting>]>,
}

/// An update, and who waits for it.
struct Waiting {
    update: Update,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// One of the writers.
struct Hand {
    db: Postgres,
    producer: Producer,
    metrics: Metrics,
    postgres: Dependency,
    queue: mpsc::Receiver<Waiting>,
    /// Came while another update of the same guild was in the batch.
    next: VecDeque<Waiting>,
}

#[derive(Debug, thiserror::Error)]
#[error("the writer is gone")]
struct Gone;

impl Writer {
    /// Starts so many writers.
    pub(crate) fn start(service: &Service, db: &Postgres, producer: &Producer, metrics: &Metrics, hands: u32) -> Self {
        let start = |_| {
            let (sender, queue) = mpsc::channel(WAITING);
            let hand = Hand {
                db: db.clone(),
                producer: producer.clone(),
                metrics: metrics.clone(),
                postgres: service.dependency("postgres"),
                queue,
                next: VecDeque::new(),
            };
            let stop = service.hard_stop();
            service.spawn("write", async move {
                stop.run_until_cancelled(hand.run()).await;
                Ok(())
            });
            sender
        };
        Self { queues: (0..hands.max(1)).map(start).collect() }
    }

    /// Writes an update and tells all who follow; returns when both are done.
    pub(crate) async fn write(&self, update: Update) -> Result<(), Failure> {
        let hash = FixedState::default().hash_one((update.bot, update.guild));
        let hands = u64::try_from(self.queues.len()).unwrap_or(1);
        let queue = &self.queues[usize::try_from(hash % hands).unwrap_or(0)];
        let (done, outcome) = oneshot::channel();
        queue.send(Waiting { update, done }).await.map_err(|_| Failure::wait(Gone))?;
        outcome.await.unwrap_or_else(|_| Err(Failure::wait(Gone)))
    }
}

impl Hand {
    async fn run(mut self) {
        while let Some(batch) = self.collect().await {
            self.write(batch).await;
        }
    }

    /// What waits, each guild once; `None` when nobody brings anything any more.
    async fn collect(&mut self) -> Option<Vec<Waiting>> {
        let mut guilds = HashSet::new();
        let mut batch = Vec::new();
        let mut later = VecDeque::new();
        loop {
            let waiting = match self.next.pop_front() {
                Some(waiting) => waiting,
                None if batch.is_empty() && later.is_empty() => self.queue.recv().await?,
                None => match self.queue.try_recv() {
                    Ok(waiting) => waiting,
                    Err(_) => break,
                },
            };
            if guilds.insert((waiting.update.bot, waiting.update.guild)) {
                batch.push(waiting);
                if batch.len() >= UPDATES {
                    break;
                }
            } else {
                later.push_back(waiting);
            }
        }
        later.append(&mut self.next);
        self.next = later;
        Some(batch)
    }

    async fn write(&self, batch: Vec<Waiting>) {
        let (updates, done): (Vec<Update>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.update, waiting.done)).unzip();
        self.metrics.batch.observe(f64::from(u32::try_from(updates.len()).unwrap_or(u32::MAX)));
        match self.apply(&updates).await {
            Ok(outcomes) => {
                let told = self.tell(&updates, &outcomes).await;
                for done in done {
                    let _ = done.send(told.clone().map_err(Failure::wait));
                }
            }
            // Something in it that the database does not take: alone, the others go well.
            Err(error) if !error.is_transient() && updates.len() > 1 => {
                for (update, done) in updates.into_iter().zip(done) {
                    let written = self.write_alone(update).await;
                    let _ = done.send(written);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for done in done {
                    let _ = done.send(Err(failed(Arc::clone(&error))));
                }
            }
        }
    }

    async fn write_alone(&self, update: Update) -> Result<(), Failure> {
        let updates = [update];
        let outcomes = self.apply(&updates).await.map_err(failed)?;
        self.tell(&updates, &outcomes).await.map_err(Failure::wait)
    }

    async fn apply(&self, updates: &[Update]) -> Result<Vec<Outcome>, Error> {
        let timer = self.metrics.seconds.start_timer();
        let outcomes = self.db.apply(updates).await;
        timer.observe_duration();
        match &outcomes {
            Ok(_) => self.postgres.up(),
            Err(error) if error.is_transient() => self.postgres.down(error),
            Err(_) => {}
        }
        outcomes
    }

    async fn tell(&self, updates: &[Update], outcomes: &[Outcome]) -> Result<(), Arc<event_stream::Error>> {
        for outcome in outcomes {
            self.metrics.count(if outcome.applied { "applied" } else { "late" });
        }
        let changes: Vec<_> =
            updates.iter().zip(outcomes).map(|(update, outcome)| News::of(update, *outcome)).collect();
        news::tell(&self.producer, changes).await.map_err(Arc::new)
    }
}
