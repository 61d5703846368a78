//! All bots of a process, kept as the table has them.

use std::{collections::HashMap, sync::Arc};

use common::service::Dependency;
use database::WhitelabelRow;
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

/// The bots that run, by id.
struct Fleet {
    cx: Cx,
    bots: HashMap<Id<ApplicationMarker>, Bot>,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

struct Bot {
    task: TaskId,
    /// The version of the row that the wish was made of.
    version: i32,
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
                fleet.adjust(&rows);
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
        let mut next = looked + timing.until_next_sweep();
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
    fn adjust(&mut self, rows: &[WhitelabelRow]) {
        let wanted: HashMap<_, _> = rows
            .iter()
            .filter(|row| row.bot.enabled && row.bot.refusal.is_none())
            .map(|row| (row.bot.bot, row))
            .collect();
        for (id, bot) in &self.bots {
            if !wanted.contains_key(id) {
                bot.wish.send_if_modified(|wish| wish.take().is_some());
            }
        }
        for (id, row) in wanted {
            match self.bots.get_mut(&id) {
                Some(bot) if bot.version == row.bot.version && bot.wish.borrow().is_some() => {}
                Some(bot) => {
                    bot.version = row.bot.version;
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
        Bot { task: task.id(), version: row.bot.version, wish: sender }
    }
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
