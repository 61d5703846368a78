//! Those who keep the cache die without a word, or are cut off, while owners remodel their guilds.

use std::time::Instant;

use discord_sim::{
    seed::Seed,
    state::{State, kind},
};
use rand::{RngExt, rngs::StdRng};
use twilight_model::guild::Permissions;

use super::{
    Dose, Report,
    scene::{PATIENCE, Scene},
};
use crate::{
    Door, Ground,
    check::{Rule, Violation},
    load::settle,
    servers::Process,
};

/// Beside the one that the services ask: one that is cut off from Kafka, one that dies.
struct Caches {
    cut_off: Process,
    door: Door,
    dying: Process,
}

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let ground = Ground::lay().await;
    let door = Door::shut_before_kafka(ground.direct.clone()).await;
    door.open();
    let mut behind = ground.config.clone();
    behind.backends.kafka.brokers = door.addr().to_string();
    let (cut_off, dying) = (Process::cache(&behind), Process::cache(&ground.config));
    let mut caches = Caches { cut_off, door, dying };
    let mut scene = Scene::of_processes(ground, dose, seed).await;
    let places = settle(&scene.world, dose.choose(4, 20)).await;

    let mut struck = Ok(());
    for _ in 0..dose.choose(4, 60) {
        struck = strike(&mut scene, &mut caches, &places, &mut report).await;
        if struck.is_err() {
            break;
        }
    }
    // All three agree, as each is what Discord has.
    for cache in [&mut caches.cut_off, &mut caches.dying] {
        let right = match cache.ready().await {
            Ok(()) => scene.world.comes_right(&cache.cached(), PATIENCE).await,
            Err(error) => Err(error),
        };
        if let Err(text) = right {
            report.violations.push(Violation { rule: Rule::Cached, text });
        }
    }
    scene.close(struck, Some(1), &mut report).await;
    report
}

async fn strike(scene: &mut Scene, caches: &mut Caches, places: &[Seed], report: &mut Report) -> Result<(), String> {
    remodel(scene, places);
    report.strikes += 1;
    match scene.chance.random_range(0..3) {
        0 => {
            let sync = &mut scene.others[Scene::SYNC];
            sync.kill().await;
            remodel(scene, places);
            scene.a_while(200).await?;
            scene.others[Scene::SYNC].restart();
        }
        1 => {
            caches.door.shut();
            remodel(scene, places);
            scene.a_while(400).await?;
            caches.door.open();
        }
        _ => {
            caches.dying.kill().await;
            remodel(scene, places);
            scene.a_while(200).await?;
            caches.dying.restart();
        }
    }
    remodel(scene, places);
    let since = Instant::now();
    for cache in [caches.cut_off.cached(), caches.dying.cached(), scene.world.cache.clone()] {
        scene.world.comes_right(&cache, PATIENCE).await?;
    }
    report.recovery.push(since.elapsed());
    Ok(())
}

/// Each owner does some things.
fn remodel(scene: &mut Scene, places: &[Seed]) {
    let Scene { world, chance, .. } = scene;
    world.sim.write(|state| {
        for place in places {
            for _ in 0..chance.random_range(0..6) {
                act(state, place, chance);
            }
        }
    });
}

fn act(state: &mut State, place: &Seed, chance: &mut StdRng) {
    let guild = place.guild;
    let number = chance.random_range(0..1_000);
    match chance.random_range(0..8) {
        0 => drop(state.add_channel(guild, kind::TEXT, &format!("room-{number}"), None)),
        1 => {
            let rooms = state.guild_channels(guild).into_iter().filter(|channel| channel.name.starts_with("room"));
            if let Some(room) = rooms.map(|channel| channel.id).next() {
                state.remove_channel(room);
            }
        }
        2 => {
            if let Some(channel) = state.channels.get_mut(&place.general) {
                channel.topic = Some(format!("the topic number {number}"));
            }
            state.channel_changed(place.general);
        }
        3 => {
            let role = state.add_role(guild, &format!("role {number}"), Permissions::VIEW_CHANNEL, false, None);
            state.give_role(guild, place.member, role);
        }
        4 => {
            let person = state.add_person(&format!("guest{number}"), "Guest", None);
            state.add_member(guild, person);
        }
        5 => {
            let people: Vec<_> = state.guilds[&guild].members.keys().copied().collect();
            let extra = people.into_iter().find(|user| {
                ![place.admin, place.staff, place.member, place.other_member, place.application.cast()].contains(user)
            });
            if let Some(person) = extra {
                state.remove_member(guild, person);
            }
        }
        6 => {
            state.set_unavailable(guild, true);
            state.set_unavailable(guild, false);
        }
        _ => drop(state.say(place.general, place.member, "hello")),
    }
}
