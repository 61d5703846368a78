//! Keeps the memory of this process right: reads the truth once, then follows what is told.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use common::{clock::Clock, service::Service};
use event_stream::{CacheChanges, Followed as Heard, Follower, FollowerMetrics, KafkaConfig, Standing};
use model::topics::CacheChange;
use tokio::sync::watch;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

use crate::{
    news::News,
    store::{Followed, Memory, Postgres, Refill},
    wire,
};

/// Guilds that are read from the truth at once.
const PAGE: u32 = 256;
/// Records that are taken from the topic at once.
const RECORDS: usize = 256;
/// Between two attempts to read the truth.
const AGAIN: Duration = Duration::from_millis(500);

/// The memory of a process, and whether it is right.
#[derive(Clone)]
pub struct Hot {
    memory: Memory,
    right: Arc<Right>,
}

/// What makes a memory right.
#[derive(Default)]
struct Right {
    /// All that was told is heard.
    heard: AtomicBool,
    /// No guild waits to be read anew from a truth that does not answer.
    read: AtomicBool,
}

impl Hot {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self { memory, right: Arc::default() }
    }

    /// What is known; `None` while it may be wrong: at the start, and when the process was cut off from Kafka or the truth, until
    /// it has heard and read all it missed.
    #[must_use]
    pub fn memory(&self) -> Option<&Memory> {
        let Right { heard, read } = &*self.right;
        (heard.load(Ordering::Acquire) && read.load(Ordering::Acquire)).then_some(&self.memory)
    }
}

/// What following needs.
pub struct Following {
    /// What is kept right.
    pub hot: Hot,
    /// The truth.
    pub db: Postgres,
    /// Where the topic is.
    pub kafka: KafkaConfig,
    /// The wall time.
    pub clock: Clock,
    /// What is counted of the topic.
    pub metrics: FollowerMetrics,
}

impl Following {
    /// Follows until the stop. The service's dependency `cache-changes` is up while the memory is right.
    ///
    /// # Errors
    ///
    /// When the stop comes.
    pub async fn run(self, service: Service) -> anyhow::Result<()> {
        let stop = service.shutdown();
        let following = async {
            loop {
                let why = self.follow(&service).await.context("follow cache-changes")?;
                self.heard(false);
                service.dependency("cache-changes").down(&why);
                tracing::warn!("the truth is read anew: {why}");
            }
        };
        stop.run_until_cancelled(following).await.unwrap_or(Ok(()))
    }

    /// Follows until something was missed, and says what.
    async fn follow(&self, service: &Service) -> anyhow::Result<String> {
        // First where the topic ends, then the truth: what happens in between is heard twice, never missed.
        let begin = || Follower::<CacheChanges>::begin(&self.kafka, service.name());
        let mut follower = service.connect("kafka", begin).await?.with_metrics(self.metrics.clone());
        service.connect("postgres", || self.load()).await?;
        let watching = self.watch(follower.standing(), service);
        let hearing = async {
            loop {
                match follower.next(RECORDS).await {
                    Heard::Records(records) => self.hear(records, service).await?,
                    Heard::Lost(why) => break Ok(why),
                }
            }
        };
        tokio::select! {
            lost = hearing => lost,
            () = watching => Ok("nobody tells any more how far it is read".to_owned()),
        }
    }

    fn heard(&self, all: bool) {
        self.hot.right.heard.store(all, Ordering::Release);
    }

    fn read(&self, all: bool) {
        self.hot.right.read.store(all, Ordering::Release);
    }

    /// Keeps what is heard and the dependency as the follower stands. Being behind for a moment, while much is told, makes nothing
    /// wrong that was right.
    async fn watch(&self, mut standing: watch::Receiver<Standing>, service: &Service) {
        let dependency = service.dependency("cache-changes");
        loop {
            match &*standing.borrow_and_update() {
                Standing::Current => {
                    self.heard(true);
                    dependency.up();
                }
                Standing::Behind(why) if !self.hot.right.heard.load(Ordering::Acquire) => dependency.down(why),
                Standing::Behind(_) => {}
                Standing::CutOff(why) => {
                    self.heard(false);
                    dependency.down(why);
                }
            }
            if standing.changed().await.is_err() {
                return;
            }
        }
    }

    /// Reads all of the truth.
    async fn load(&self) -> anyhow::Result<()> {
        let (mut from, mut keys) = (None, HashSet::new());
        let now_ms = self.clock.now_ms();
        loop {
            let page = self.db.page(from, PAGE).await?;
            from = page.next;
            keys.extend(page.held.iter().map(|held| (held.bot, held.whole.guild.id)));
            keys.extend(page.absent.iter().map(|(bot, guild, ..)| (*bot, *guild)));
            self.hot.memory.take(page, now_ms);
            if from.is_none() {
                break;
            }
        }
        self.hot.memory.retain(&keys);
        self.read(true);
        tracing::info!("read {} guilds", keys.len());
        Ok(())
    }

    async fn hear(&self, records: Vec<CacheChange>, service: &Service) -> anyhow::Result<()> {
        // Of each bot, the guilds that are to be read anew.
        let mut behind: HashSet<(Id<ApplicationMarker>, Id<GuildMarker>)> = HashSet::new();
        for record in records {
            let CacheChange { bot, guild, version, payload } = record;
            match (wire::decode::<News>(&payload), guild) {
                (Ok(News::Changed(received_ms, changes)), Some(guild)) => {
                    if self.hot.memory.follow(bot, guild, version, received_ms, changes) == Followed::Gap {
                        behind.insert((bot, guild));
                    }
                }
                (Ok(News::Refilled(epoch, read_ms, member)), Some(guild)) => {
                    self.hot.memory.refill(bot, guild, Refill { member: *member, epoch, read_ms });
                }
                (Ok(News::User(told_ms, user)), _) => self.hot.memory.tell_users([*user], told_ms),
                (Ok(News::Reread), Some(guild)) => {
                    if !self.hot.memory.is_at(bot, guild, version) {
                        behind.insert((bot, guild));
                    }
                }
                // Of a version that says more.
                (Err(error), Some(guild)) => {
                    tracing::warn!("a change of guild {guild} does not read, the guild is read anew: {error}");
                    behind.insert((bot, guild));
                }
                (Ok(_) | Err(_), None) => {}
            }
        }
        for (bot, guild) in behind {
            self.reread(bot, guild, service).await?;
        }
        Ok(())
    }

    /// Reads one guild from the truth, however long that takes: what is told next builds on it.
    async fn reread(
        &self,
        bot: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        service: &Service,
    ) -> anyhow::Result<()> {
        let postgres = service.dependency("postgres");
        loop {
            match self.db.look(bot, guild).await {
                Ok(page) => {
                    postgres.up();
                    self.hot.memory.take(page, self.clock.now_ms());
                    self.read(true);
                    return Ok(());
                }
                Err(error) if error.is_transient() => {
                    // Nor is anything heard of other guilds before this one is read.
                    self.read(false);
                    postgres.down(format_args!("{:#}", anyhow::Error::from(error)));
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error).context("read a guild anew"),
            }
        }
    }
}
