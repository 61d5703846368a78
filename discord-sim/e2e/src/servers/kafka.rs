use std::{io, path::Path, time::Duration};

use event_stream::KafkaConfig;
use rand::RngExt;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::node::{self, Node};
use crate::wait;

/// How long brokers may take to answer after a start; a machine that is busy with other tests is slow.
const START: Duration = Duration::from_secs(90);

/// Apache Kafka of a test's own: one broker, or three with two copies of each record before it counts.
pub struct Cluster {
    ports: Vec<u16>,
    brokers: Vec<Node>,
    _directory: TempDir,
}

impl Cluster {
    /// Starts a cluster and waits until every broker is in it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(brokers: usize) -> Self {
        let directory = node::directory();
        let cluster: String = (0..20).map(|_| char::from(rand::rng().random_range(b'a'..=b'z'))).collect();
        let ports: Vec<[u16; 2]> = (0..brokers).map(|_| node::free_ports()).collect();
        let pairs: Vec<String> = ports.iter().map(|[port, controller]| format!("{port}:{controller}")).collect();
        let nodes = (1..=brokers).map(|number| {
            let home = directory.path().join(format!("kafka-{number}"));
            // A cluster's name has 22 characters, of which the last tells only two bits.
            let mut arguments = vec!["kafka".into(), text(&home), format!("{cluster}AA"), number.to_string()];
            arguments.extend(pairs.iter().cloned());
            Node::start(&home, arguments)
        });
        let mut cluster = Self {
            brokers: nodes.collect(),
            ports: ports.iter().map(|[port, _]| *port).collect(),
            _directory: directory,
        };
        if let Err(vain) = cluster.ready().await {
            panic!("Kafka does not start: {vain}");
        }
        cluster
    }

    /// How many brokers it has.
    pub fn size(&self) -> usize {
        self.brokers.len()
    }

    /// Its addresses, for `KAFKA_BROKERS`.
    pub fn addresses(&self) -> String {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    /// The configuration of `names`' topics on this cluster.
    pub fn config(&self, names: KafkaConfig) -> KafkaConfig {
        let replication = if self.size() >= 3 { 3 } else { 1 };
        KafkaConfig { brokers: self.addresses(), replication, ..names }
    }

    /// `kill -9` of a broker, counted from 0.
    pub async fn kill(&mut self, broker: usize) {
        self.brokers[broker].kill().await;
    }

    /// Stops a broker as an operator does: it hands over what it leads.
    pub async fn stop(&mut self, broker: usize) {
        self.brokers[broker].stop().await;
    }

    /// Starts a broker that was killed or stopped, with its data. Not waited for: see [`Cluster::ready`].
    pub fn restart(&mut self, broker: usize) {
        self.brokers[broker].restart();
    }

    /// Holds a broker still.
    pub async fn freeze(&mut self, broker: usize) {
        self.brokers[broker].freeze().await;
    }

    /// Lets it go on.
    pub async fn thaw(&mut self, broker: usize) {
        self.brokers[broker].thaw().await;
    }

    /// Waits until every broker is in the cluster, and every partition has all its copies in step.
    ///
    /// # Errors
    ///
    /// When that does not come in time, or a broker ended by itself.
    pub async fn ready(&mut self) -> Result<(), String> {
        let size = self.size();
        let waiting = wait::until("every broker with every copy", START, async || {
            for broker in &mut self.brokers {
                if let Err(ended) = broker.is_alive() {
                    return Some(Err(ended));
                }
            }
            for port in &self.ports {
                let seen = tokio::time::timeout(Duration::from_secs(2), ask(*port)).await;
                if !matches!(seen, Ok(Ok(Seen { brokers, behind: 0 })) if brokers == size) {
                    return None;
                }
            }
            Some(Ok(()))
        });
        waiting.await?
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What one broker knows of the cluster.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    brokers: usize,
    /// Partitions without a leader, or with a copy that is not in step.
    behind: usize,
}

/// Asks a broker for all it knows (Kafka's protocol, Metadata, version 2).
async fn ask(port: u16) -> io::Result<Seen> {
    // Length, Metadata, version 2, correlation 1, no client's name, all topics.
    const QUESTION: &[u8] = b"\0\0\0\x0e\0\x03\0\x02\0\0\0\x01\xff\xff\xff\xff\xff\xff";
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    connection.write_all(QUESTION).await?;
    let mut answer = vec![0; connection.read_u32().await? as usize];
    connection.read_exact(&mut answer).await?;
    Answer(&answer).read().ok_or_else(|| io::Error::other("an answer that is cut"))
}

/// What is left to be read of an answer.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn read(mut self) -> Option<Seen> {
        self.skip(4)?;
        let brokers = self.length()?;
        for _ in 0..brokers {
            self.skip(4)?;
            self.text()?;
            self.skip(4)?;
            self.text()?;
        }
        self.text()?;
        self.skip(4)?;
        let mut behind = 0;
        for _ in 0..self.length()? {
            self.skip(2)?;
            self.text()?;
            self.skip(1)?;
            for _ in 0..self.length()? {
                let error = self.take(2)? != [0, 0];
                self.skip(8)?;
                let copies = self.length()?;
                self.skip(4 * copies)?;
                let in_step = self.length()?;
                self.skip(4 * in_step)?;
                behind += usize::from(error || in_step < copies);
            }
        }
        Some(Seen { brokers, behind })
    }

    fn take(&mut self, bytes: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.take(bytes).map(drop)
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(i32::from_be_bytes(bytes)).ok()
    }

    /// A text that may be none.
    fn text(&mut self) -> Option<()> {
        let bytes = self.take(2)?.try_into().ok()?;
        self.skip(usize::try_from(i16::from_be_bytes(bytes)).unwrap_or(0))
    }
}
