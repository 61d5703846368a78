use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Inner,
    store::{self, Store},
};
use crate::limiter::{About, Fact};

/// How soon what could not be written is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// What the next owners must know and Redis does not yet: for each bot, until when, or that it holds no more.
#[derive(Default)]
pub(super) struct Memory {
    pending: Mutex<HashMap<Arc<str>, Facts>>,
    more: Notify,
    writing: tokio::sync::Mutex<()>,
}

type Facts = HashMap<About, Option<Instant>>;

impl Memory {
    /// Takes in what is to be written soon.
    pub(super) fn note(&self, bot: &Arc<str>, facts: Vec<Fact>, undone: Vec<About>) {
        if facts.is_empty() && undone.is_empty() {
            return;
        }
        let facts = facts.into_iter().map(|Fact { about, until }| (about, Some(until)));
        let undone = undone.into_iter().map(|about| (about, None));
        self.pending().entry(bot.clone()).or_default().extend(facts.chain(undone));
        self.more.notify_one();
    }

    /// Writes all of it. What could not be written waits for the next time.
    pub(super) async fn write(&self, store: &Store) -> Result<(), store::Error> {
        let _writing = self.writing.lock().await;
        let mut failed = Ok(());
        let pending = std::mem::take(&mut *self.pending());
        for (bot, facts) in pending {
            if failed.is_ok() {
                failed = store.remember(&bot, facts.iter().map(|(about, until)| (about, *until))).await;
            }
            if failed.is_err() {
                self.keep(bot, facts);
            }
        }
        failed
    }

    fn keep(&self, bot: Arc<str>, facts: Facts) {
        let mut pending = self.pending();
        let newer = pending.entry(bot).or_default();
        for (about, until) in facts {
            if until.is_none_or(|until| until > Instant::now()) {
                newer.entry(about).or_insert(until);
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Arc<str>, Facts>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what is to be remembered, soon after it is known.
pub(super) async fn keep(fleet: Arc<Inner>, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = fleet.memory.more.notified() => {}
            () = stop.cancelled() => return Ok(()),
        }
        if fleet.memory.write(&fleet.store).await.is_err() {
            sleep(AGAIN).await;
            fleet.memory.more.notify_one();
        }
    }
}
