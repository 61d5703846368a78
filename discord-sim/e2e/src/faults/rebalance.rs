//! A consumer group whose members come and go while they work.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use discord_sim::Sim;
use event_stream::{Consumer, Error, GatewayEvents, KafkaConfig, Producer, Profile, testing};
use model::topics::GatewayEvent;
use rand::RngExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Dose, Report,
    scene::{PATIENCE, Scene},
};
use crate::{
    Ground,
    check::{Rule, Violation},
    wait,
};

const MEMBERS: usize = 4;

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let mut scene = Scene::open(Ground::lay().await.with_partitions(6), dose, seed).await;
    let kafka = &scene.world.kafka;
    let kafka = KafkaConfig { group: Some(format!("{}-members", kafka.events_topic)), ..kafka.clone() };
    let producer = Producer::connect(&kafka, "members", Profile::Interactive).await.expect("Kafka answers");
    let mut group = Group { kafka, producer, desk: Arc::default(), members: Vec::new() };
    let struck = turmoil(&mut group, dose, &mut scene, &mut report).await;
    scene.rest().await;
    let struck = match struck {
        Ok(()) => group.finishes(&scene.world.sim).await,
        error => error,
    };
    report.violations.append(&mut lock(&group.desk).wrong);
    let again = lock(&group.desk).again;
    report.note("handled again", again);
    for member in group.members {
        member.leave().await;
    }
    scene.close(struck, Some(1), &mut report).await;
    report
}

/// Somebody comes or somebody goes, again and again.
async fn turmoil(group: &mut Group, dose: Dose, scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    group.joins().await?;
    group.joins().await?;
    let mut every = tokio::time::interval(dose.choose(Duration::from_millis(1), Duration::from_secs(2)));
    for _ in 0..dose.choose(3, 60) {
        every.tick().await;
        scene.a_while(200).await?;
        let since = Instant::now();
        let number = group.members.len();
        if number > 1 && (number == MEMBERS || scene.chance.random()) {
            let member = group.members.remove(scene.chance.random_range(0..number));
            // Some say goodbye; of some the group only finds that they are gone.
            if scene.chance.random() { member.leave().await } else { member.vanish() }
        } else {
            group.joins().await?;
        }
        report.strikes += 1;
        group.keeps_up(&scene.world.sim).await?;
        report.recovery.push(since.elapsed());
    }
    Ok(())
}

struct Group {
    kafka: KafkaConfig,
    producer: Producer,
    desk: Arc<Mutex<Desk>>,
    members: Vec<Member>,
}

struct Member {
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Member {
    async fn leave(self) {
        self.stop.cancel();
        drop(self.task.await);
    }

    /// Drops its work where it is.
    fn vanish(self) {
        self.task.abort();
    }
}

impl Group {
    async fn joins(&mut self) -> Result<(), String> {
        let consumer = Consumer::<GatewayEvents>::connect(&self.kafka, "member", &self.producer).await;
        let consumer = consumer.map_err(|error| error.to_string())?;
        let (stop, desk) = (CancellationToken::new(), Arc::clone(&self.desk));
        let stopped = stop.clone();
        let work = move |event: GatewayEvent, _| {
            let desk = Arc::clone(&desk);
            async move {
                let work = Work::begin(desk, &event);
                // Some work is long enough that members go amid it.
                if event.sequence.is_multiple_of(16) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                } else {
                    tokio::task::yield_now().await;
                }
                work.done(&event);
                Ok(())
            }
        };
        let task = tokio::spawn(async move { consumer.run(stopped, 64, work).await });
        self.members.push(Member { stop, task });
        Ok(())
    }

    /// Waits until all that Discord has dispatched by now was handled.
    async fn keeps_up(&self, sim: &Sim) -> Result<(), String> {
        let (mut checked, until) = (0, sim.read(|state| state.ledger.dispatches.len()));
        wait::until("the group to handle everything", PATIENCE, async || {
            let desk = lock(&self.desk);
            sim.read(|state| {
                let due = &state.ledger.dispatches[checked..until];
                let handled = |session: &str, sequence| {
                    desk.handled.get(session).is_some_and(|sequences| sequences.contains(&sequence))
                };
                checked += due.iter().take_while(|due| handled(&due.session_id, due.sequence)).count();
            });
            (checked == until).then_some(())
        })
        .await
    }

    /// The same once the people are gone, and everything is committed.
    async fn finishes(&self, sim: &Sim) -> Result<(), String> {
        self.keeps_up(sim).await?;
        let group = format!("{}.events", self.kafka.group.as_deref().unwrap_or_default());
        wait::until("the group's commits", PATIENCE, async || {
            (testing::behind(&self.kafka, &group, &self.kafka.events_topic).await.ok()? == 0).then_some(())
        })
        .await
    }
}

/// What the members did, all together.
#[derive(Default)]
struct Desk {
    handled: HashMap<String, HashSet<u64>>,
    /// By key and session, the newest that was handled for the first time.
    newest: HashMap<(u64, String), u64>,
    /// Keys of which a record is being handled.
    busy: HashSet<u64>,
    again: u64,
    wrong: Vec<Violation>,
}

/// A record in somebody's hands; dropped unfinished, it was taken away.
struct Work {
    desk: Arc<Mutex<Desk>>,
    key: u64,
}

impl Work {
    fn begin(desk: Arc<Mutex<Desk>>, event: &GatewayEvent) -> Self {
        let key = event.guild.map_or(event.bot.get(), |guild| guild.get());
        if !lock(&desk).busy.insert(key) {
            let text =
                format!("two records of {key} are handled at once; one is {} of {}", event.sequence, event.session);
            lock(&desk).wrong.push(Violation { rule: Rule::Ordered, text });
        }
        Self { desk, key }
    }

    fn done(self, event: &GatewayEvent) {
        let mut desk = lock(&self.desk);
        if !desk.handled.entry(event.session.clone()).or_default().insert(event.sequence) {
            desk.again += 1;
            return;
        }
        let newest = desk.newest.entry((self.key, event.session.clone())).or_default();
        let passed = *newest;
        *newest = passed.max(event.sequence);
        if passed > event.sequence {
            let text = format!("{} of {} is handled after {passed}", event.sequence, event.session);
            desk.wrong.push(Violation { rule: Rule::Ordered, text });
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        lock(&self.desk).busy.remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
