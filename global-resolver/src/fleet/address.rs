use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Inner, store};
use crate::limiter::Breaker;

/// Tells the others what this instance knows of the address that they share, and hears what they know.
pub(super) async fn keep(fleet: Arc<Inner>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut away = false;
    loop {
        match exchange(&fleet).await {
            Ok(()) => {
                fleet.redis.up();
                if std::mem::take(&mut away) {
                    tracing::info!("Redis answers: bots find their instances again");
                }
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                fleet.redis.down(format_args!("{error:#}"));
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(
                        "Redis does not answer; what this instance sends for, it does for {} s at most: {error:#}",
                        fleet.settings.lease.as_secs()
                    );
                }
            }
        }
        tokio::select! {
            () = sleep(fleet.settings.exchange) => {}
            () = fleet.banned.notified() => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

async fn exchange(fleet: &Inner) -> Result<(), store::Error> {
    let Inner { limiter, store, instance, .. } = fleet;
    let process = instance.trim_end_matches('.');
    let (ban, others) = store.exchange(process, &limiter.own_invalid(), limiter.ban()).await?;
    let invalid: usize = others.iter().map(|(_, count)| count).sum();
    if let Some(ban) = ban {
        limiter.ban_for(ban);
    }
    match limiter.hear(&others) {
        Some(Breaker::Warning) => tracing::warn!("other instances had {invalid} requests refused within 10 minutes"),
        Some(breaker @ (Breaker::Bulk | Breaker::All)) => tracing::error!(
            "other instances had {invalid} requests refused within 10 minutes: with those of this one that is near to a \
             ban of the address, and {} is sent until they are fewer",
            if breaker == Breaker::All { "nothing" } else { "only what somebody waits for" }
        ),
        Some(Breaker::Closed) | None => {}
    }
    Ok(())
}
