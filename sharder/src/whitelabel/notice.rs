//! Tells owners that Discord refused their bot.

use std::{sync::Arc, time::Duration};

use common::{
    backoff,
    discord::{self, Discord},
};
use database::{Database, DueNotice};
use serde_json::json;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use twilight_model::channel::{Channel, Message};

use super::{Timing, config::Process, metrics::Metrics, refusal::remedy};

/// Tells whoever is to be told, at each `due` and after a while, until the stop.
pub(super) async fn run(
    db: Database,
    discord: Discord,
    process: Process,
    timing: Timing,
    metrics: Metrics,
    due: Arc<Notify>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let telling = async {
        loop {
            loop {
                match db.whitelabel_bots().lease_notice(process.number, process.of, timing.notice).await {
                    Ok(Some(notice)) => settle(&db, &discord, &metrics, &notice).await,
                    Ok(None) => break,
                    Err(error) => {
                        // The sweeps say that the database is away.
                        tracing::debug!("due notices cannot be read: {error}");
                        break;
                    }
                }
            }
            tokio::select! {
                () = due.notified() => {}
                () = sleep(timing.until_next_sweep()) => {}
            }
        }
    };
    shutdown.run_until_cancelled(telling).await.unwrap_or(Ok(()))
}

async fn settle(db: &Database, discord: &Discord, metrics: &Metrics, notice: &DueNotice) {
    let DueNotice { bot, code, .. } = notice;
    let result = match tell(discord, notice).await {
        Ok(()) => "told",
        Err(error) if is_final(&error) => {
            tracing::warn!(%bot, "the owner of bot {bot} cannot be told that Discord refused it ({code}): {error}");
            "undeliverable"
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::warn!(%bot, "the owner of bot {bot} is told later that Discord refused it ({code}): {error:#}");
            "failed"
        }
    };
    if result != "failed" {
        write_down(db, notice, result).await;
    }
    metrics.notices.with_label_values(&[result]).inc();
}

/// Tries on: Discord recognises a repeated notice only for some minutes.
async fn write_down(db: &Database, notice: &DueNotice, result: &str) {
    let bot = notice.bot;
    for wait in backoff::exponential(Duration::from_millis(200), Duration::from_secs(10)) {
        match db.whitelabel_bots().settle_notice(notice, result == "told").await {
            Ok(true) => return tracing::info!(%bot, "the notice to the owner of bot {bot} is {result}"),
            Ok(false) => return,
            Err(error) => tracing::warn!(%bot, "that the owner of bot {bot} was told is not written down yet: {error}"),
        }
        sleep(wait).await;
    }
}

async fn tell(discord: &Discord, notice: &DueNotice) -> Result<(), discord::Error> {
    let channel: Channel = discord.call(discord.requests().create_private_channel(notice.owner)).await?;
    let body = message(notice).to_string();
    let _sent: Message =
        discord.call(discord.requests().create_message(channel.id).payload_json(body.as_bytes())).await?;
    Ok(())
}

/// The message. Its nonce names the refusal: Discord answers a repeated one with the message that the first one made.
fn message(notice: &DueNotice) -> serde_json::Value {
    let DueNotice { bot, token_version, code, .. } = notice;
    json!({
        "content": format!(
            "Your bot <@{bot}> ({bot}) is offline, because Discord refused it (code {code}): {}. Nothing of it was \
             deleted; it connects again as soon as this is mended.",
            remedy(*code)
        ),
        "nonce": format!("{:x}.{token_version:x}", bot.get()),
        "enforce_nonce": true,
        "allowed_mentions": { "parse": [] },
    })
}

/// Whether Discord will not let us tell this person, whenever we try. A refused token of the public bot's is its own
/// trouble, and a page without a code of Discord's comes from something before it.
fn is_final(error: &discord::Error) -> bool {
    error.code().is_some()
        && error.status().is_some_and(|status| (400..500).contains(&status) && !matches!(status, 401 | 429))
}

#[cfg(test)]
mod tests {
    use twilight_model::id::Id;

    use super::*;

    #[test]
    fn a_nonce_is_short_enough_and_another_for_each_refusal() {
        let notice = |bot, token_version| DueNotice { bot: Id::new(bot), owner: Id::new(1), token_version, code: 4004 };
        let nonce = |bot, version| message(&notice(bot, version))["nonce"].as_str().unwrap().to_owned();
        assert!(nonce(u64::MAX, i32::MAX).len() <= 25);
        assert_ne!(nonce(1, 1), nonce(1, 2));
        assert_ne!(nonce(1, 1), nonce(2, 1));
        assert_ne!(nonce(0x11, 1), nonce(1, 0x11));
    }
}
