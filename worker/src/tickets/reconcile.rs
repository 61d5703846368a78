//! Finishes what a crash, a timeout or a refusal left half done.
//!
//! Every opening and closing has a lease. Whose lease ended is nobody's work any more: the reconciler takes a new one and
//! goes on. Rows without a channel get one or are given up; channels whose row did not learn of them are found by the
//! mark in their topic. It also forgets clicks and events that are too old to come again.

use std::{sync::Arc, time::Duration};

use common::service::Service;
use futures_util::future::join_all;
use model::{Ticket, TicketState};
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::{
    context::Context,
    refused::{again_in, failure},
    tickets::{
        channel,
        close::{self, Closing},
        lease,
        open::{self, Cause, Unfinished},
    },
};

/// How often it looks. The query is one look into a short index.
const EVERY: Duration = Duration::from_secs(5);

/// For how long it has a ticket for itself: as long as an opening takes at most, and some.
const LEASE: Duration = Duration::from_secs(60);

/// How many it works on at once: most of the time each waits for Discord. One that is slow holds up its own place alone.
const AT_ONCE: usize = 32;

/// How often old rows of the inbox are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(10 * 60);

/// For how long the inbox knows a click or an event. By default Kafka keeps a record for 7 days once its segment is
/// closed, which may take 7 days more, and a group that is made anew reads from the oldest; nobody works on a click that
/// is older than 15 minutes.
pub const INBOX_KEPT: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// Rows deleted by one statement: it holds nobody up.
const PURGE_BATCH: u32 = 500;

/// Looks at once, then again and again until the stop.
///
/// # Errors
///
/// None: what fails is tried again.
pub async fn run(cx: Context, service: Service) -> anyhow::Result<()> {
    let shutdown = service.shutdown();
    // Nothing else asks the database at regular times, so readiness hangs on this.
    let postgres = service.dependency("postgres");
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut purges = interval(PURGE_EVERY);
    purges.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = purges.tick() => {
                if let Some(Err(error)) = shutdown.run_until_cancelled(purge(&cx, INBOX_KEPT)).await {
                    warn!("old clicks stay in the inbox for now: {:#}", anyhow::Error::from(error));
                }
                continue;
            }
            _ = ticks.tick() => {}
            () = cx.wake.notified() => {}
        }
        while !shutdown.is_cancelled() {
            match take(&cx, &places).await {
                Ok(work) => {
                    postgres.up();
                    if work.is_empty() {
                        break;
                    }
                    info!("took over {} openings and closings", work.len());
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    warn!("the reconciler cannot look: {error:#}");
                    postgres.down(format_args!("{error:#}"));
                    break;
                }
            }
        }
    }
}

/// Forgets the clicks and events that had their effect longer ago than `kept`, batch by batch, and says how many.
///
/// # Errors
///
/// When they cannot be deleted; what was deleted before is.
pub async fn purge(cx: &Context, kept: Duration) -> Result<u64, database::Error> {
    let mut purged = 0;
    loop {
        let batch = cx.db.inbox().purge(cx.bot, kept, PURGE_BATCH).await?;
        purged += batch;
        if batch < u64::from(PURGE_BATCH) {
            return Ok(purged);
        }
    }
}

/// Takes over a batch of what nobody works on, finishes it, and says how many those were.
///
/// # Errors
///
/// When they cannot be read. A ticket that fails is logged, and comes again when its new lease ends.
pub async fn pass(cx: &Context) -> Result<usize, database::Error> {
    let work = take(cx, &Arc::new(Semaphore::new(AT_ONCE))).await?;
    Ok(join_all(work).await.len())
}

/// Takes over as many as there are free places, and begins to work on them.
async fn take(cx: &Context, places: &Arc<Semaphore>) -> Result<Vec<JoinHandle<()>>, database::Error> {
    // Also without a free place it asks: readiness hangs on the answer.
    let free = places.available_permits();
    let limit = u32::try_from(free).unwrap_or(u32::MAX);
    let stuck = cx.db.tickets().lease_stuck(cx.bot, limit, LEASE).await?;
    let full = stuck.len() == free;
    let begin = |ticket: Ticket| {
        // Nobody else takes places, so as many as were free are free.
        let place = places.clone().try_acquire_owned();
        let cx = cx.for_guild(ticket.key.guild);
        cx.tasks.clone().spawn(async move {
            finish(&cx, ticket).await;
            drop(place);
            if full {
                // There may be more than there were places.
                cx.wake.notify_one();
            }
        })
    };
    Ok(stuck.into_iter().map(begin).collect())
}

async fn finish(cx: &Context, ticket: Ticket) {
    match ticket.state {
        TicketState::Opening => {
            let (id, held) = (ticket.key, ticket.clone());
            match finish_opening(cx, ticket).await {
                Ok(_) => cx.metrics.reconciled.with_label_values(&["opening"]).inc(),
                Err(error) => {
                    if let Unfinished::PutOff(error) = &error {
                        lease::shorten(cx, &held, again_in(error)).await;
                    }
                    let error = anyhow::Error::from(error);
                    warn!(ticket.id = %id, "the opening of ticket {id} is not finished: {error:#}");
                }
            }
        }
        TicketState::Closing => {
            // Whoever opened a ticket waits for it; nobody waits for this.
            let closed = close::drive_and_log(&cx.in_bulk(), Closing::resumed(ticket)).await;
            cx.metrics.reconciled.with_label_values(&["closing"]).inc_by(u64::from(closed));
        }
        _ => {}
    }
}

async fn finish_opening(cx: &Context, mut ticket: Ticket) -> Result<Ticket, Unfinished> {
    let settings = cx.db.settings().by_guild(ticket.key.guild).await?;
    if ticket.channel.is_none() {
        let made = match channel::find_made(cx, &ticket).await {
            Ok(made) => made,
            Err(error) if failure(&error).is_undecided() => return Err(Unfinished::PutOff(error)),
            // The bot has no access to the guild any more: it will never know, and never make a channel.
            Err(_) => return open::abandon(cx, &ticket, Cause::Permissions).await,
        };
        // The first stays, and those behind it are given back.
        for channel in made {
            ticket = open::note_channel(cx, &ticket, channel).await?;
        }
        if ticket.state != TicketState::Opening {
            return Ok(ticket);
        }
    }
    open::make(cx, &settings, &ticket).await
}
