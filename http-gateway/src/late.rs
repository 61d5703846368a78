//! Keeps the clicks that no worker answered in time, for a worker to finish by follow-up.

use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use event_stream::{LateInteractions, Producer};
use model::topics::LateInteraction;
use tokio::time::{Instant, timeout_at};

/// Writes topic `tickets-interactions`, once Kafka was reached for the first time.
#[derive(Clone, Default)]
pub struct Late {
    producer: Arc<OnceLock<Producer>>,
    /// Whether the last click could not be kept: a change is logged once.
    failing: Arc<AtomicBool>,
}

impl Late {
    /// Kafka was reached.
    pub fn connected(&self, producer: Producer) {
        // Called once, at the start.
        let _ = self.producer.set(producer);
    }

    /// Whether Kafka has the click, as far as is known by `until`.
    ///
    /// Where it is not known the click may still arrive. Its person is told to try again, and a worker that finds it
    /// later may finish it all the same: better twice than never.
    pub async fn keep(&self, late: &LateInteraction, until: Instant) -> bool {
        let Some(producer) = self.producer.get() else {
            return self.note(Some(&"Kafka was not reached yet"));
        };
        match timeout_at(until, producer.send::<LateInteractions>(late)).await {
            Ok(Ok(_acked)) => self.note(None),
            Ok(Err(error)) => self.note(Some(&format!("{:#}", anyhow::Error::from(error)))),
            Err(_elapsed) => self.note(Some(&"Kafka did not acknowledge it in time")),
        }
    }

    fn note(&self, failure: Option<&dyn Display>) -> bool {
        let was_failing = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_failing => {
                tracing::error!("clicks cannot be kept for later, people are told to try again: {reason}");
            }
            None if was_failing => tracing::info!("clicks can be kept for later again"),
            _ => {}
        }
        failure.is_none()
    }
}
