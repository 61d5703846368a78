//! All bots of a process, kept as the table has them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use common::service::Dependency;
use database::{Unreadable, WhitelabelRow};
use tokio::{
    sync::{Notify, watch},
    task::{Id as TaskId, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{
    bot::{self, Cx, Wish},
    config::Process,
    presence::presence,
};

/// How soon a look that failed is repeated.
const AGAIN: Duration = Duration::from_secs(2);

/// The bots that run, by id.
struct Fleet {
    cx: Cx,
    bots: HashMap<Id<ApplicationMarker>, Bot>,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

struct Bot {
    task: TaskId,
    /// The versions of the row and of its token that the wish was made of.
    versions: (i32, i32),
    wish: watch::Sender<Option<Wish>>,
}

/// Compares the table with what runs, at each `wake` and after a while, until the stop; then waits until all bots have
/// left their sessions resumable.
pub(super) async fn run(
    cx: Cx,
    process: Process,
    wake: Arc<Notify>,
    postgres: Dependency,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let timing = cx.timing;
    let mut fleet = Fleet { cx, bots: HashMap::new(), tasks: JoinSet::new(), shutdown: shutdown.clone() };
    let mut away = false;
    while !shutdown.is_cancelled() {
        let looked = Instant::now();
        let listed = fleet.cx.db.clone();
        let rows = async { listed.whitelabel_bots().list_part(process.number, process.of).await };
        let Some(rows) = shutdown.run_until_cancelled(rows).await else { break };
        let result = match rows {
            Ok(rows) => {
                postgres.up();
                if std::mem::take(&mut away) {
                    tracing::info!("the table of bots can be read again");
                }
                fleet.take_in(rows);
                "done"
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                postgres.down(format_args!("{error:#}"));
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!("the table of bots cannot be read, those that run go on: {error:#}");
                }
                "failed"
            }
        };
        fleet.cx.metrics.sweeps.with_label_values(&[result]).inc();
        let mut next = looked + if away { AGAIN.min(timing.sweep) } else { timing.until_next_sweep() };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep_until(next) => break,
                () = wake.notified() => next = next.min(looked + timing.breath),
                Some(ended) = fleet.tasks.join_next_with_id() => {
                    let task = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    fleet.bots.retain(|_, bot| bot.task != task);
                    // It may be wanted again by now.
                    next = next.min(looked + timing.breath);
                }
            }
        }
    }
    while fleet.tasks.join_next().await.is_some() {}
    Ok(())
}

impl Fleet {
    /// A bot whose row cannot be read stays as it is, and the others do what theirs say.
    fn take_in(&mut self, rows: Vec<Result<WhitelabelRow, Unreadable>>) {
        let mut unreadable = HashSet::new();
        let mut readable = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(row) => readable.push(row),
                Err(Unreadable { bot, error }) => {
                    let error = anyhow::Error::from(error);
                    tracing::error!(?bot, "a whitelabel bot's row is passed over: {error:#}");
                    unreadable.extend(bot);
                }
            }
        }
        self.adjust(&readable, &unreadable);
    }

    fn adjust(&mut self, rows: &[WhitelabelRow], unreadable: &HashSet<Id<ApplicationMarker>>) {
        let wanted: HashMap<_, _> = rows
            .iter()
            .filter(|row| row.bot.enabled && row.bot.refusal.is_none())
            .map(|row| (row.bot.bot, row))
            .collect();
        for (id, bot) in &self.bots {
            if !wanted.contains_key(id) && !unreadable.contains(id) {
                bot.wish.send_if_modified(|wish| wish.take().is_some());
            }
        }
        for (id, row) in wanted {
            match self.bots.get_mut(&id) {
                Some(bot) if bot.versions == versions(row) && bot.wish.borrow().is_some() => {}
                Some(bot) => {
                    bot.versions = versions(row);
                    bot.wish.send_replace(Some(wish(row)));
                }
                None => {
                    let bot = self.start(row);
                    self.bots.insert(id, bot);
                }
            }
        }
        let count = |state: &str, matching: &dyn Fn(&&WhitelabelRow) -> bool| {
            let count = rows.iter().filter(matching).count();
            self.cx.metrics.bots.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        count("disabled", &|row| !row.bot.enabled);
        count("refused", &|row| row.bot.enabled && row.bot.refusal.is_some());
    }

    fn start(&mut self, row: &WhitelabelRow) -> Bot {
        let id = row.bot.bot;
        let (sender, wishes) = watch::channel(Some(wish(row)));
        let span = tracing::error_span!("bot", bot = %id);
        let running = bot::run(self.cx.clone(), id, wishes, self.shutdown.clone()).instrument(span);
        let task = self.tasks.spawn(running);
        Bot { task: task.id(), versions: versions(row), wish: sender }
    }
}

/// A row that was removed and added again begins to count anew; its token does not.
fn versions(row: &WhitelabelRow) -> (i32, i32) {
    (row.bot.version, row.bot.token_version)
}

fn wish(row: &WhitelabelRow) -> Wish {
    let shown = row.bot.presence.as_ref().and_then(|wanted| {
        presence(wanted)
            .inspect_err(|error| tracing::warn!(bot = %row.bot.bot, "bot {} shows nothing: {error}", row.bot.bot))
            .ok()
    });
    Wish {
        token: row.token.clone(),
        token_version: row.bot.token_version,
        message_content: row.bot.message_content,
        presence: shown,
    }
}
