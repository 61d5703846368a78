//! The follower as its users see it.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use rdkafka::error::KafkaError;
use tokio::sync::watch;
use tracing::Span;

use super::{
    bounds::FollowBounds,
    fetch,
    look::{self, Looker},
    loss::{Cause, Loss},
    metrics::FollowerMetrics,
    shared::Shared,
    standing::Standing,
};
use crate::{config::KafkaConfig, error::Error, topics::Topic};

/// Reads every partition of a topic, outside of any group: each follower hears of every record.
///
/// Records that were there before it began are not handed out. It holds two connections: one that fetches, and one that
/// asks where the topic ends. Dropping it ends both.
pub struct Follower<T: Topic> {
    shared: Arc<Shared<T::Payload>>,
    metrics: FollowerMetrics,
    // A loss is counted once, however often it is told.
    counted: bool,
    topic: PhantomData<fn() -> T>,
}

/// What [`Follower::next`] hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed<P> {
    /// At least one record, those of a partition in their order.
    Records(Vec<P>),
    /// Nobody knows what was missed, and the follower is over: records went before they were read, by retention or
    /// because the topic was made anew or lost data, or one does not decode. What was built from the topic is to be built
    /// anew, with another follower. The text says why.
    Lost(String),
}

impl<T: Topic> Follower<T> {
    /// Notes where each partition ends now: everything that is written from now on will be handed out.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, no broker answers within 5 s, or the topic does not exist.
    pub async fn begin(config: &KafkaConfig, client_id: &str) -> Result<Follower<T>, Error> {
        Follower::begin_with(config, client_id, FollowBounds::default()).await
    }

    /// As [`Follower::begin`], with bounds of one's own.
    ///
    /// # Errors
    ///
    /// As [`Follower::begin`].
    pub async fn begin_with(config: &KafkaConfig, client_id: &str, bounds: FollowBounds) -> Result<Follower<T>, Error> {
        let topic: Arc<str> = T::name(config).into();
        let unreachable = |source| Error::Unreachable { brokers: config.brokers.clone(), source };
        let looker = Looker::new(config, client_id, Arc::clone(&topic), &bounds)?;
        let asking = tokio::task::spawn_blocking(move || {
            let first = looker.first();
            (looker, first)
        });
        let (looker, first) = asking.await.map_err(|_| unreachable(KafkaError::Canceled))?;
        let from = first.map_err(unreachable)?.ends;
        if from.is_empty() {
            return Err(Error::NoTopic { topic: topic.to_string() });
        }
        let consumer = fetch::client(config, client_id, &topic, &from)?;

        let follower = Follower {
            shared: Arc::new(Shared::new(topic, bounds.clone(), from)),
            metrics: FollowerMetrics::default(),
            counted: false,
            topic: PhantomData,
        };
        follower.spawn("follow", move |shared| fetch::fetch::<T>(shared, &consumer))?;
        follower.spawn("look", move |shared| look::watch(shared, &looker, &bounds))?;
        Ok(follower)
    }

    /// Counts there, together with the other followers of the process.
    #[must_use]
    pub fn with_metrics(mut self, metrics: FollowerMetrics) -> Follower<T> {
        self.metrics = metrics;
        self
    }

    /// Waits for records; at most `most` of them, but at least one. What was handed out before counts as applied.
    ///
    /// Whoever stops waiting loses nothing.
    pub async fn next(&mut self, most: usize) -> Followed<T::Payload> {
        self.shared.apply();
        loop {
            if let Some((followed, cause)) = self.shared.take(most) {
                if let Followed::Records(records) = &followed {
                    self.metrics.handed_out(T::LABEL, records.len());
                }
                if let Some(cause) = cause.filter(|_| !self.counted) {
                    self.counted = true;
                    self.metrics.lost(T::LABEL, cause);
                }
                return followed;
            }
            self.shared.arrived().await;
        }
    }

    /// Whether all that was there one look ago has been applied.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.standing()
    }

    /// Runs a part of the follower on a thread of its own.
    fn spawn(&self, part: &str, run: impl FnOnce(&Shared<T::Payload>) + Send + 'static) -> Result<(), Error> {
        let (shared, span) = (Arc::clone(&self.shared), Span::current());
        let thread = thread::Builder::new().name(format!("{part}-{}", T::LABEL));
        let thread = thread.spawn(move || {
            let ran = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| run(&shared))));
            if ran.is_err() {
                shared.lose(Loss::new(Cause::Client, "a thread of the follower panicked"));
            }
        });
        let topic = self.shared.topic();
        thread.map_err(|error| Error::Thread { topic: topic.to_string(), reason: error.to_string() })?;
        Ok(())
    }
}

impl<T: Topic> Drop for Follower<T> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<T: Topic> std::fmt::Debug for Follower<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("topic", self.shared.topic()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{CacheChanges, ensure_topics, testing};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_follower_that_is_dropped_ends_its_threads_also_where_nobody_took_what_they_have() {
        let config = testing::config();
        ensure_topics(&config).await.unwrap();
        let producer = testing::producer(&config).await.unwrap();
        let bounds = FollowBounds { records: 1, ..FollowBounds::default() };
        let follower: Follower<CacheChanges> = Follower::begin_with(&config, "test", bounds).await.unwrap();
        for version in 1..4 {
            producer.send::<CacheChanges>(&testing::change(1, version)).await.unwrap();
        }
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while follower.shared.fetched().iter().sum::<i64>() == 0 {
            looks.tick().await;
        }
        let shared = Arc::downgrade(&follower.shared);
        drop(follower);
        let ended = async {
            while shared.strong_count() > 0 {
                looks.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    }
}
