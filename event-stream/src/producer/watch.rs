//! Whether a producer's topic can be written, also while nothing is written.

use std::{sync::Arc, time::Duration};

use common::service::Dependency;
use rdkafka::{error::KafkaError, producer::Producer as _};
use tokio_util::sync::CancellationToken;

use super::handle::Producer;
use crate::{
    client::{self, Connection},
    topics::Topic,
};

/// How often the brokers are asked.
const EVERY: Duration = Duration::from_secs(3);
/// How long they may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Producer {
    /// Asks the brokers every 3 s for the topic `T` and tells `dependency` of each change, until `stop`.
    ///
    /// For a writer that may have nothing to write for hours, and whose health is to be known all the same.
    pub async fn watch<T: Topic>(&self, dependency: Dependency, stop: CancellationToken) {
        let connection = Connection::default();
        connection.report_to(dependency);
        let topic: Arc<str> = self.name_of::<T>().into();
        let watching = async {
            loop {
                tokio::time::sleep(EVERY).await;
                let (producer, topic) = (self.clone(), Arc::clone(&topic));
                match tokio::task::spawn_blocking(move || producer.ask(&topic)).await {
                    Ok(Ok(())) => connection.answered(),
                    Ok(Err(error)) => connection.unanswered(&error),
                    // The runtime ends.
                    Err(_) => {}
                }
            }
        };
        let _ = stop.run_until_cancelled(watching).await;
    }

    fn ask(&self, topic: &str) -> Result<(), KafkaError> {
        match &self.current().native {
            Some(native) => client::ask(native.client(), topic, PATIENCE),
            None => Ok(()),
        }
    }
}
