//! `dead-letters replay`.

use std::{
    collections::BTreeSet,
    fmt,
    io::Write,
    time::{Duration, Instant},
};

use event_stream::{KafkaConfig, LetterId, Producer, Profile, Replaying, Selection, Told, replay};

/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(1);
/// So many letters that cannot be replayed are named where all were asked for; the rest are only counted.
const NAMED: u64 = 20;

/// Replays every letter of these topics. Those that cannot be replayed are named and passed over.
pub(super) async fn all(
    config: &KafkaConfig,
    topics: &[String],
    selection: &Selection,
    replaying: Replaying,
) -> anyhow::Result<bool> {
    let mut report = Report::new(replaying, None);
    let outcome = run(config, topics, selection, replaying, &mut report).await;
    report.end()?;
    outcome.map(|()| true)
}

/// Replays these letters. `false` where one is not there or cannot be replayed; the others are replayed all the same.
pub(super) async fn named(config: &KafkaConfig, ids: BTreeSet<LetterId>, replaying: Replaying) -> anyhow::Result<bool> {
    let topics: BTreeSet<String> = ids.iter().map(|id| id.topic.clone()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let mut report = Report::new(replaying, Some(ids.clone()));
    let selection = Selection { ids: Some(ids), ..Selection::default() };
    let outcome = run(config, &topics, &selection, replaying, &mut report).await;
    let missing = report.missing.take().unwrap_or_default();
    if outcome.is_ok() {
        for id in &missing {
            report.say(&format_args!("there is no dead letter {id}"));
        }
    }
    let complete = report.never == 0 && missing.is_empty();
    report.end()?;
    outcome.map(|()| complete)
}

async fn run(
    config: &KafkaConfig,
    topics: &[String],
    selection: &Selection,
    replaying: Replaying,
    report: &mut Report,
) -> anyhow::Result<()> {
    let producer = Producer::connect(config, "tickets-replay", Profile::Interactive).await?;
    for topic in topics {
        replay(config, &producer, topic, selection, replaying, |told| report.note(told)).await?;
    }
    Ok(())
}

/// What was done so far.
struct Report {
    replaying: Replaying,
    replayed: u64,
    before: u64,
    never: u64,
    // Those that were named, and of which nothing was heard yet.
    missing: Option<BTreeSet<LetterId>>,
    next_progress: Instant,
}

impl Report {
    fn new(replaying: Replaying, missing: Option<BTreeSet<LetterId>>) -> Report {
        Report { replaying, replayed: 0, before: 0, never: 0, missing, next_progress: Instant::now() + PROGRESS }
    }

    fn note(&mut self, told: Told) {
        let (Told::Replayed(id) | Told::Spared(id, _)) = &told;
        let named = self.missing.as_mut().is_some_and(|missing| missing.remove(id));
        match told {
            Told::Replayed(id) => {
                self.replayed += 1;
                if self.replaying.dry_run {
                    self.say(&format_args!("{id} would be replayed"));
                }
            }
            Told::Spared(id, spared) if spared.is_for_good() => {
                self.never += 1;
                if named || self.never <= NAMED {
                    self.say(&format_args!("{id} {spared}"));
                }
            }
            Told::Spared(id, spared) => {
                self.before += 1;
                if named {
                    self.say(&format_args!("{id} {spared}; --again replays it once more"));
                }
            }
        }
        if Instant::now() >= self.next_progress {
            self.next_progress = Instant::now() + PROGRESS;
            self.say(&format_args!("{} so far …", self.replayed));
        }
    }

    fn say(&self, text: &dyn fmt::Display) {
        // What is done is done, whether or not anybody reads of it.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn end(&self) -> std::io::Result<()> {
        let verb = if self.replaying.dry_run { "would replay" } else { "replayed" };
        let mut out = std::io::stdout().lock();
        write!(out, "{verb} {}", self.replayed)?;
        if self.before > 0 {
            write!(out, ", {} were replayed before", self.before)?;
        }
        if self.never > 0 {
            write!(out, ", {} cannot be replayed", self.never)?;
        }
        writeln!(out)?;
        out.flush()
    }
}
