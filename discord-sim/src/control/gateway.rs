use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use twilight_model::id::{Id, marker::GuildMarker};

use crate::{
    chaos::{Chaos, Running},
    gateway::{Ending, Fault, Target},
    sim::Sim,
};

/// What `POST /_sim/gateway` does, and to whom: all bots, or those that `bot`, `shard` and `session` choose.
#[derive(Deserialize)]
pub(super) struct Order {
    #[serde(flatten)]
    on: Target,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum What {
    /// Ends connections, with a close code or without a word.
    Close { code: Option<u16> },
    /// Ends connections by a TCP reset.
    Reset,
    /// Ends connections within the next message.
    Cut,
    /// Asks to reconnect (op 7).
    Reconnect,
    /// op 9; without `resumable` the sessions end.
    Invalidate {
        #[serde(default)]
        resumable: bool,
    },
    /// Ends sessions as timed out (4009).
    TimeOut,
    /// Asks for a heartbeat (op 1).
    Heartbeat,
    /// Makes zombies.
    Silence,
    /// Sends a payload as it is: a text, or JSON.
    Send { payload: Value },
    /// Dispatches an event of any kind: `d` in the ordinary form, or a whole `frame` in which `{s}` stands for the sequence.
    Dispatch {
        t: String,
        #[serde(default)]
        d: Value,
        frame: Option<String>,
        guild: Option<Id<GuildMarker>>,
    },
    /// Adds a fault that lasts.
    Fault {
        #[serde(flatten)]
        fault: Fault,
        times: Option<u32>,
        lasting_ms: Option<u64>,
    },
    /// Takes back the faults of exactly these; of all bots, everything, and stops the chaos.
    Calm,
    /// Begins chaos, instead of one that is at work.
    Chaos {
        seed: u64,
        every_ms: Option<u64>,
        longest_ms: Option<u64>,
        #[serde(default)]
        spare_sessions: bool,
    },
}

/// The chaos that another process began.
#[derive(Debug, Default)]
pub(crate) struct AtWork(Mutex<Option<Running>>);

impl AtWork {
    fn replace(&self, with: Option<Running>) -> Option<Running> {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), with)
    }
}

pub(super) async fn disturb(State(sim): State<Sim>, Json(order): Json<Order>) -> StatusCode {
    let Order { on, what } = order;
    match what {
        What::Chaos { seed, every_ms, longest_ms, spare_sessions } => {
            let mut chaos = Chaos::new(seed).on(on);
            if let Some(every) = every_ms {
                chaos = chaos.every(Duration::from_millis(every));
            }
            if let Some(longest) = longest_ms {
                chaos = chaos.longest(Duration::from_millis(longest));
            }
            if spare_sessions {
                chaos = chaos.sparing_sessions();
            }
            if let Some(before) = sim.chaos().replace(None) {
                before.stop().await;
            }
            let running = chaos.start(&sim);
            sim.chaos().replace(Some(running));
        }
        What::Calm if on == Target::all() => {
            if let Some(running) = sim.chaos().replace(None) {
                running.stop().await;
            }
            sim.write(|state| state.sessions.faults.clear());
        }
        what => sim.write(|state| {
            let sessions = &mut state.sessions;
            match what {
                What::Close { code } => sessions.disconnect(&on, code.map_or(Ending::Drop, Ending::Close)),
                What::Reset => sessions.disconnect(&on, Ending::Reset),
                What::Cut => sessions.disconnect(&on, Ending::Cut),
                What::Reconnect => sessions.ask_to_reconnect(&on),
                What::Invalidate { resumable } => sessions.invalidate(&on, resumable),
                What::TimeOut => sessions.time_out(&on),
                What::Heartbeat => sessions.request_heartbeat(&on),
                What::Silence => sessions.silence(&on),
                What::Send { payload } => {
                    let text = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
                    sessions.send_plain(&on, &text);
                }
                What::Dispatch { t, d: _, frame: Some(frame), guild } => {
                    state.dispatch_as(&on, &t, guild, |sequence| frame.replace("{s}", &sequence.to_string()));
                }
                What::Dispatch { t, d, frame: None, guild } => state.dispatch_to(&on, &t, guild, &d),
                What::Fault { fault, times, lasting_ms } => {
                    let rule = sessions.faults.add(on, fault);
                    rule.times = times;
                    if let Some(time) = lasting_ms {
                        rule.lasting(Duration::from_millis(time));
                    }
                }
                What::Calm => sessions.faults.remove(&on),
                What::Chaos { .. } => {}
            }
        }),
    }
    StatusCode::NO_CONTENT
}
