//! What truly happened: the gateway sessions of some bots, and the events of their guilds in their order.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::topics::GatewayEvent;
use serde_json::{Value, json};
use time::OffsetDateTime;
use twilight_model::id::Id;

use crate::chance::Chance;

use super::{
    events,
    naive::Naive,
    objects::{Make, Person},
};

/// A bot and a guild.
pub(crate) type Key = (u64, u64);

/// 2024-05-01.
const BEGIN_MS: i64 = 1_714_521_600_000;

/// A dispatch.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) event: GatewayEvent,
    pub(crate) kind: &'static str,
    pub(crate) d: Value,
}

/// All that truly happened.
pub(crate) struct World {
    pub(crate) bots: Vec<Bot>,
    /// Of each guild, with the READYs that do not name it.
    pub(crate) guilds: BTreeMap<Key, Vec<Step>>,
    /// What is of no guild, by bots.
    pub(crate) guildless: BTreeMap<u64, Vec<Step>>,
    /// What an older session still told of a guild after a younger one had begun: never true.
    pub(crate) late: BTreeMap<Key, Vec<Late>>,
}

/// What came after so many steps of its guild.
pub(crate) struct Late {
    pub(crate) after: usize,
    pub(crate) step: Step,
}

#[derive(Clone)]
pub(crate) struct Bot {
    pub(crate) id: u64,
    pub(crate) shards: u64,
}

/// A shard's way through its sessions.
struct Line {
    bot: u64,
    shard: (u64, u64),
    guilds: Vec<u64>,
    session: u32,
    sequence: u64,
    /// Sessions that are still to come, and the least time between two.
    left: u32,
    gap_ms: i64,
}

pub(crate) fn guild_id(number: u64) -> u64 {
    ((number + 1) << 22) | 5
}

impl World {
    pub(crate) fn new(seed: u64, chance: &mut Chance) -> Self {
        // Users are the same for all bots, so each world has its own; guilds need not.
        let person = |number| Person { id: (1 << 44) | (seed << 4) | number, form: 0 };
        let mut people: Vec<Person> = (1..=5).map(person).collect();
        let bots: Vec<Bot> = (0..1 + chance.below(2))
            .map(|number| Bot { id: (1 << 45) | (seed << 4) | number as u64, shards: 1 + chance.below(2) as u64 })
            .collect();
        people.extend(bots.iter().map(|bot| Person { id: bot.id, form: 0 }));
        let guilds = 1 + chance.below(4) as u64;
        let lines = bots.iter().flat_map(|bot| lines(bot, guilds, chance)).collect();
        let world = Self { bots, guilds: BTreeMap::new(), guildless: BTreeMap::new(), late: BTreeMap::new() };
        Making { world, people, lines, truth: BTreeMap::new(), now_ms: BEGIN_MS, chance }.run()
    }

    pub(crate) fn events(&self) -> usize {
        let all = self.guilds.values().chain(self.guildless.values());
        all.map(Vec::len).sum()
    }
}

fn lines(bot: &Bot, guilds: u64, chance: &mut Chance) -> Vec<Line> {
    // The store remembers four sessions. Of a fifth it must know by the time that it is over: not so many come in five minutes.
    let many = chance.one_in(4);
    let shard = |shard: u64| Line {
        bot: bot.id,
        shard: (shard, bot.shards),
        guilds: (0..guilds).map(guild_id).filter(|guild| (guild >> 22) % bot.shards == shard).collect(),
        session: 0,
        sequence: 0,
        left: if many { 8 } else { 3 },
        gap_ms: if many { 80_000 } else { 1 },
    };
    (0..bot.shards).map(shard).collect()
}

struct Making<'a> {
    world: World,
    people: Vec<Person>,
    lines: Vec<Line>,
    truth: BTreeMap<Key, Naive>,
    now_ms: i64,
    chance: &'a mut Chance,
}

impl Making<'_> {
    fn run(mut self) -> World {
        for _ in 0..self.chance.between(10, 110) {
            self.now_ms +=
                if self.chance.one_in(10) { self.chance.between(0, 60_000) } else { self.chance.between(0, 50) };
            if self.chance.one_in(10) {
                // A moment of its own, so that the younger form is younger by its time.
                self.now_ms += 1;
                let who = self.chance.below(self.people.len());
                self.people[who].form += 1;
            }
            let at = self.chance.below(self.lines.len());
            let line = &self.lines[at];
            let begins = line.session == 0 || (line.left > 0 && self.chance.one_in(12));
            if begins {
                self.begin(at);
            } else if line.guilds.is_empty() || self.chance.one_in(15) {
                self.guildless(at);
            } else {
                let guild = *self.chance.pick(&line.guilds);
                let (kind, d) = events::any(&mut self.make(guild));
                self.happen(at, guild, kind, d);
            }
        }
        self.world
    }

    fn make(&mut self, guild: u64) -> Make<'_> {
        Make { chance: self.chance, guild, people: &self.people }
    }

    /// A new session. Discord names the shard's guilds, then tells of each, sooner or later.
    fn begin(&mut self, at: usize) {
        let gap_ms = if self.chance.coin() { self.chance.between(1, 2_000) } else { self.chance.between(1, 600_000) };
        let line = &mut self.lines[at];
        self.now_ms += gap_ms.max(line.gap_ms);
        line.session += 1;
        line.left -= 1;
        line.sequence = 0;
        let (bot, shard) = (line.bot, line.shard);
        let named: Vec<u64> = line.guilds.iter().filter(|_| !self.chance.one_in(5)).copied().collect();
        let left: Vec<u64> = line.guilds.iter().filter(|guild| !named.contains(guild)).copied().collect();
        let guilds: Vec<Value> =
            named.iter().map(|guild| json!({ "id": guild.to_string(), "unavailable": true })).collect();
        let user = self.people.iter().find(|person| person.id == bot).unwrap().json();
        let mut d = json!({ "v": 10, "user": user, "guilds": guilds, "session_id": "x", "shard": [shard.0, shard.1] });
        if shard.1 == 1 && self.chance.coin() {
            d.as_object_mut().unwrap().remove("shard");
        }
        let step = self.step(at, None, "READY", d);
        self.now_ms += 1;
        for guild in left {
            self.truth.entry((bot, guild)).or_default().apply("READY", &step.d);
            self.world.guilds.entry((bot, guild)).or_default().push(step.clone());
            // What is told of it next is that the bot joined.
            if self.chance.one_in(3) {
                let whole = events::whole(&mut self.make(guild));
                self.happen(at, guild, "GUILD_CREATE", whole);
            }
        }
        self.world.guildless.entry(bot).or_default().push(step);
        for guild in named {
            if !self.chance.one_in(4) {
                let d = events::guild_create(&mut self.make(guild));
                self.happen(at, guild, "GUILD_CREATE", d);
            }
        }
    }

    fn happen(&mut self, at: usize, guild: u64, kind: &'static str, d: Value) {
        let key = (self.lines[at].bot, guild);
        // Discord tells nothing of a guild that the bot is not in, so a READY that comes late finds the guild told of as a whole.
        let history = self.world.guilds.get(&key);
        let after_ready = history.and_then(|steps| steps.last()).is_some_and(|step| step.kind == "READY");
        let (kind, d) = if after_ready && (kind != "GUILD_CREATE" || d["unavailable"] == true) {
            ("GUILD_CREATE", events::whole(&mut self.make(guild)))
        } else {
            (kind, d)
        };
        let step = self.step(at, Some(guild), kind, d);
        self.truth.entry(key).or_default().apply(kind, &step.d);
        self.world.guilds.entry(key).or_default().push(step);
        if self.lines[at].session > 1 && self.chance.one_in(12) {
            self.tell_late(at, guild);
        }
    }

    /// The session before goes on to tell for a while, though this one began.
    fn tell_late(&mut self, at: usize, guild: u64) {
        let (kind, d) = events::any(&mut self.make(guild));
        let mut step = self.step(at, Some(guild), kind, d);
        let line = &self.lines[at];
        step.event.session = session(line, line.session - 1);
        step.event.sequence += 100_000;
        step.event.received_at -= time::Duration::milliseconds(self.chance.between(0, 1_000));
        let key = (line.bot, guild);
        let after = self.world.guilds[&key].len() - 1;
        self.world.late.entry(key).or_default().push(Late { after, step });
    }

    fn guildless(&mut self, at: usize) {
        let bot = self.lines[at].bot;
        let step = if self.chance.coin() {
            let user = self.people.iter().find(|person| person.id == bot).unwrap().json();
            self.step(at, None, "USER_UPDATE", user)
        } else {
            // A direct message: its author is no member of anything.
            let author = self.chance.pick(&self.people).json();
            self.step(at, None, "MESSAGE_CREATE", json!({ "id": "74", "author": author, "content": "hi" }))
        };
        self.world.guildless.entry(bot).or_default().push(step);
    }

    fn step(&mut self, at: usize, guild: Option<u64>, kind: &'static str, d: Value) -> Step {
        let line = &mut self.lines[at];
        line.sequence += if kind == "READY" { 1 } else { 1 + self.chance.below(3) as u64 };
        let payload = json!({ "op": 0, "s": line.sequence, "t": kind, "d": d }).to_string();
        let event = GatewayEvent {
            bot: Id::new(line.bot),
            shard: u32::try_from(line.shard.0).unwrap(),
            session: session(line, line.session),
            sequence: line.sequence,
            kind: kind.to_owned(),
            guild: guild.map(Id::new),
            received_at: at_ms(self.now_ms),
            trace: None,
            payload: Bytes::from(payload),
        };
        Step { event, kind, d }
    }
}

fn session(line: &Line, number: u32) -> String {
    format!("session-{}-{}-{number}", line.bot, line.shard.0)
}

/// The first of a bot's only session.
pub(crate) fn event(guild: u64, kind: &str, d: &str) -> GatewayEvent {
    GatewayEvent {
        bot: Id::new(77),
        shard: 0,
        session: "session".to_owned(),
        sequence: 2,
        kind: kind.to_owned(),
        guild: Some(Id::new(guild)),
        received_at: at_ms(BEGIN_MS),
        trace: None,
        payload: Bytes::from(format!(r#"{{"op":0,"s":2,"t":"{kind}","d":{d}}}"#)),
    }
}

pub(crate) fn at_ms(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap()
}

impl Step {
    pub(crate) fn received_ms(&self) -> i64 {
        i64::try_from(self.event.received_at.unix_timestamp_nanos() / 1_000_000).unwrap()
    }
}
