//! A Discord that limits, fails, forgets and stalls REST calls, while people open tickets, talk in them and close them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use discord_sim::{
    Sim,
    seed::Seed,
    state::{Message, State},
    storm::Storm,
};
use futures_util::future::join_all;
use model::{TicketKey, TicketNumber, TicketState};
use tokio::time::{Instant as Moment, sleep_until};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, MessageMarker, UserMarker},
};

use super::{Dose, Report, scene::PATIENCE};
use crate::{
    Ground, Interactions, Processes, Witness, World,
    check::{Evidence, Filed, Rule, Violation},
    life::{self, button},
    load, wait,
};

/// So many times faster than on Discord all waits are over: twenty minutes stand for an hour.
const PACE: u32 = 3;
/// A person waits so long for what a press should do, and then presses again.
const TIRED: Duration = Duration::from_secs(30);
/// How often somebody presses before giving up.
const PRESSES: usize = 30;

/// A guild with its panel.
struct Place {
    seed: Seed,
    panel: (Id<MessageMarker>, String),
}

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    report.runs = 1;
    let (guilds, tickets, time) = dose.choose((4, 8, 4), (50, 1_000, 20 * 60));
    let ground = Ground::lay().await.with_global_limit(50 * PACE);
    let started = World::of_processes(ground, Interactions::ByHttp).await;
    let (world, mut processes) = started.expect("every service gets ready");
    let mut witness = Witness::start(&world.kafka).await.expect("Kafka answers the witness");
    let mut places = Vec::new();
    for place in load::settle(&world, guilds).await {
        places.push(Place { panel: world.set_up_in(&place).await, seed: place });
    }

    let before = world.sim.read(|state| state.ledger.verdicts.clone());
    world.sim.write(|state| {
        let storm = Storm::new(seed).faster(PACE).limits(0.3).errors(0.2).lost(0.05).stalls(0.02);
        state.storm = Some(storm);
    });
    let struck = people(&world, &places, tickets, Duration::from_secs(time), &mut report).await;
    world.sim.write(|state| state.storm = None);
    let settled = wait::until("the last steps of all tickets", PATIENCE, async || settled(&world, &places).await).await;
    for (verdict, count) in world.sim.read(|state| state.ledger.verdicts.clone()) {
        report.note(verdict.name(), count - before.get(&verdict).copied().unwrap_or(0));
    }

    let (evidence, late) = Evidence::after(&world, &mut witness, PATIENCE).await;
    report.violations.extend(late);
    report.violations.extend(evidence.violations(Some(1)));
    report.violations.extend(right(&world, &evidence, tickets));
    report.events = evidence.dispatches.len() as u64;
    if let Err(differs) = world.cache_comes_right(PATIENCE).await {
        report.violations.push(Violation { rule: Rule::Cached, text: differs });
    }
    let Processes { resolver, worker, gateway, sharder, sync, cache } = &mut processes;
    let mut ended = vec![struck, settled];
    for process in [sharder, worker, gateway, resolver, sync, cache] {
        ended.push(process.stop().await);
    }
    ended.push(world.stop().await);
    let failed = ended.into_iter().filter_map(Result::err);
    report.violations.extend(failed.map(|text| Violation { rule: Rule::Clean, text }));
    world.leave().await;
    report
}

/// Members open and close so many tickets, evenly over `time`, each one after the other.
async fn people(
    world: &World,
    places: &[Place],
    tickets: u32,
    time: Duration,
    report: &mut Report,
) -> Result<(), String> {
    let members: Vec<_> =
        places.iter().flat_map(|place| [(place, place.seed.member), (place, place.seed.other_member)]).collect();
    let began = Moment::now();
    let all = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let lives = (0_u32..).zip(&members).map(async |(number, (place, member))| {
        let mut opened = Vec::new();
        for turn in (number..tickets).step_by(members.len()) {
            sleep_until(began + time * turn / tickets.max(all)).await;
            opened.push(live(world, place, *member).await.map_err(|error| format!("ticket {turn}: {error}"))?);
        }
        Ok::<_, String>(opened)
    });
    for lived in join_all(lives).await {
        let opened = lived?;
        report.strikes += opened.len() as u64;
        report.recovery.extend(opened);
    }
    Ok(())
}

/// One ticket from the press on the panel to the end of its channel; says how long it was until it could be used.
async fn live(world: &World, place: &Place, member: Id<UserMarker>) -> Result<Duration, String> {
    let (sim, began) = (&world.sim, Instant::now());
    let guild = place.seed.guild;
    let opened = |state: &State| {
        let own = |channel: &&discord_sim::state::Channel| {
            channel.guild_id == Some(guild)
                && life::is_ticket(channel)
                && channel.overwrites.iter().any(|overwrite| overwrite.id == member.cast())
        };
        let mut channels = state.channels.values().filter(own);
        channels.find_map(|channel| {
            state.find_message(channel.id, |message| button(message, "close").is_some()).map(|_| channel.id)
        })
    };
    let on_the_panel = |_: &State| Some((place.seed.support, place.panel.0, place.panel.1.clone()));
    let channel = until(sim, member, "an open ticket", on_the_panel, opened).await?;
    let took = began.elapsed();
    for text in ["It does not start", "Since yesterday"] {
        sim.write(|state| state.say(channel, member, text));
    }

    let in_the_ticket = |part: &'static str| {
        move |state: &State| {
            let message =
                state.find_message(channel, |message| seen(message, member) && button(message, part).is_some())?;
            Some((channel, message.id, button(message, part)?))
        }
    };
    let gone = |state: &State| (!state.channels.contains_key(&channel)).then_some(());
    let asked = |state: &State| gone(state).or_else(|| in_the_ticket("close-yes")(state).map(|_| ()));
    until(sim, member, "the question whether to close", in_the_ticket("close"), asked).await?;
    until(sim, member, "the end of the channel", in_the_ticket("close-yes"), gone).await?;
    Ok(took)
}

fn seen(message: &Message, reader: Id<UserMarker>) -> bool {
    message.only_for.is_none_or(|only| only == reader)
}

/// Presses what `find` finds, again and again as people do, until `look` sees the effect.
async fn until<T>(
    sim: &Sim,
    user: Id<UserMarker>,
    what: &str,
    find: impl Fn(&State) -> Option<(Id<ChannelMarker>, Id<MessageMarker>, String)>,
    look: impl Fn(&State) -> Option<T>,
) -> Result<T, String> {
    for _ in 0..PRESSES {
        if let Some((channel, message, custom_id)) = sim.read(&find) {
            // What was there may be gone by now.
            let _pressed = sim.click(user, channel, message, &custom_id);
        }
        if let Ok(found) = wait::until(what, TIRED, async || sim.read(&look)).await {
            return Ok(found);
        }
    }
    Err(format!("pressed {PRESSES} times in vain for {what}"))
}

/// People see that the channel is gone; the row is closed after that. Numbers have no gap.
async fn settled(world: &World, places: &[Place]) -> Option<()> {
    for place in places {
        for number in (1..).map(TicketNumber) {
            let key = TicketKey { guild: place.seed.guild, number };
            match world.db().tickets().by_number(key).await.ok()? {
                Some(ticket) if matches!(ticket.state, TicketState::Closed | TicketState::Abandoned) => {}
                Some(_) => return None,
                None => break,
            }
        }
    }
    Some(())
}

/// Each ticket that was wanted is closed, and has its transcript once.
fn right(world: &World, evidence: &Evidence, tickets: u32) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |text: String| found.push(Violation { rule: Rule::Paired, text });
    if evidence.tickets.len() != tickets as usize {
        wrong(format!("there are {} tickets where {tickets} were wanted", evidence.tickets.len()));
    }
    let posted = world.sim.read(|state| {
        let mut posted: BTreeMap<_, usize> = BTreeMap::new();
        for message in state.messages.values().flat_map(|messages| messages.values()) {
            let guild = state.channels.get(&message.channel_id).and_then(|channel| channel.guild_id);
            for attachment in &message.attachments {
                *posted.entry((guild, attachment.filename.clone())).or_default() += 1;
            }
        }
        posted
    });
    for Filed { ticket, .. } in &evidence.tickets {
        let key = ticket.key;
        if ticket.state != TicketState::Closed {
            wrong(format!("ticket {key} is {} at the end", ticket.state));
        }
        let TicketNumber(number) = key.number;
        let name = format!("transcript-ticket-{number:04}.txt");
        let times = posted.get(&(Some(key.guild), name)).copied().unwrap_or(0);
        if times != 1 {
            wrong(format!("the transcript of ticket {key} is there {times} times"));
        }
    }
    found
}
