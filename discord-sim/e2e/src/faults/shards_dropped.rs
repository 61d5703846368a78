//! Every shard loses its connection in the same moment, with a close code or without a word. All resume, none identifies.

use std::time::Instant;

use rand::RngExt;

use super::{Dose, Report, scene::Scene};
use crate::Ground;

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let (shards, drops) = dose.choose((8, 3), (50, 50));
    let mut scene = Scene::open(Ground::lay().await.with_shards(shards), dose, seed).await;
    let mut struck = Ok(());
    for _ in 0..drops {
        struck = strike(u64::from(shards), &mut scene, &mut report).await;
        if struck.is_err() {
            break;
        }
    }
    scene.close(struck, Some(shards as usize), &mut report).await;
    report
}

async fn strike(shards: u64, scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    scene.a_while(400).await?;
    let code = [None, Some(4000), Some(1001)][scene.chance.random_range(0..3)];
    let (since, before) = (Instant::now(), scene.resumes());
    scene.world.sim.write(|state| state.sessions.disconnect_bots(code));
    report.strikes += 1;
    scene.resumed(before + shards).await?;
    scene.recovers(since, report).await
}
