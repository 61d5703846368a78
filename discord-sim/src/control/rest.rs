use std::time::{Duration, Instant};

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    rate_limits::{Mode, RateLimits},
    sim::Sim,
    state::State as World,
    storm::Storm,
};

/// What `POST /_sim/rest` changes. What is not named stays.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Change {
    /// The limits.
    Limits {
        mode: Option<Mode>,
        global: Option<usize>,
        scope_on_all: Option<bool>,
        invalid_limit: Option<usize>,
        ban_ms: Option<u64>,
        on_the_way_ms: Option<u64>,
    },
    /// Bans the address for this time; 0 lifts a ban.
    Ban { ms: u64 },
    /// Begins a storm, instead of one that blows: shares of all requests.
    Storm {
        seed: u64,
        limits: Option<f64>,
        errors: Option<f64>,
        lost: Option<f64>,
        stalls: Option<f64>,
        callbacks: Option<f64>,
    },
    /// Ends the storm.
    Calm,
}

/// `GET /_sim/rest`: how the REST API is disposed.
pub(super) async fn settings(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.read(told))
}

/// `POST /_sim/rest`: the same after a change.
pub(super) async fn change(State(sim): State<Sim>, Json(change): Json<Change>) -> Json<Value> {
    Json(sim.write(|state| {
        change.write_to(state);
        told(state)
    }))
}

fn told(state: &World) -> Value {
    let RateLimits { mode, global, scope_on_all, invalid_limit, ban_time, on_the_way, .. } = &state.rate_limits;
    json!({
        "limits": {
            "mode": mode, "global": global, "scope_on_all": scope_on_all, "invalid_limit": invalid_limit,
            "ban_ms": ban_time.as_millis(), "on_the_way_ms": on_the_way.as_millis(),
        },
        "banned": state.rate_limits.is_banned(Instant::now()), "storm": state.storm,
    })
}

impl Change {
    fn write_to(self, state: &mut World) {
        match self {
            Self::Limits { mode, global, scope_on_all, invalid_limit, ban_ms, on_the_way_ms } => {
                let limits = &mut state.rate_limits;
                limits.mode = mode.unwrap_or(limits.mode);
                limits.global = global.unwrap_or(limits.global);
                limits.scope_on_all = scope_on_all.unwrap_or(limits.scope_on_all);
                limits.invalid_limit = invalid_limit.unwrap_or(limits.invalid_limit);
                limits.ban_time = ban_ms.map_or(limits.ban_time, Duration::from_millis);
                limits.on_the_way = on_the_way_ms.map_or(limits.on_the_way, Duration::from_millis);
            }
            Self::Ban { ms } => state.rate_limits.ban(Duration::from_millis(ms), Instant::now()),
            Self::Storm { seed, limits, errors, lost, stalls, callbacks } => {
                let mut storm = Storm::new(seed);
                storm = limits.into_iter().fold(storm, Storm::limits);
                storm = errors.into_iter().fold(storm, Storm::errors);
                storm = lost.into_iter().fold(storm, Storm::lost);
                storm = stalls.into_iter().fold(storm, Storm::stalls);
                storm = callbacks.into_iter().fold(storm, Storm::callbacks);
                state.storm = Some(storm);
            }
            Self::Calm => state.storm = None,
        }
    }
}
