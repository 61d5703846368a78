use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, Settings,
    seat::{Lease, Seat},
    store::{self, Store},
};

/// So many leases are renewed by one question.
const TOGETHER: usize = 256;
/// What nobody used for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(10 * 60);

type Held = Vec<(Arc<Seat>, Arc<Lease>)>;

/// Renews the leases of this instance while they are used, and lets them go: those that nobody uses, and at the stop all of
/// them. `store` is for nothing else.
pub(super) async fn keep(fleet: Arc<Inner>, store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let Settings { renewal, idle, handover, .. } = fleet.settings;
    // Which server answered last.
    let mut run = String::new();
    while !fleet.leaving.is_cancelled() {
        give(&fleet, &store, |seat| seat.let_go(idle), Duration::ZERO).await;
        let renewed = renew(&fleet, &store, &mut run).await;
        forget(&fleet);
        tokio::select! {
            () = sleep(if renewed.is_ok() { renewal } else { renewal / 10 }) => {}
            () = fleet.leaving.cancelled() => {}
        }
    }
    // Calls that wait move to another instance; if there is none, this one takes the bot again, for a moment each time.
    loop {
        let over = stop.is_cancelled();
        give(&fleet, &store, Seat::leave, handover).await;
        if over {
            return Ok(());
        }
        tokio::select! {
            () = sleep(renewal / 10) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Asks for all leases to go on, and ends those that do not.
async fn renew(fleet: &Inner, store: &Store, run: &mut String) -> Result<(), store::Error> {
    let Settings { lease, margin, .. } = fleet.settings;
    let (held, mut ended): (Held, Held) = fleet.mine().into_iter().partition(|(_, lease)| lease.holds());
    let mut server = None;
    let mut outcome = Ok(());
    // Without any it is still to be known which server that is.
    let none = held.is_empty().then_some(&held[..]);
    for held in held.chunks(TOGETHER).chain(none) {
        let claims = held.iter().map(|(seat, lease)| (&*seat.whose.name, lease.value.as_str()));
        // Counted from before the question: Redis has it end later.
        let until = Instant::now() + lease.saturating_sub(margin);
        match store.renew(claims, run, lease).await {
            Ok((answered, goes_on)) => {
                let gone = held.iter().zip(goes_on).filter(|((_, lease), goes_on)| !goes_on || !lease.extend(until));
                ended.extend(gone.map(|(gone, _)| gone.clone()));
                server = Some(answered);
            }
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    let ended = ended.iter().filter(|(seat, lease)| seat.lost(lease)).count();
    if ended > 0 {
        fleet.metrics.lost.inc_by(ended as u64);
        tracing::warn!("the leases of {ended} bots ended: nothing is sent for them until Redis gives new ones");
    }
    if let Some(server) = server.filter(|server| server != run) {
        if !run.is_empty() {
            tracing::warn!(
                "Redis was restarted, or another took over: what it must know of the limits is written again"
            );
            for (seat, _) in held {
                fleet.memory.note(&seat.whose.name, fleet.limiter.facts(seat.whose.bot), Vec::new());
            }
        }
        *run = server;
    }
    outcome
}

/// Gives up the leases that `take` takes from their seats; others get them after the time that is left.
async fn give(fleet: &Inner, store: &Store, take: impl Fn(&Seat) -> Option<Arc<Lease>>, left: Duration) {
    let seats: Vec<_> = fleet.seats().values().cloned().collect();
    let free: Held = seats.into_iter().filter_map(|seat| take(&seat).map(|lease| (seat, lease))).collect();
    if free.is_empty() {
        return;
    }
    // The next owner must find it. A lease that cannot be given back ends by itself.
    let mut given = fleet.memory.write(store).await;
    for free in free.chunks(TOGETHER) {
        if given.is_ok() {
            let claims = free.iter().map(|(seat, lease)| (&*seat.whose.name, lease.value.as_str()));
            given = store.release(claims, left).await;
        }
    }
    if let Err(error) = given {
        tracing::debug!("{} bots are free when their leases end: {error}", free.len());
    }
}

/// Forgets what nobody has used for long.
fn forget(fleet: &Inner) {
    let mut forgotten = Vec::new();
    fleet.seats().retain(|bot, seat| {
        let used = Arc::strong_count(seat) > 1 || !seat.is_forgotten(FORGOTTEN);
        if !used {
            forgotten.push(*bot);
        }
        used
    });
    for bot in forgotten {
        fleet.limiter.forget(bot);
    }
}
