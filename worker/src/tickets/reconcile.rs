//! Finishes what a crash, a timeout or a refusal left half done.
//!
//! Every opening and closing has a lease. Whose lease ended is nobody's work any more: the reconciler takes a new one and
//! goes on. Rows without a channel get one or are given up; channels whose row did not learn of them are found by the
//! mark in their topic.

use std::time::Duration;

use common::service::Service;
use model::{Ticket, TicketState};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::{
    context::Context,
    refused::{Failure, failure},
    tickets::{
        channel,
        close::{self, Closing},
        open::{self, Cause},
    },
};

/// How often it looks. The query is one look into a short index.
const EVERY: Duration = Duration::from_secs(15);

/// For how long it has a ticket for itself: as long as an opening takes at most, and some.
const LEASE: Duration = Duration::from_secs(60);

/// How many it takes at once; they are done one after another, inside of the lease's order of magnitude.
const BATCH: u32 = 8;

/// Looks at once, then again and again until the stop.
///
/// # Errors
///
/// None: what fails is tried again.
pub async fn run(cx: Context, service: Service) -> anyhow::Result<()> {
    let shutdown = service.shutdown();
    // Nothing else asks the database at regular times, so readiness hangs on this.
    let postgres = service.dependency("postgres");
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
            () = cx.wake.notified() => {}
        }
        while !shutdown.is_cancelled() {
            match pass(&cx).await {
                Ok(taken) => {
                    postgres.up();
                    if taken == 0 {
                        break;
                    }
                    info!("took over {taken} openings and closings");
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

/// Takes over a batch of what nobody works on, and says how many those were.
///
/// # Errors
///
/// When they cannot be read. A ticket that fails is logged, and comes again when its new lease ends.
pub async fn pass(cx: &Context) -> Result<usize, database::Error> {
    let stuck = cx.db.tickets().lease_stuck(cx.bot, BATCH, LEASE).await?;
    let taken = stuck.len();
    let work = stuck.into_iter().map(|ticket| async move {
        match ticket.state {
            TicketState::Opening => finish_opening(cx, &ticket).await,
            TicketState::Closing => finish_closing(cx, ticket).await,
            _ => {}
        }
    });
    futures_util::future::join_all(work).await;
    Ok(taken)
}

async fn finish_opening(cx: &Context, ticket: &Ticket) {
    let id = ticket.key;
    let outcome = async {
        let settings = cx.db.settings().by_guild(id.guild).await?;
        let made = match channel::find_made(cx, ticket).await {
            Ok(made) => made,
            // The bot has no access to the guild any more: it will never know, and never make a channel.
            Err(error) if failure(&error) != Failure::Later => {
                let cause = Cause::Permissions.as_str();
                cx.db.tickets().set_abandoned(id, cause).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        if let Some((_, spare)) = made.split_first() {
            for channel in spare {
                open::give_back(cx, ticket, *channel).await;
            }
        }
        let first = made.first().copied();
        anyhow::Ok(open::make(cx, &settings, ticket, None, first).await?)
    };
    match outcome.await {
        Ok(_) => cx.metrics.reconciled.with_label_values(&["opening"]).inc(),
        Err(error) => {
            warn!(ticket.id = %id, "the opening of ticket {id} is not finished: {error:#}");
        }
    }
}

async fn finish_closing(cx: &Context, ticket: Ticket) {
    if close::drive_and_log(cx, Closing::resumed(ticket)).await {
        cx.metrics.reconciled.with_label_values(&["closing"]).inc();
    }
}
