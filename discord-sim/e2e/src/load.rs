//! What people do while servers fail.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use discord_sim::{
    Sim,
    seed::Seed,
    state::{State, kind},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, MessageMarker, UserMarker},
};

use crate::World;

/// How often people act; what is due by then is done together.
const TICK: Duration = Duration::from_millis(5);
/// So many messages can still be edited and deleted.
const RECENT: usize = 2_000;

/// Where people talk, and who.
#[derive(Clone, Debug)]
pub struct Rooms(Vec<Room>);

#[derive(Clone, Debug)]
struct Room {
    channel: Id<ChannelMarker>,
    people: Vec<Id<UserMarker>>,
}

/// People who write, edit and delete messages, a set number of times a second, until they are told to stop.
pub struct Load {
    task: Option<JoinHandle<()>>,
    done: Arc<AtomicU64>,
    began: Instant,
    rate: f64,
}

impl Rooms {
    /// Makes `guilds` guilds with a talk channel each; the first `tickets` of them have a panel and an open ticket, too. Each shard gets a
    /// guild at least.
    pub async fn furnish(world: &World, guilds: usize, tickets: usize) -> Self {
        let places = settle(world, guilds).await;
        let talk = places.iter().map(|place| Room { channel: place.general, people: vec![place.member, place.staff] });
        let mut rooms: Vec<Room> = talk.collect();
        for place in &places[..tickets] {
            let panel = world.set_up_in(place).await;
            let channel = world.open_in(place, place.member, &panel).await;
            rooms.push(Room { channel, people: vec![place.member, place.staff] });
        }
        Self(rooms)
    }
}

/// Makes `guilds` guilds, or as many more as give each shard one.
pub(crate) async fn settle(world: &World, guilds: usize) -> Vec<Seed> {
    let mut places: Vec<Seed> = Vec::new();
    let mut empty: Vec<u64> = (0..world.shards as u64).collect();
    while places.len() < guilds || !empty.is_empty() {
        let place = world.sim.write(|state| found(state, &world.seed, places.len()));
        let shard = (place.guild.get() >> 22) % world.shards as u64;
        empty.retain(|number| *number != shard);
        places.push(place);
        // The shard follows from the millisecond.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    places
}

/// A guild of the bot, with what [`Seed`] has; its people are new.
fn found(state: &mut State, seed: &Seed, number: usize) -> Seed {
    let [admin, staff, member, other_member] =
        ["owner", "staff", "member", "other"].map(|name| state.add_person(&format!("{name}{number}"), name, None));
    let guild = state.add_guild(&format!("Guild {number}"), admin);
    let general = state.add_channel(guild, kind::TEXT, "general", None);
    let support = state.add_channel(guild, kind::TEXT, "support", None);
    for person in [staff, member, other_member] {
        state.add_member(guild, person);
    }
    state.install(guild, seed.application);
    Seed { guild, admin, staff, member, other_member, general, support, ..*seed }
}

impl Load {
    /// Begins with `rate` acts a second, chosen by `seed`.
    pub fn start(sim: &Sim, rooms: &Rooms, rate: u64, seed: u64) -> Self {
        let (sim, rooms, done) = (sim.clone(), rooms.clone(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&done);
        let began = Instant::now();
        let task = tokio::spawn(async move {
            let mut people = People { rooms, recent: VecDeque::new(), chance: StdRng::seed_from_u64(seed), number: 0 };
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let due =
                    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_mul(rate) / 1_000_000;
                let missing = due - counted.load(Ordering::Relaxed);
                sim.write(|state| (0..missing).for_each(|_| people.act(state)));
                counted.store(due, Ordering::Relaxed);
            }
        });
        Self { task: Some(task), done, began, rate: 0.0 }
    }

    /// How much was done so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends it; says how many acts a second there were. Once ended it says the same again.
    pub async fn stop(&mut self) -> f64 {
        if let Some(task) = self.task.take() {
            task.abort();
            // It ends between two ticks: `sim.write` does not await.
            drop(task.await);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
            let done = self.done() as f64;
            self.rate = done / self.began.elapsed().as_secs_f64();
        }
        self.rate
    }
}

struct People {
    rooms: Rooms,
    recent: VecDeque<(Id<ChannelMarker>, Id<MessageMarker>)>,
    chance: StdRng,
    number: u64,
}

impl People {
    /// Somebody writes a message, or edits or deletes one: one event each.
    fn act(&mut self, state: &mut State) {
        self.number += 1;
        let of_a_hundred = self.chance.random_range(0..100);
        let which = self.chance.random_range(0..self.recent.len().max(1));
        match self.recent.get(which).copied() {
            Some((channel, message)) if of_a_hundred < 15 => {
                let (text, now) = (self.text(), state.now());
                state.update_message(channel, message, |message| {
                    message.content = text;
                    message.edited_at = Some(now);
                });
            }
            Some((channel, message)) if of_a_hundred < 20 => {
                self.recent.remove(which);
                state.remove_message(channel, message);
            }
            _ => {
                let room = &self.rooms.0[self.chance.random_range(0..self.rooms.0.len())];
                let author = room.people[self.chance.random_range(0..room.people.len())];
                let channel = room.channel;
                let text = self.text();
                let Some(message) = state.say(channel, author, &text) else { return };
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back((channel, message));
            }
        }
    }

    /// Mostly a line, sometimes much; with what JSON must escape, and what a database refuses.
    fn text(&mut self) -> String {
        let mut text = format!("message {} \u{2603} \"\\\u{1f44b}\n", self.number);
        let length = if self.chance.random_range(0..20) == 0 { 1_500 } else { self.chance.random_range(0..120) };
        text.extend((0..length).map(|_| char::from(b'a' + (self.chance.next_u32() % 26) as u8)));
        text
    }
}
