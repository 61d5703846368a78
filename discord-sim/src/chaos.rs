//! A driver that lets faults of every kind happen, drawn from a seed: the same seed strikes in the same way at the same times.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twilight_model::id::{Id, marker::GuildMarker};

use crate::{
    Sim,
    gateway::{Ending, Fault, Refusal, Target},
    ledger::Blow,
    state::{Principal, State},
};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// A connection is closed with a code that may be resumed after.
    Close,
    /// A connection ends without a close frame.
    Drop,
    /// A connection is reset.
    Reset,
    /// A connection ends within a message.
    Cut,
    /// op 7.
    Reconnect,
    /// op 9 `d: true`.
    InvalidateResumable,
    /// op 9 `d: false`: ends the session.
    Invalidate,
    /// Close code 4009: ends the session.
    TimeOut,
    /// A connection becomes a zombie.
    Silence,
    /// The next RESUME is answered by op 9 `d: false`: ends the session.
    RefuseResume,
    /// The next RESUME is answered by op 9 `d: true`.
    DeferResume,
    /// The next RESUME is answered by the end of the connection.
    HangUpOnResume,
    /// HELLO comes late for a while.
    HelloLate,
    /// HELLO does not come for a while.
    HelloMissing,
    /// Heartbeats are acknowledged late for a while.
    AckLate,
    /// The next heartbeat is not acknowledged.
    AckMissing,
    /// The next replay comes twice.
    ReplayTwice,
    /// The next replay begins too early.
    ReplayEarlier,
    /// Frames come slowly for a while.
    Slow,
    /// Frames are held back for a while, then come all at once.
    Held,
    /// A guild is away for a while.
    Outage,
    /// op 1.
    HeartbeatRequest,
    /// An event of an unknown kind and an odd shape.
    OddEvent,
    /// An unknown opcode.
    UnknownOpcode,
}

impl Strike {
    /// All there are.
    pub const ALL: [Self; 24] = [
        Self::Close,
        Self::Drop,
        Self::Reset,
        Self::Cut,
        Self::Reconnect,
        Self::InvalidateResumable,
        Self::Invalidate,
        Self::TimeOut,
        Self::Silence,
        Self::RefuseResume,
        Self::DeferResume,
        Self::HangUpOnResume,
        Self::HelloLate,
        Self::HelloMissing,
        Self::AckLate,
        Self::AckMissing,
        Self::ReplayTwice,
        Self::ReplayEarlier,
        Self::Slow,
        Self::Held,
        Self::Outage,
        Self::HeartbeatRequest,
        Self::OddEvent,
        Self::UnknownOpcode,
    ];

    /// Whether it ends a session, so that events may be lost and an IDENTIFY follows.
    pub fn ends_sessions(self) -> bool {
        matches!(self, Self::Invalidate | Self::TimeOut | Self::RefuseResume)
    }
}

/// What is to happen, and how hard. It never strikes more than one shard at once, and what lasts is over after [`Chaos::longest`].
#[derive(Clone, Debug)]
pub struct Chaos {
    seed: u64,
    on: Target,
    every: Duration,
    longest: Duration,
    strikes: Vec<Strike>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Wait before it.
    pub after: Duration,
    /// What happens.
    pub strike: Strike,
    /// Which of the sessions, or guilds, that are there then: modulo their number.
    pub whom: u32,
    /// How long it lasts, if it lasts.
    pub lasts: Duration,
}

/// The steps of a seed, without end.
#[derive(Debug)]
pub struct Plan {
    rng: StdRng,
    chaos: Chaos,
}

/// A driver at work. It stops when it is dropped, and leaves what it began; [`Running::stop`] tidies up.
#[derive(Debug)]
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    sim: Sim,
}

impl Chaos {
    /// All that can happen, to all bots, every half second, for at most a second each.
    pub fn new(seed: u64) -> Self {
        let (every, longest) = (Duration::from_millis(500), Duration::from_secs(1));
        Self { seed, on: Target::all(), every, longest, strikes: Strike::ALL.to_vec() }
    }

    /// Strikes only these sessions.
    pub fn on(mut self, target: Target) -> Self {
        self.on = target;
        self
    }

    /// Strikes so often on average.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// What lasts is over after this time.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Only these.
    pub fn only(mut self, strikes: &[Strike]) -> Self {
        self.strikes = strikes.to_vec();
        self
    }

    /// All but these.
    pub fn without(mut self, strikes: &[Strike]) -> Self {
        self.strikes.retain(|strike| !strikes.contains(strike));
        self
    }

    /// Nothing that ends a session: then nothing may be lost, and nobody has to IDENTIFY.
    pub fn sparing_sessions(mut self) -> Self {
        self.strikes.retain(|strike| !strike.ends_sessions());
        self
    }

    /// What the seed has in store.
    pub fn plan(&self) -> Plan {
        Plan { rng: StdRng::seed_from_u64(self.seed), chaos: self.clone() }
    }

    /// Begins.
    pub fn start(self, sim: &Sim) -> Running {
        let stop = CancellationToken::new();
        let task = tokio::spawn(drive(sim.clone(), self, stop.clone()));
        Running { stop, task, sim: sim.clone() }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let Chaos { every, longest, strikes, .. } = &self.chaos;
        if strikes.is_empty() {
            return None;
        }
        // What ends a session is drawn half as often: the way back is long.
        let mut strike = strikes[self.rng.random_range(0..strikes.len())];
        if strike.ends_sessions() && self.rng.random_range(0..2) == 0 {
            strike = strikes[self.rng.random_range(0..strikes.len())];
        }
        Some(Step {
            after: every.mul_f64(self.rng.random_range(0.5..1.5)),
            strike,
            whom: self.rng.random_range(0..u32::MAX),
            lasts: longest.mul_f64(self.rng.random_range(0.1..1.0)),
        })
    }
}

impl Running {
    /// Stops, takes back what lasts, and returns what was done.
    pub async fn stop(mut self) -> Vec<Blow> {
        self.stop.cancel();
        // Nothing in it panics, and nobody aborts it.
        drop((&mut self.task).await);
        self.sim.read(|state| state.ledger.chaos.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What is to be taken back at the end.
#[derive(Debug, Default)]
struct Begun {
    outages: Vec<(Instant, Id<GuildMarker>)>,
    rules: Vec<Target>,
}

async fn drive(sim: Sim, chaos: Chaos, stop: CancellationToken) {
    let began = Instant::now();
    let mut begun = Begun::default();
    let stopped = sim.stopped();
    for step in chaos.plan() {
        let due = Instant::now() + step.after;
        loop {
            let next = begun.outages.iter().map(|(until, _)| *until).chain([due]).min().unwrap_or(due);
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = stop.cancelled() => {}
                () = stopped.cancelled() => {}
            }
            let over = stop.is_cancelled() || stopped.is_cancelled();
            let now = Instant::now();
            for (_, guild) in begun.outages.extract_if(.., |(until, _)| over || *until <= now) {
                sim.write(|state| state.set_unavailable(guild, false));
            }
            if over {
                sim.write(|state| begun.rules.iter().for_each(|on| state.sessions.faults.remove(on)));
                return;
            }
            if now >= due {
                break;
            }
        }
        sim.write(|state| {
            if let Some(what) = strike(state, &chaos.on, &step, &mut begun) {
                state.ledger.chaos.push(Blow { at: began.elapsed(), what });
            }
        });
    }
}

/// Does one step; what it did, when there was somebody to do it to.
fn strike(state: &mut State, on: &Target, step: &Step, begun: &mut Begun) -> Option<String> {
    let pick = |count: usize| usize::try_from(step.whom).unwrap_or(0).checked_rem(count);
    let (lasts, what) = (step.lasts, step.strike);
    if what == Strike::Outage {
        let guild = *state.guilds.keys().nth(pick(state.guilds.len())?)?;
        if state.guilds.get(&guild).is_some_and(|guild| guild.unavailable) {
            return None;
        }
        state.set_unavailable(guild, true);
        begun.outages.push((Instant::now() + lasts, guild));
        return Some(format!("Outage of guild {guild} for {lasts:?}"));
    }
    let sessions: Vec<_> = state.sessions.of_bots().into_iter().filter(|session| on.hits(session)).collect();
    let session = sessions.get(pick(sessions.len())?)?;
    let Principal::Bot(bot) = session.principal else { return None };
    let (shard, one) = (session.shard[0], Target::session(session.id.clone()));
    let sessions = &mut state.sessions;
    // What lasts does not pile up.
    sessions.faults.remove(&one);
    if !begun.rules.contains(&one) {
        begun.rules.push(one.clone());
    }
    let mut rule = |fault: Fault| {
        sessions.faults.add(one.clone(), fault).lasting(lasts);
    };
    let once = Duration::from_secs(60);
    match what {
        Strike::HelloLate => rule(Fault::HelloLate { by: lasts }),
        Strike::HelloMissing => rule(Fault::HelloMissing),
        Strike::AckLate => rule(Fault::AckLate { by: lasts }),
        Strike::Slow => rule(Fault::Slow { per_frame: Duration::from_millis(2), bytes_per_second: Some(200_000) }),
        Strike::Held => rule(Fault::Held),
        Strike::AckMissing => {
            sessions.faults.add(one, Fault::AckMissing).times(1).lasting(once);
        }
        Strike::RefuseResume => refuse(state, one, Refusal::Invalid),
        Strike::DeferResume => refuse(state, one, Refusal::TryAgain),
        Strike::HangUpOnResume => refuse(state, one, Refusal::HangUp),
        Strike::ReplayTwice | Strike::ReplayEarlier => {
            let fault = if what == Strike::ReplayTwice { Fault::ReplayTwice } else { Fault::ReplayEarlier { by: 50 } };
            sessions.faults.add(one.clone(), fault).times(1).lasting(once);
            sessions.disconnect(&one, Ending::Drop);
        }
        Strike::Close => sessions.disconnect(&one, Ending::Close(4000)),
        Strike::Drop => sessions.disconnect(&one, Ending::Drop),
        Strike::Reset => sessions.disconnect(&one, Ending::Reset),
        Strike::Cut => sessions.disconnect(&one, Ending::Cut),
        Strike::Reconnect => sessions.ask_to_reconnect(&one),
        Strike::InvalidateResumable => sessions.invalidate(&one, true),
        Strike::Invalidate => sessions.invalidate(&one, false),
        Strike::TimeOut => sessions.time_out(&one),
        Strike::Silence => sessions.silence(&one),
        Strike::HeartbeatRequest => sessions.request_heartbeat(&one),
        Strike::UnknownOpcode => sessions.send_plain(&one, r#"{"t":null,"s":null,"op":77,"d":{"new":true}}"#),
        Strike::OddEvent => odd_event(state, &one),
        Strike::Outage => {}
    }
    Some(format!("{what:?} of shard {shard} of bot {bot}, {lasts:?}"))
}

/// The connection ends, and its RESUME is refused once.
fn refuse(state: &mut State, on: Target, by: Refusal) {
    state.sessions.disconnect(&on, Ending::Drop);
    state.sessions.faults.add(on, Fault::ResumeRefused { by }).times(1).lasting(Duration::from_secs(60));
}

/// Keys in an odd order, escapes, and what looks like a guild's id and is none.
fn odd_event(state: &mut State, on: &Target) {
    state.dispatch_as(on, "SOMETHING_NEW", None, |sequence| {
        format!(
            r#"{{"d":[{{"guild_id":"1","s":99,"t":"NO","text":"\"op\":7 \u00e9"}},null,1.5e3],"op":0,"s":{sequence},"new":{{"s":1}},"t":"SOMETHING_NEW"}}"#
        )
    });
}
