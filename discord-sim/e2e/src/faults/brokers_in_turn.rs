//! One of three brokers is killed, and comes back before the next one is. Two copies of each record are always there.

use std::time::Instant;

use super::{Dose, Report, scene::Scene};
use crate::{Ground, servers::Cluster};

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let mut cluster = Cluster::start(3).await;
    let mut scene = Scene::open(Ground::on_cluster(&cluster).await, dose, seed).await;
    let mut struck = Ok(());
    for broker in (0..cluster.size()).cycle().take(dose.choose(3, 30)) {
        struck = strike(broker, &mut cluster, &mut scene, &mut report).await;
        if struck.is_err() {
            break;
        }
    }
    scene.close(struck, Some(1), &mut report).await;
    report
}

/// Recovery is the failover: the time from the kill until what was dispatched before is acknowledged by those that are left.
async fn strike(broker: usize, cluster: &mut Cluster, scene: &mut Scene, report: &mut Report) -> Result<(), String> {
    scene.a_while(400).await?;
    cluster.kill(broker).await;
    report.strikes += 1;
    scene.recovers(Instant::now(), report).await?;
    scene.a_while(400).await?;
    cluster.restart(broker);
    cluster.ready().await
}
