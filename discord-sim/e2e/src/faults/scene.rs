//! What most faults strike: a world whose sharder is a process, people at work, and a witness.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Dose, Report};
use crate::{
    Ground, Interactions, Load, Processes, Witness, World,
    check::{Evidence, Rule, Violation},
    load::Rooms,
    servers::Process,
    wait,
};

/// How long anything may take to come right again.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// The world, and the people in it.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) sharder: Process,
    /// The others, where they are processes too: worker, http-gateway, global-resolver, cache-sync-service and cache.
    pub(super) others: Vec<Process>,
    pub(super) chance: StdRng,
    witness: Witness,
    load: Load,
    rate: f64,
}

impl Scene {
    /// cache-sync-service among `others`.
    pub(super) const SYNC: usize = 3;

    /// People are at work when this returns.
    pub(super) async fn open(ground: Ground, dose: Dose, seed: u64) -> Self {
        let (world, sharder) = World::on_ground(ground, Interactions::ByHttp).await;
        Self::begin(world, sharder, Vec::new(), dose, seed).await
    }

    /// The same where every service is a process.
    pub(super) async fn of_processes(ground: Ground, dose: Dose, seed: u64) -> Self {
        let started = World::of_processes(ground, Interactions::ByHttp).await;
        let (world, Processes { resolver, worker, gateway, sharder, sync, cache }) =
            started.expect("every service gets ready");
        Self::begin(world, sharder, vec![worker, gateway, resolver, sync, cache], dose, seed).await
    }

    async fn begin(world: World, sharder: Process, others: Vec<Process>, dose: Dose, seed: u64) -> Self {
        let witness = Witness::start(&world.kafka).await.expect("Kafka answers the witness");
        let rooms = Rooms::furnish(&world, dose.choose(5, 50), dose.choose(1, 5)).await;
        let load = Load::start(&world.sim, &rooms, dose.choose(250, 2_000), seed);
        Self { world, sharder, others, chance: StdRng::seed_from_u64(seed), witness, load, rate: 0.0 }
    }

    /// Waits until people did something more, up to `at_most` acts.
    pub(super) async fn a_while(&mut self, at_most: u64) -> Result<(), String> {
        let until = self.load.done() + self.chance.random_range(0..=at_most);
        wait::until("people to go on", PATIENCE, async || (self.load.done() >= until).then_some(())).await
    }

    /// How many RESUMEs Discord has accepted.
    pub(super) fn resumes(&self) -> u64 {
        self.world.sim.read(|state| state.sessions.resumes)
    }

    /// Waits until Discord has accepted so many.
    pub(super) async fn resumed(&self, times: u64) -> Result<(), String> {
        wait::until("the RESUMEs", PATIENCE, async || (self.resumes() >= times).then_some(())).await
    }

    /// Waits until all that Discord has dispatched by now is in the topic; notes how long that took since `since`.
    pub(super) async fn recovers(&mut self, since: Instant, report: &mut Report) -> Result<(), String> {
        self.witness.sees_all(&self.world.sim, PATIENCE).await?;
        report.recovery.push(since.elapsed());
        Ok(())
    }

    /// The people stop.
    pub(super) async fn rest(&mut self) {
        self.rate = self.load.stop().await;
    }

    /// The people go home, everything is checked, and everything ends. `struck` is how the fault went, and so many sessions were to begin.
    pub(super) async fn close(mut self, struck: Result<(), String>, identifies: Option<usize>, report: &mut Report) {
        let evidence = self.evidence(report).await;
        self.judge(&evidence, struck, identifies, report).await;
    }

    /// The people go home; what is left behind once nothing is under way any more.
    pub(super) async fn evidence(&mut self, report: &mut Report) -> Evidence {
        self.rest().await;
        let (evidence, late) = Evidence::after(&self.world, &mut self.witness, PATIENCE).await;
        report.violations.extend(late);
        evidence
    }

    /// The second half of [`Scene::close`].
    pub(super) async fn judge(
        self,
        evidence: &Evidence,
        struck: Result<(), String>,
        identifies: Option<usize>,
        report: &mut Report,
    ) {
        let Self { world, mut sharder, others, rate, .. } = self;
        report.runs += 1;
        report.rate = rate;
        report.events += evidence.dispatches.len() as u64;
        report.note("records", evidence.records.len() as u64);
        report.violations.extend(evidence.violations(identifies));
        if let Err(differs) = world.cache_comes_right(PATIENCE).await {
            report.violations.push(Violation::new(Rule::Cached, differs));
        }
        let mut stopped = vec![struck, sharder.stop().await];
        for mut other in others {
            stopped.push(other.stop().await);
        }
        stopped.push(world.stop().await);
        let failed = stopped.into_iter().filter_map(Result::err);
        report.violations.extend(failed.map(|text| Violation { rule: Rule::Clean, text }));
        world.leave().await;
    }
}
