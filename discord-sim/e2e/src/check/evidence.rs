use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use discord_sim::{
    ledger::{Dispatch, Identify},
    state::Channel,
};
use event_stream::{Message, testing};
use model::{CapturedMessage, RecordedEvent, Ticket, TicketKey, TicketNumber};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker},
};

use super::{Rule, Violation, stream, tickets};
use crate::{Witness, World, life, wait};

/// What a run left behind, in Discord, Kafka and Postgres.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// What Discord dispatched to it, in order.
    pub dispatches: Vec<Dispatch>,
    /// Those that were lost by a rule of Discord's: it ended their session before they arrived. By session and sequence.
    pub expired: HashSet<(String, u64)>,
    /// The events' topic, partition after partition.
    pub records: Vec<Message>,
    /// Its dead letters.
    pub dead: Vec<Message>,
    /// How many records the worker has not committed.
    pub behind: u64,
    /// Every ticket of every guild.
    pub tickets: Vec<Filed>,
    /// The channels of tickets that stand in Discord.
    pub channels: Vec<(Id<GuildMarker>, Id<ChannelMarker>)>,
    /// What people pressed and wrote.
    pub interactions: BTreeSet<Id<InteractionMarker>>,
    /// Sessions that began, and why.
    pub identifies: Vec<Identify>,
    /// What Discord complains about.
    pub complaints: Vec<String>,
}

/// A ticket with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Filed {
    /// Its row.
    pub ticket: Ticket,
    /// Its record.
    pub messages: Vec<CapturedMessage>,
    /// Its changes.
    pub events: Vec<RecordedEvent>,
}

impl Evidence {
    /// Waits until everything dispatched is in the topic and the worker has committed it, then takes down what is there. What does not come
    /// within `patience` is a violation, and so is whatever cannot be read.
    pub async fn after(world: &World, witness: &mut Witness, patience: Duration) -> (Self, Vec<Violation>) {
        let mut vain = Vec::new();
        if let Err(late) = witness.sees_all(&world.sim, patience).await {
            vain.push(Violation::new(Rule::Kept, late));
        }
        if let Err(late) = committed(world, patience).await {
            vain.push(Violation::new(Rule::Committed, late));
        }
        let evidence = Self::take(world, &mut vain).await;
        (evidence, vain)
    }

    /// Takes down what is there now.
    async fn take(world: &World, vain: &mut Vec<Violation>) -> Self {
        let kafka = &world.kafka;
        let mut failed = |what: &str, error: &dyn std::fmt::Display| {
            vain.push(Violation::new(Rule::Clean, format!("{what} cannot be read: {error}")));
        };
        let topic = &kafka.events_topic;
        let records = testing::read_raw(kafka, topic).await;
        let records = records.inspect_err(|error| failed("the events", error)).unwrap_or_default();
        let dead = testing::read_raw(kafka, &testing::dead_letters_of(topic)).await;
        let dead = dead.inspect_err(|error| failed("the dead letters", error)).unwrap_or_default();
        let behind = testing::behind(kafka, &group(world), topic).await;
        let behind = behind.inspect_err(|error| failed("the offsets", error)).unwrap_or_default();
        let guilds: Vec<_> = world.sim.read(|state| state.guilds.keys().copied().collect());
        let mut tickets = Vec::new();
        for guild in guilds {
            match filed(world, guild).await {
                Ok(found) => tickets.extend(found),
                Err(error) => failed("the tickets", &error),
            }
        }
        world.sim.read(|state| Self {
            bot: world.seed.application,
            expired: {
                let all = state.ledger.dispatches.iter();
                let lost = all.filter(|dispatch| state.sessions.expired(dispatch));
                lost.map(|dispatch| (dispatch.session_id.clone(), dispatch.sequence)).collect()
            },
            dispatches: state.ledger.dispatches.clone(),
            records,
            dead,
            behind,
            tickets,
            channels: state
                .channels
                .values()
                .filter(|channel| life::is_ticket(channel))
                .filter_map(|channel: &Channel| Some((channel.guild_id?, channel.id)))
                .collect(),
            interactions: state.interactions.keys().copied().collect(),
            identifies: state.ledger.identifies.clone(),
            complaints: state.ledger.violations.clone(),
        })
    }

    /// Every rule that the run broke. So many sessions were to begin; `None` where Discord itself ended some.
    pub fn violations(&self, identifies: Option<usize>) -> Vec<Violation> {
        let mut found = Vec::new();
        let kept = stream::kept_in_order(self, &mut found);
        stream::committed(self, &mut found);
        stream::given_up(self, &mut found);
        tickets::recorded(self, &kept, &mut found);
        tickets::paired(self, &mut found);
        tickets::once(self, &mut found);
        let began = self.identifies.len();
        if let Some(planned) = identifies.filter(|planned| *planned != began) {
            let text = format!("{began} sessions began where {planned} were planned");
            found.push(Violation::new(Rule::Planned, text));
        }
        for unplanned in self.identifies.iter().filter(|identify| !identify.cause.is_planned()) {
            let text = format!("shard {} identified anew: {:?}", unplanned.shard[0], unplanned.cause);
            found.push(Violation::new(Rule::Planned, text));
        }
        found.extend(self.complaints.iter().map(|complaint| Violation::new(Rule::Clean, complaint)));
        found
    }
}

/// The worker's group of the events' topic.
fn group(world: &World) -> String {
    let kafka = world.kafka.of_bot("worker", world.seed.application);
    format!("{}.events", kafka.group.as_deref().unwrap_or_default())
}

async fn committed(world: &World, patience: Duration) -> Result<(), String> {
    let (kafka, group) = (&world.kafka, group(world));
    let topic = &kafka.events_topic;
    wait::until_none_left("the worker to commit everything", patience, async || {
        testing::behind(kafka, &group, topic).await.ok()
    })
    .await
}

/// Numbers have no gap, so the first one that is not there is the end.
async fn filed(world: &World, guild: Id<GuildMarker>) -> Result<Vec<Filed>, database::Error> {
    let (db, mut found) = (world.db(), Vec::new());
    for number in (1..).map(TicketNumber) {
        let key = TicketKey { guild, number };
        let Some(ticket) = db.tickets().by_number(key).await? else { break };
        let (messages, events) = (db.messages().list(key).await?, db.events().list(key).await?);
        found.push(Filed { ticket, messages, events });
    }
    Ok(found)
}
