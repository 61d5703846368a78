//! Faults that last: a test injects them, and they hold until it takes them back, for a time, or for a number of times.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Session, Target};

/// What goes wrong until it is set back. The fields hit every bot; [`Faults::add`] chooses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// HELLO comes this late; `Some(Duration::MAX)` never.
    pub hello_delay: Option<Duration>,
    /// Heartbeats are not acknowledged.
    pub withhold_acks: bool,
    /// This many RESUMEs are answered by op 9 `d: false`.
    pub refuse_resumes: u32,
    /// Nothing more goes out on any socket that is open while this holds, not even afterwards: zombies.
    pub silent: bool,
    /// Every replayed event of a RESUME comes twice.
    pub replay_twice: bool,
    /// Faults of some sessions, of some length; the first that fits counts.
    pub rules: Vec<Rule>,
}

/// One fault, whom it hits, and when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Whom it hits.
    pub on: Target,
    /// What happens.
    pub fault: Fault,
    /// How often it still happens; `None` without end.
    pub times: Option<u32>,
    /// When it is over by itself.
    pub until: Option<Instant>,
}

/// What goes wrong, between a connection's beginning and its end. Durations are milliseconds in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// HELLO comes late. Nobody knows yet whose connection it is: the target is not looked at.
    HelloLate {
        /// How late.
        #[serde(with = "millis", rename = "ms")]
        by: Duration,
    },
    /// HELLO does not come, to anybody.
    HelloMissing,
    /// Heartbeats are acknowledged late.
    AckLate {
        /// How late.
        #[serde(with = "millis", rename = "ms")]
        by: Duration,
    },
    /// Heartbeats are not acknowledged.
    AckMissing,
    /// Sockets that are open while this holds send nothing any more, not even afterwards.
    Silent,
    /// RESUMEs are refused.
    ResumeRefused {
        /// How.
        by: Refusal,
    },
    /// Every event of a replay comes twice.
    ReplayTwice,
    /// A replay begins this many events earlier than asked for.
    ReplayEarlier {
        /// Events.
        by: u64,
    },
    /// Frames come slowly, one by one.
    Slow {
        /// Wait after each frame.
        #[serde(with = "millis", rename = "ms", default)]
        per_frame: Duration,
        /// Wait in proportion to a frame's length, uncompressed.
        #[serde(default)]
        bytes_per_second: Option<u32>,
    },
    /// Nothing comes as long as this holds, and then all at once.
    Held,
    /// Who closes a connection gets no answer, and it stays open as long as this holds.
    CloseUnanswered,
}

/// How a RESUME is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// op 9 `d: false`: the session is over.
    Invalid,
    /// op 9 `d: true`: to be tried again.
    TryAgain,
    /// A close code. After 4007 and 4009 the session is over, otherwise it stays.
    Close(u16),
    /// The connection ends before the answer. The session stays.
    HangUp,
}

impl Faults {
    /// Lets a fault happen to the sessions that `on` means. What it returns can be limited: `.add(…).times(1)`.
    pub fn add(&mut self, on: Target, fault: Fault) -> &mut Rule {
        self.rules.push(Rule { on, fault, times: None, until: None });
        let last = self.rules.len() - 1;
        &mut self.rules[last]
    }

    /// Takes back what was added for exactly these.
    pub fn remove(&mut self, on: &Target) {
        self.rules.retain(|rule| rule.on != *on);
    }

    /// Takes everything back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first fault for which `pick` finds something and that hits this session; it counts as having happened.
    pub(super) fn take<T>(&mut self, session: Option<&Session>, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.rules.retain(|rule| !rule.is_over());
        let (index, found) = self.rules.iter().enumerate().find_map(|(index, rule)| {
            let found = pick(&rule.fault)?;
            rule.concerns(session).then_some((index, found))
        })?;
        if let Some(times) = &mut self.rules[index].times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(index);
            }
        }
        Some(found)
    }

    /// As [`Faults::take`] for what holds instead of happening; with the end of it.
    pub(super) fn holds<T>(
        &self,
        session: &Session,
        pick: impl Fn(&Fault) -> Option<T>,
    ) -> Option<(T, Option<Instant>)> {
        let mut live = self.rules.iter().filter(|rule| !rule.is_over() && rule.on.hits(session));
        live.find_map(|rule| Some((pick(&rule.fault)?, rule.until)))
    }
}

impl Rule {
    /// It happens this often.
    pub fn times(&mut self, times: u32) -> &mut Self {
        self.times = Some(times);
        self
    }

    /// It holds for this long, from now on.
    pub fn lasting(&mut self, time: Duration) -> &mut Self {
        self.until = Instant::now().checked_add(time);
        self
    }

    fn is_over(&self) -> bool {
        self.times == Some(0) || self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Whoever it is that is not known yet is hit by what is for all.
    fn concerns(&self, session: Option<&Session>) -> bool {
        let before_identify = matches!(self.fault, Fault::HelloLate { .. } | Fault::HelloMissing);
        before_identify || session.map_or(self.on == Target::all(), |session| self.on.hits(session))
    }
}

/// Durations as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
