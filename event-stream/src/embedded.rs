//! A broker inside the process, for a demo on a machine that has no Kafka.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use rdkafka::{
    error::KafkaError,
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::{admin, config::KafkaConfig, error::Error};

/// librdkafka's mock cluster: the real protocol on a free port of the loopback interface.
///
/// **Everything it holds is lost when it is dropped.** It keeps at most 5 MiB or 100,000 batches per partition and
/// silently drops what is older, and a consumer's first join takes it 3 s. It is for demonstrations only, never for a
/// bot that somebody relies on, and never in place of Kafka in tests.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    // Dropping it ends the thread that holds the cluster, which cannot leave its thread.
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

enum Request {
    Create(KafkaConfig, Sender<Result<(), Error>>),
    Answer(Vec<RDKafkaRespErr>, Sender<Result<(), Error>>),
}

/// What the broker says to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It writes, as always.
    Written,
    /// `NOT_LEADER_FOR_PARTITION`: another broker has it now. It does not write.
    NotLeader,
    /// `REQUEST_TIMED_OUT`: the replicas did not follow in time. It does not write, where a real one may have written.
    TimedOut,
    /// `DUPLICATE_SEQUENCE_NUMBER`: it has the records already. It does not write, so what it says is true only of records
    /// that it took before.
    Duplicate,
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`, as if it had lost what the producer wrote before, of which a producer dies.
    OutOfOrder,
}

impl Answer {
    fn code(self) -> RDKafkaRespErr {
        match self {
            Answer::Written => RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
            Answer::NotLeader => RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Answer::TimedOut => RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            Answer::Duplicate => RDKafkaRespErr::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,
            Answer::OutOfOrder => RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        }
    }
}

impl Broker {
    /// Starts a broker that has the topics with their default names.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub fn start() -> Result<Broker, Error> {
        let (requests, inbox) = channel();
        let (started, ready) = channel();
        let thread = std::thread::Builder::new().name("embedded-kafka".to_owned());
        let thread = thread.spawn(move || hold(&started, &inbox)).map_err(no_thread)?;
        let bootstrap = ready.recv().map_err(no_thread)??;
        let broker = Broker { bootstrap, requests: Some(requests), thread: Some(thread) };
        broker.create_topics(&broker.config())?;
        Ok(broker)
    }

    /// The address, for `KAFKA_BROKERS`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The configuration with every default, for this broker.
    pub fn config(&self) -> KafkaConfig {
        KafkaConfig::at(&self.bootstrap)
    }

    /// Makes the topics with the names of `config`, which the broker cannot be asked for over the wire.
    ///
    /// # Errors
    ///
    /// When a topic of that name is there already with another number of partitions.
    pub fn create_topics(&self, config: &KafkaConfig) -> Result<(), Error> {
        let (answer, answered) = channel();
        self.request(Request::Create(config.clone(), answer))?;
        answered.recv().map_err(no_thread)?
    }

    /// Gives these answers to the next writes, one to each batch, after those that were asked for before. For tests.
    ///
    /// Unlike a real broker it does not look at sequence numbers: a batch that was under way behind a refused one is
    /// written before it, and a producer takes the refused one for written then.
    ///
    /// # Errors
    ///
    /// When the broker's thread ended.
    pub fn answer_writes(&self, answers: &[Answer]) -> Result<(), Error> {
        let (answer, answered) = channel();
        self.request(Request::Answer(answers.iter().map(|answer| answer.code()).collect(), answer))?;
        answered.recv().map_err(no_thread)?
    }

    /// The next write is refused as if the broker had lost what the producer wrote before, of which a producer dies. For
    /// tests.
    ///
    /// # Errors
    ///
    /// When the broker's thread ended.
    pub fn desynchronise(&self) -> Result<(), Error> {
        self.answer_writes(&[Answer::OutOfOrder])
    }

    fn request(&self, request: Request) -> Result<(), Error> {
        let requests = self.requests.as_ref().ok_or_else(|| no_thread("it ended"))?;
        requests.send(request).map_err(no_thread)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn hold(started: &Sender<Result<String, Error>>, requests: &Receiver<Request>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(source) => {
            let _ = started.send(Err(Error::Client { client: "embedded".to_owned(), source }));
            return;
        }
    };
    let _ = started.send(Ok(cluster.bootstrap_servers()));
    while let Ok(request) = requests.recv() {
        let (config, answer) = match request {
            Request::Create(config, answer) => (config, answer),
            Request::Answer(codes, answer) => {
                cluster.request_errors(RDKafkaApiKey::Produce, &codes);
                let _ = answer.send(Ok(()));
                continue;
            }
        };
        let made = admin::wanted(&config).into_iter().try_for_each(|topic| {
            let refused =
                |error: KafkaError| Error::CreateTopic { topic: topic.name.clone(), reason: error.to_string() };
            cluster.create_topic(&topic.name, topic.partitions, 1).map_err(refused)
        });
        let _ = answer.send(made);
    }
}

fn no_thread(error: impl ToString) -> Error {
    Error::Thread { topic: "the embedded broker".to_owned(), reason: error.to_string() }
}
