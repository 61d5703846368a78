//! The way to the application: signed POST to its endpoint, or INTERACTION_CREATE over its gateway session.

use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, InteractionMarker},
};

use super::{DEADLINE, answer, create, kind};
use crate::{
    rest::Body,
    sim::Sim,
    state::{Audience, Event, Interaction},
};

/// Delivers an interaction and fails it when no answer comes in time.
pub(super) async fn deliver(sim: Sim, interaction: Interaction) {
    let deadline = tokio::time::Instant::now() + sim.read(|state| state.interaction_deadline).unwrap_or(DEADLINE);
    let id = interaction.id;
    let target = sim.read(|state| {
        state
            .applications
            .get(&interaction.application_id)
            .map(|found| (found.interactions_endpoint_url.clone(), found.signing_key.clone()))
    });
    match target {
        Some((Some(url), key)) => {
            match tokio::time::timeout_at(deadline, post(&sim, &url, &key, &interaction.payload)).await {
                Ok(Ok(Reply::Answer(json))) => {
                    let body = Body { json, files: Vec::new() };
                    if let Err(error) = sim.write(|state| answer::apply(state, id, &body)) {
                        wrong(&sim, id, &format!("the endpoint's answer is not valid: {}", error.body()));
                    }
                }
                // 202: the answer comes by a callback.
                Ok(Ok(Reply::ByCallback)) => {}
                Ok(Err(why)) => wrong(&sim, id, &why),
                Err(_) => {}
            }
        }
        Some((None, _)) => sim.write(|state| {
            let data = interaction.payload.clone();
            state.emit(Event {
                kind: "INTERACTION_CREATE",
                data,
                audience: Audience::Bot(interaction.application_id, interaction.guild_id),
            });
        }),
        None => {}
    }
    // The callback may still be under way; only its absence at the deadline is a failure.
    tokio::time::sleep_until(deadline).await;
    fail(&sim, id);
}

enum Reply {
    Answer(Value),
    ByCallback,
}

async fn post(sim: &Sim, url: &str, key: &SigningKey, payload: &Value) -> Result<Reply, String> {
    let response = signed(sim, url, key, payload, false).await?;
    match response.status().as_u16() {
        200 => response
            .json()
            .await
            .map(Reply::Answer)
            .map_err(|error| format!("the endpoint's answer is no JSON: {error}")),
        202 => Ok(Reply::ByCallback),
        status => Err(format!("the endpoint answered {status}")),
    }
}

/// POSTs with Discord's two headers; `forged` breaks the signature on purpose, as Discord does to probe endpoints.
async fn signed(
    sim: &Sim,
    url: &str,
    key: &SigningKey,
    payload: &Value,
    forged: bool,
) -> Result<reqwest::Response, String> {
    let body = payload.to_string();
    let timestamp = sim.read(|state| state.now().unix_timestamp()).to_string();
    let mut signature = key.sign(format!("{timestamp}{body}").as_bytes()).to_bytes();
    if forged {
        signature[10] ^= 0x55;
    }
    let request = sim
        .http()
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", "Discord-Interactions/1.0 (+https://discord.com)");
    let request = request
        .header("x-signature-ed25519", hex::encode(signature))
        .header("x-signature-timestamp", timestamp)
        .body(body);
    request.send().await.map_err(|error| format!("the endpoint cannot be reached: {error}"))
}

fn wrong(sim: &Sim, id: Id<InteractionMarker>, why: &str) {
    sim.write(|state| state.ledger.failed_interactions.push((id, why.to_owned())));
    tracing::warn!("interaction {id} failed: {why}");
    fail(sim, id);
}

fn fail(sim: &Sim, id: Id<InteractionMarker>) {
    sim.write(|state| {
        let Some(interaction) = state
            .interactions
            .get_mut(&id)
            .filter(|interaction| interaction.acknowledged.is_none() && !interaction.failed)
        else {
            return;
        };
        interaction.failed = true;
        let interaction = interaction.clone();
        create::tell_client(state, &interaction, "INTERACTION_FAILURE", json!({ "reason_code": 2 }));
    });
}

impl Sim {
    /// Sets an application's interactions endpoint after asking it twice, as the developer portal does: a PING must be answered with
    /// `{"type":1}`, and a PING with a wrong signature with 401.
    ///
    /// # Errors
    ///
    /// What the portal would say.
    pub async fn set_interactions_endpoint(&self, application: Id<ApplicationMarker>, url: &str) -> Result<(), String> {
        let key = self
            .read(|state| state.applications.get(&application).map(|found| found.signing_key.clone()))
            .ok_or("no such application")?;
        let ping = json!({
            "id": self.read(|state| state.new_id::<InteractionMarker>()), "application_id": application, "type": kind::PING, "token": "ping", "version": 1,
            "entitlements": [], "authorizing_integration_owners": {}, "attachment_size_limit": 10_485_760,
        });
        let answer = signed(self, url, &key, &ping, false).await?;
        let status = answer.status();
        let json_type =
            answer.headers().get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        let body: Value = answer.json().await.unwrap_or_default();
        if status != 200 || body["type"] != 1 || !json_type {
            return Err(format!(
                "The specified interactions endpoint url could not be verified: PING was answered with {status} {body}"
            ));
        }
        let probe = signed(self, url, &key, &ping, true).await?;
        if probe.status() != 401 {
            return Err(format!(
                "The specified interactions endpoint url could not be verified: a forged signature was answered with {}",
                probe.status()
            ));
        }
        self.write(|state| {
            if let Some(found) = state.applications.get_mut(&application) {
                found.interactions_endpoint_url = Some(url.to_owned());
            }
        });
        Ok(())
    }
}
