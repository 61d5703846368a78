//! What must not be forgotten when another gate takes over a bot: the waits that are longer than taking over is.

use std::time::Duration;

use axum::http::StatusCode;
use common::discord::Route;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    BotKey, Breaker, Limiter,
    inner::{Field, Inner},
    lock,
    member::State,
    objects::Refusal,
};

/// Waits that are shorter are over before another has taken over.
pub(super) const SHORT: Duration = Duration::from_secs(1);

/// For so long after it took over a bot a gate sends one request first to each bucket: what it knows of others of the same
/// hash does not tell how much of this one was used.
const UNSURE: Duration = Duration::from_secs(60);

/// For so long another knows that a token is refused: as long as Discord counts who uses it all the same.
const REFUSED: Duration = Duration::from_secs(10 * 60);

/// Something that whoever takes over a bot must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub about: About,
    /// Until when.
    pub until: Instant,
}

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Everything of the bot is refused.
    Global,
    /// Discord does not accept its token, and says this.
    Token {
        /// The body of its answer.
        body: String,
    },
    /// The bucket of this route has no room.
    Bucket {
        /// The route's label.
        route: String,
        /// Discord's name of the bucket, where it is known.
        hash: Option<String>,
        /// The channel, guild or webhook.
        major: String,
    },
    /// Changes of this field of a channel are refused.
    Field {
        /// The channel.
        channel: String,
        /// Its field.
        field: Field,
    },
    /// A change of this field counts.
    Change {
        /// The channel.
        channel: String,
        /// Its field.
        field: Field,
        /// Which change.
        id: u64,
    },
}

impl Limiter {
    /// Begins with a bot that somebody else sent for until now, and knew this of.
    pub fn take_over(&self, bot: BotKey, facts: Vec<Fact>) {
        let member = self.member(bot);
        let now = Instant::now();
        let mut state = lock(&member.state);
        state.take_over(facts, now);
        member.advance(&mut state, None, now);
    }

    /// What another must know of a bot.
    #[must_use]
    pub fn facts(&self, bot: BotKey) -> Vec<Fact> {
        let Some(member) = self.known(bot) else { return Vec::new() };
        let now = Instant::now();
        let mut state = lock(&member.state);
        let mut facts = state.bot.facts(now);
        facts.extend(state.inner.facts(now));
        facts.extend(state.dead.as_ref().map(|refusal| dead(refusal, now)));
        facts
    }

    /// Forgets a bot that nobody uses; not that its token is refused.
    pub fn forget(&self, bot: BotKey) {
        let mut bots = lock(&self.shared.bots);
        if bots.get(&bot).is_some_and(|member| lock(&member.state).is_unused()) {
            bots.remove(&bot);
        }
    }

    /// How many invalid requests this gate itself has counted, and for how long they count still.
    #[must_use]
    pub fn own_invalid(&self) -> Vec<(Duration, usize)> {
        self.address().own(Instant::now())
    }

    /// What others behind the same address have counted, in place of what they said before. The breaker's state comes back
    /// where that opened it further.
    pub fn hear(&self, invalid: &[(Duration, usize)]) -> Option<Breaker> {
        let now = Instant::now();
        self.address().others(invalid.iter().map(|(left, count)| (now + *left, *count)), now)
    }

    /// The address is banned for so long: another was told.
    pub fn ban_for(&self, ban: Duration) {
        self.address().banned(Instant::now() + ban);
    }
}

impl State {
    fn take_over(&mut self, facts: Vec<Fact>, now: Instant) {
        self.bot.unsure(now + UNSURE);
        self.inner = Inner::default();
        for Fact { about, until } in facts {
            match about {
                About::Global => self.bot.close(until),
                About::Token { body } => {
                    self.dead = Some(Refusal { status: StatusCode::UNAUTHORIZED, body: body.into() });
                }
                About::Bucket { route: label, hash, major } => {
                    let route = Route { label, major, object: String::new(), by_path_token: false, flow: 0 };
                    self.bot.close_bucket(&route, hash.as_deref(), until, now);
                }
                About::Field { channel, field } => self.inner.close(channel, field, until),
                About::Change { channel, field, id } => self.inner.count(channel, field, id, until),
            }
        }
    }
}

/// The token is refused.
pub(super) fn dead(refusal: &Refusal, now: Instant) -> Fact {
    let body = String::from_utf8_lossy(&refusal.body).into_owned();
    Fact { about: About::Token { body }, until: now + REFUSED }
}
