//! Interactions that Discord sends over the gateway.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use common::discord;
use event_stream::LateInteractions;
use model::topics::{GatewayEvent, LateInteraction};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twilight_model::http::interaction::InteractionResponse;

use super::{
    follow_up::{is_over, is_waiting},
    late::TOKEN_LIFE,
    work::work,
};
use crate::{
    context::Context,
    dispatch::find,
    interaction::{Interaction, Kind},
    refused::{Failure, failure},
    reply::deferred,
};

/// How long Discord waits for the first answer.
const DISCORD_WAITS: Duration = Duration::from_secs(3);

/// How long after the receipt a handler has until "the answer comes later" is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// Up to this age a click is worked on before its first answer: half a second is left then, and Discord surely waits still.
const FRESH: Duration = Duration::from_millis(1_500);

/// Between two attempts to bring an answer to Discord.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a handler waits for Kafka to have a click. Others wait for its turn.
const KEEPING: Duration = Duration::from_secs(3);

/// Does what the click asks for and answers it.
///
/// What takes longer than 2 s from its receipt is answered by "the answer comes later" and left to the topic of late clicks
/// before this returns: so no click lives in this process alone, and a slow one does not hold up the next event of its guild.
/// A click that comes again has no second effect: each verb recognises its own work; and its answer is completed where "the
/// answer comes later" still stands.
///
/// # Errors
///
/// To be tried again while Kafka does not take the click, which was told "the answer comes later": Discord says then that it
/// waits still.
pub async fn answer(cx: &Context, interaction: Interaction, event: &GatewayEvent) -> Result<(), event_stream::Failure> {
    let id = interaction.id;
    if interaction.application_id != cx.bot {
        warn!(interaction.id = %id, "interaction {id} is another application's");
        return Ok(());
    }
    let age = age(cx, event.received_at);
    if age >= TOKEN_LIFE {
        info!(interaction.id = %id, "interaction {id} came too late");
        return Ok(());
    }
    let interaction = Arc::new(interaction);
    let autocomplete = matches!(interaction.kind(), Kind::Autocomplete(_));
    let defers = find(&interaction).is_some_and(|found| found.defers());
    // An old click may be dead: its effect would surprise whoever gave up and pressed again. Discord knows.
    if !autocomplete && (defers || age > FRESH) {
        return put_off(cx, &interaction, event).await;
    }
    let reply = match timeout(PATIENCE.saturating_sub(age), work(cx, &interaction, "gateway")).await {
        Ok(Some(reply)) => reply,
        _ if autocomplete => return Ok(()),
        // Slow, or the database is away.
        Ok(None) | Err(_) => return put_off(cx, &interaction, event).await,
    };
    match acknowledge(cx, &interaction, &reply.into_response(), event.received_at).await {
        Ok(()) => Ok(()),
        // Somebody answered this click before: where only "the answer comes later" stands, a crash kept the rest from it.
        Err(error) if failure(&error) == Failure::Answered => {
            if awaits(cx, &interaction).await {
                keep(cx, &interaction, event).await
            } else {
                Ok(())
            }
        }
        Err(error) => {
            unanswered(&interaction, &error);
            Ok(())
        }
    }
}

/// Says "the answer comes later", and leaves the click to the topic of late ones.
///
/// Not the other way round: a click that Discord has given up must have no effect.
async fn put_off(cx: &Context, interaction: &Interaction, event: &GatewayEvent) -> Result<(), event_stream::Failure> {
    let said = match acknowledge(cx, interaction, &deferred(), event.received_at).await {
        Ok(()) => true,
        // By an earlier coming of this click, or by an attempt whose answer was lost.
        Err(error) if failure(&error) == Failure::Answered || error.is_unclear() => awaits(cx, interaction).await,
        Err(error) => {
            unanswered(interaction, &error);
            false
        }
    };
    if said { keep(cx, interaction, event).await } else { Ok(()) }
}

/// Whether "the answer comes later" stands there and waits for us.
async fn awaits(cx: &Context, interaction: &Interaction) -> bool {
    is_waiting(cx, interaction).await.unwrap_or_else(|error| {
        let id = interaction.id;
        warn!(interaction.id = %id, "interaction {id}: is it answered? {error}");
        // Better twice than never: the second coming changes nothing that the first one did.
        true
    })
}

/// Leaves the click to the topic of late ones. Returns when Kafka has it, for until then the event counts as unfinished; where
/// this process ends first, the event comes again.
///
/// # Errors
///
/// When Kafka does not have it soon, though it may get it still. The consumer calls again, who lets others have their turn
/// meanwhile; Discord is asked anew each time, which the consumer's growing pauses bound.
async fn keep(cx: &Context, interaction: &Interaction, event: &GatewayEvent) -> Result<(), event_stream::Failure> {
    let id = interaction.id;
    let Some(payload) = data(&event.payload) else {
        warn!(interaction.id = %id, "interaction {id} cannot be cut out of its event");
        return Ok(());
    };
    let late = LateInteraction {
        bot: event.bot,
        interaction: id,
        guild: interaction.guild_id,
        received_at: event.received_at,
        trace: event.trace.map(|trace| trace.child(id.get())),
        payload,
    };
    let error = match timeout(KEEPING, cx.late_clicks.send::<LateInteractions>(&late)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => anyhow::Error::from(error),
        Err(late) => late.into(),
    };
    Err(event_stream::Failure::wait(error.context(format!("keep interaction {id} on Kafka"))))
}

/// What a frame carries, byte for byte.
fn data(frame: &Bytes) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        #[serde(borrow)]
        d: &'a RawValue,
    }
    let frame_of: Frame<'_> = serde_json::from_slice(frame).ok()?;
    Some(frame.slice_ref(frame_of.d.get().as_bytes()))
}

fn unanswered(interaction: &Interaction, error: &discord::Error) {
    let id = interaction.id;
    if is_over(error) {
        info!(interaction.id = %id, "interaction {id} expired");
    } else {
        warn!(interaction.id = %id, "interaction {id} is left unanswered: {error}");
    }
}

/// Gives the first answer; again while Discord stumbles and still waits.
async fn acknowledge(
    cx: &Context,
    interaction: &Interaction,
    response: &InteractionResponse,
    received_at: OffsetDateTime,
) -> Result<(), discord::Error> {
    let client = cx.discord.requests().interaction(cx.bot);
    loop {
        let request = client.create_response(interaction.id, &interaction.token, response);
        match cx.send(request).await {
            Ok(()) => break,
            Err(error) if failure(&error) == Failure::Later && age(cx, received_at) + PAUSE < DISCORD_WAITS => {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    cx.metrics.acknowledged(interaction.kind(), age(cx, received_at));
    Ok(())
}

/// How long ago the click was received; the sharder's clock may be ahead of ours.
fn age(cx: &Context, received_at: OffsetDateTime) -> Duration {
    (cx.clock.now() - received_at).try_into().unwrap_or_default()
}
