//! The one broker is gone for a moment, for half a minute, for longer than a connection and a member of a group live (75 s),
//! and once for longer than a producer keeps what it was given unless told otherwise (`message.timeout.ms`, 300 s).

use std::time::{Duration, Instant};

use super::{Dose, Report, scene::Scene};
use crate::{Door, Ground, servers::Cluster};

/// How the broker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// Its process was killed, and starts again with the data on its disk.
    Killed,
    /// Its process stands still.
    Frozen,
    /// Connections to it end and new ones are refused, while it runs.
    Away,
}

pub(super) async fn run(outage: Outage, dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let mut cluster = Cluster::start(1).await;
    let door = Door::shut_before_kafka(cluster.addresses()).await;
    door.open();
    let ground = Ground::on_cluster(&cluster).await;
    let ground = if outage == Outage::Away { ground.behind(door.addr().to_string()) } else { ground };
    let mut scene = Scene::open(ground, dose, seed).await;
    let mut struck = Ok(());
    let lengths = match (dose, outage) {
        (Dose::Small, _) => &[1][..],
        (Dose::Full, Outage::Away) => &[1, 1, 1, 30, 310],
        (Dose::Full, _) => &[1, 1, 1, 30, 75],
    };
    for seconds in lengths {
        struck = strike(outage, Duration::from_secs(*seconds), &mut cluster, &door, &mut scene, &mut report).await;
        if struck.is_err() {
            break;
        }
    }
    scene.close(struck, Some(1), &mut report).await;
    report
}

async fn strike(
    outage: Outage,
    length: Duration,
    cluster: &mut Cluster,
    door: &Door,
    scene: &mut Scene,
    report: &mut Report,
) -> Result<(), String> {
    scene.a_while(400).await?;
    report.strikes += 1;
    match outage {
        Outage::Killed => cluster.kill(0).await,
        Outage::Frozen => cluster.freeze(0).await,
        Outage::Away => door.shut(),
    }
    // The fault itself, not a wait for something.
    tokio::time::sleep(length).await;
    match outage {
        Outage::Killed => cluster.restart(0),
        Outage::Frozen => cluster.thaw(0).await,
        Outage::Away => door.open(),
    }
    let since = Instant::now();
    cluster.ready().await?;
    scene.recovers(since, report).await
}
