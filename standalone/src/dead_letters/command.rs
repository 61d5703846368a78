//! The command line of `dead-letters`.

use std::{collections::BTreeSet, io::Write, process::ExitCode, time::Duration};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use common::config::{self, Env};
use event_stream::{Class, GatewayEvents, KafkaConfig, LateInteractions, LetterId, Selection, dead_letters_of};
use time::OffsetDateTime;

use super::{list, replay, show, since};
use crate::cli::USAGE;

/// Records that no handler could take. Reads the KAFKA_* variables and no other.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The newest of them, and how many there are of each class.
    List {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// How many to show at most: the newest.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// Also those that were replayed.
        #[arg(long)]
        replayed: bool,
        /// One JSON object per letter and line, and at last one with the counts.
        #[arg(long)]
        json: bool,
    },
    /// One of them whole: headers and value. Tokens are cut.
    Show {
        /// Its id, as `list` shows it.
        #[arg(value_name = "ID")]
        id: LetterId,
    },
    /// Writes them back to the topic that they came from, and marks them as replayed.
    #[command(group = ArgGroup::new("letters").required(true).args(["ids", "all"]))]
    Replay {
        /// Which, as `list` shows their ids.
        #[arg(value_name = "ID", conflicts_with_all = ["topic", "class", "since"])]
        ids: Vec<LetterId>,
        /// All that were not replayed yet.
        #[arg(long)]
        all: bool,
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// Also those that were replayed before.
        #[arg(long)]
        again: bool,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which letters are meant.
#[derive(Args, Debug)]
pub struct Which {
    /// Only those of one topic.
    #[arg(long, value_enum)]
    topic: Option<Topic>,
    /// Only of one class: undecodable, discarded, exhausted, panicked or refused.
    #[arg(long, value_name = "CLASS")]
    class: Option<Class>,
    /// Only those that died since then: 45s, 30m, 2h, 7d.
    #[arg(long, value_name = "AGO", value_parser = since::parse)]
    since: Option<Duration>,
}

/// Whose dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Topic {
    Events,
    Interactions,
}

impl Topic {
    const ALL: [Topic; 2] = [Topic::Events, Topic::Interactions];

    fn dead_letters(self, config: &KafkaConfig) -> String {
        match self {
            Topic::Events => dead_letters_of::<GatewayEvents>(config),
            Topic::Interactions => dead_letters_of::<LateInteractions>(config),
        }
    }
}

impl Which {
    fn topics(&self, config: &KafkaConfig) -> Vec<String> {
        let wanted = |topic: &Topic| self.topic.is_none_or(|only| only == *topic);
        Topic::ALL.into_iter().filter(wanted).map(|topic| topic.dead_letters(config)).collect()
    }

    fn selection(&self) -> Selection {
        let since = self.since.and_then(|ago| OffsetDateTime::now_utc().checked_sub(ago.try_into().ok()?));
        Selection { class: self.class, since, ids: None }
    }
}

/// Runs the command.
///
/// Exit codes: 0 when it is done, 1 when it failed or a letter that was named could not be replayed, 64 when the command
/// line or the configuration is wrong.
pub fn run(command: Command) -> ExitCode {
    let config: KafkaConfig = match config::read(&mut Env::load()) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    if let Some(foreign) = named(&command).iter().find(|id| !is_of(&config, id)) {
        let topics = Topic::ALL.map(|topic| topic.dead_letters(&config)).join(" or ");
        return fail(USAGE, &format_args!("{foreign} is no id of this configuration: it must begin with {topics}"));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    match runtime.block_on(execute(&config, command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads our output has enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format_args!("{error:#}")),
    }
}

/// Whether everything was done that was asked for.
async fn execute(config: &KafkaConfig, command: Command) -> anyhow::Result<bool> {
    match command {
        Command::List { which, limit, replayed, json } => {
            let listing = list::Listing { limit, replayed, json };
            list::list(config, &which.topics(config), &which.selection(), listing).await.map(|()| true)
        }
        Command::Show { id } => show::show(config, &id).await,
        Command::Replay { ids, all: true, which, again, dry_run } => {
            debug_assert!(ids.is_empty());
            let how = event_stream::Replaying { dry_run, again };
            replay::all(config, &which.topics(config), &which.selection(), how).await
        }
        Command::Replay { ids, again, dry_run, .. } => {
            let ids: BTreeSet<LetterId> = ids.into_iter().collect();
            replay::named(config, ids, event_stream::Replaying { dry_run, again }).await
        }
    }
}

/// The letters that the command names.
fn named(command: &Command) -> &[LetterId] {
    match command {
        Command::List { .. } => &[],
        Command::Show { id } => std::slice::from_ref(id),
        Command::Replay { ids, .. } => ids,
    }
}

fn is_of(config: &KafkaConfig, id: &LetterId) -> bool {
    Topic::ALL.iter().any(|topic| topic.dead_letters(config) == id.topic)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    // Nobody is there to be told when this fails.
    let _ = writeln!(std::io::stderr(), "standalone dead-letters: {error}");
    ExitCode::from(code)
}
