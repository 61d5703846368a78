//! Interactions that Discord sends over the gateway.

use std::{sync::Arc, time::Duration};

use common::discord;
use model::topics::GatewayEvent;
use time::OffsetDateTime;
use tokio::{task::JoinHandle, time::timeout};
use tracing::{error, info, warn};
use twilight_model::http::interaction::InteractionResponse;

use super::{
    follow_up::{finish_or_log, is_over, is_waiting},
    late::TOKEN_LIFE,
};
use crate::{
    context::Context,
    dispatch::{dispatch, find},
    interaction::{Interaction, Kind},
    refused::{Failure, failure},
    reply::{Reply, deferred},
    text::text,
};

/// How long a handler has until "the answer comes later" is said; Discord waits 3 s in all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Up to this age a first answer surely finds its click alive.
const FRESH: time::Duration = time::Duration::milliseconds(1_500);

/// Does what the click asks for and answers it.
///
/// What takes longer than 2 s goes on in the background, so that a slow click does not hold up the next event of its guild. A click that comes again has no second effect: each verb recognises its own work; and its answer is
/// completed where "the answer comes later" still stands.
pub async fn answer(cx: &Context, interaction: Interaction, event: &GatewayEvent) {
    let id = interaction.id;
    if interaction.application_id != cx.bot {
        warn!(interaction.id = %id, "interaction {id} is another application's");
        return;
    }
    let age = cx.clock.now() - event.received_at;
    if age >= TOKEN_LIFE {
        info!(interaction.id = %id, "interaction {id} came too late");
        return;
    }
    let interaction = Arc::new(interaction);
    let autocomplete = matches!(interaction.kind(), Kind::Autocomplete(_));
    let defers = find(&interaction).is_some_and(|found| found.defers());
    // An old click may be dead: its effect would surprise whoever gave up and pressed again. Discord knows.
    if !autocomplete && (defers || age > FRESH) {
        if let Ack::Given = defer(cx, &interaction, event.received_at).await {
            let work = work(cx, &interaction);
            finish_later(cx, &interaction, work);
        }
        return;
    }
    let mut work = work(cx, &interaction);
    let reply = match timeout(PATIENCE, &mut work).await {
        Ok(outcome) => outcome.unwrap_or_else(|panic| apology(&interaction, &panic)),
        Err(_) if autocomplete => return,
        Err(_) => {
            defer(cx, &interaction, event.received_at).await;
            finish_later(cx, &interaction, work);
            return;
        }
    };
    let response = reply.clone().into_response();
    match acknowledge(cx, &interaction, &response, event.received_at).await {
        Ok(()) => {}
        Err(error) if failure(&error) == Failure::Answered => {
            complete(cx, &interaction, reply).await;
        }
        Err(error) if is_over(&error) => {
            info!(interaction.id = %id, "interaction {id} expired");
        }
        Err(error) => {
            warn!(interaction.id = %id, "interaction {id} is left unanswered: {error}");
        }
    }
}

fn work(cx: &Context, interaction: &Arc<Interaction>) -> JoinHandle<Reply> {
    let (cx, interaction) = (cx.clone(), Arc::clone(interaction));
    cx.tasks.clone().spawn(async move { dispatch(&cx, &interaction, "gateway").await })
}

fn finish_later(cx: &Context, interaction: &Arc<Interaction>, work: JoinHandle<Reply>) {
    let (cx, interaction) = (cx.clone(), Arc::clone(interaction));
    cx.tasks.clone().spawn(async move {
        let reply = work.await.unwrap_or_else(|panic| apology(&interaction, &panic));
        finish_or_log(&cx, &interaction, reply).await;
    });
}

fn apology(interaction: &Interaction, panic: &tokio::task::JoinError) -> Reply {
    let id = interaction.id;
    error!(interaction.id = %id, "the handler of interaction {id} panicked: {panic}");
    Reply::text(&text("internal-error").with("id", id))
}

/// Whether "the answer comes later" was said.
enum Ack {
    /// By us, or by an earlier coming of the same click.
    Given,
    /// Nobody can answer any more, or Discord is away.
    Lost,
}

async fn defer(cx: &Context, interaction: &Interaction, received_at: OffsetDateTime) -> Ack {
    let id = interaction.id;
    match acknowledge(cx, interaction, &deferred(), received_at).await {
        Ok(()) => Ack::Given,
        Err(error) if failure(&error) == Failure::Answered => match is_waiting(cx, interaction).await {
            Ok(true) => Ack::Given,
            Ok(false) => Ack::Lost,
            Err(error) => {
                warn!(interaction.id = %id, "interaction {id}: is it answered? {error}");
                Ack::Lost
            }
        },
        Err(error) if is_over(&error) => {
            info!(interaction.id = %id, "interaction {id} expired");
            Ack::Lost
        }
        Err(error) => {
            warn!(interaction.id = %id, "interaction {id} is left unanswered: {error}");
            Ack::Lost
        }
    }
}

/// Somebody answered this click before: where only "the answer comes later" stands, a crash kept the rest from it.
async fn complete(cx: &Context, interaction: &Interaction, reply: Reply) {
    match is_waiting(cx, interaction).await {
        Ok(true) => finish_or_log(cx, interaction, reply).await,
        Ok(false) => {}
        Err(error) => {
            let id = interaction.id;
            warn!(interaction.id = %id, "interaction {id}: is it answered? {error}");
        }
    }
}

async fn acknowledge(
    cx: &Context,
    interaction: &Interaction,
    response: &InteractionResponse,
    received_at: OffsetDateTime,
) -> Result<(), discord::Error> {
    let client = cx.discord.requests().interaction(cx.bot);
    let request = client.create_response(interaction.id, &interaction.token, response);
    cx.send(request).await?;
    let elapsed = (cx.clock.now() - received_at).max(time::Duration::ZERO);
    let kind = interaction.kind().as_str();
    cx.metrics.ack_ms.with_label_values(&[kind]).observe(elapsed.as_seconds_f64() * 1_000.0);
    Ok(())
}
