//! The sharder dies without a word, also while it resumes, and is started again.

use std::time::Instant;

use rand::RngExt;

use super::{Dose, Report, scene::Scene};
use crate::Ground;

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let (runs, kills) = dose.choose((1, 3), (10, 20));
    for run in 0..runs {
        let mut scene = Scene::open(Ground::lay().await, dose, seed + run).await;
        let mut struck = Ok(());
        for _ in 0..kills {
            struck = strike(&mut scene, &mut report).await;
            if struck.is_err() {
                break;
            }
        }
        scene.close(struck, Some(1), &mut report).await;
    }
    report
}

async fn strike(scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    scene.a_while(400).await?;
    scene.sharder.kill().await;
    report.strikes += 1;
    scene.a_while(400).await?;
    scene.sharder.restart();
    // One of four dies again, before or while it resumes.
    if scene.chance.random_range(0..4) == 0 {
        scene.a_while(1_000).await?;
        scene.sharder.kill().await;
        report.strikes += 1;
        scene.sharder.restart();
    }
    let (since, before) = (Instant::now(), scene.resumes());
    scene.resumed(before + 1).await?;
    scene.recovers(since, report).await
}
