//! A Discord that closes, falls silent, refuses and repeats. What it loses itself when it ends a session is nobody's fault; all else arrives.

use std::time::{Duration, Instant};

use discord_sim::chaos::Chaos;

use super::{
    Dose, Report,
    scene::{PATIENCE, Scene},
};
use crate::{Ground, wait};

/// Zombies are noticed by their heartbeats; at Discord's own pace each would take a minute and a half.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let (runs, shards, blows) = dose.choose((1, 2, 25), (10, 8, 100));
    for run in 0..runs {
        let ground = Ground::lay().await.with_shards(shards);
        ground.sim.write(|state| state.sessions.heartbeat_interval = Some(HEARTBEAT));
        let mut scene = Scene::open(ground, dose, seed + run).await;
        let struck = strike(seed + run, dose, blows, &mut scene, &mut report).await;
        scene.close(struck, None, &mut report).await;
    }
    report
}

async fn strike(seed: u64, dose: Dose, blows: usize, scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    let sim = scene.world.sim.clone();
    let every = dose.choose(Duration::from_millis(200), Duration::from_millis(500));
    let chaos = Chaos::new(seed).every(every).start(&sim);
    let struck = async || sim.read(|state| (state.ledger.chaos.len() >= blows).then_some(()));
    let enough = wait::until("all blows", PATIENCE, struck).await;
    let blows = chaos.stop().await;
    report.strikes += blows.len() as u64;
    let since = Instant::now();
    enough?;
    scene.recovers(since, report).await
}
