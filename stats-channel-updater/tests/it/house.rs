//! A running updater, its counter and its Discord.

use std::time::{Duration, Instant};

use common::{discord::DiscordConfig, service::Service};
use discord_sim::{RestFault, RestMatch, Sim, ledger::Request, seed::Seed, state::kind};
use stats_channel_updater::{Config, config::Pace};
use tokio::{net::TcpListener, task::JoinHandle};
use twilight_model::id::{Id, marker::ChannelMarker};

use crate::counter::Counter;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Discord's route of a channel.
const CHANNEL: &str = "/channels/{channel_id}";

/// A Discord with a channel, and a counter.
pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) counter: Counter,
    pub(crate) channel: Id<ChannelMarker>,
    /// How the next updater is configured.
    pub(crate) config: Config,
}

/// An updater at work.
pub(crate) struct Running {
    pub(crate) service: Service,
    task: JoinHandle<anyhow::Result<()>>,
}

impl House {
    /// With a voice channel of that name, and a counter of that count. Nothing is limited.
    pub(crate) async fn new(name: &str, count: u64) -> Self {
        Self::with_channel(kind::VOICE, name, count).await
    }

    pub(crate) async fn with_channel(kind: u8, name: &str, count: u64) -> Self {
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        let channel = sim.write(|state| state.add_channel(seed.guild, kind, name, None));
        let counter = Counter::start(count).await;
        let config = Config {
            counter: counter.url.clone(),
            token: seed.token(&sim).into(),
            channel,
            template: "Servers: {count}".parse().unwrap(),
            pace: Pace {
                interval: Duration::from_millis(10),
                // So short that it limits nothing.
                window: Duration::ZERO,
                first_retry: Duration::from_millis(10),
                longest_retry: Duration::from_millis(50),
                pause: Duration::from_secs(3600),
            },
            discord: DiscordConfig { api_url: sim.api_url().parse().unwrap() },
            metrics_addr: None,
        };
        Self { sim, counter, channel, config }
    }

    /// An updater, as in a process of its own.
    pub(crate) fn start(&self) -> Running {
        let service = Service::unattended("stats-channel-updater");
        let task = tokio::spawn(stats_channel_updater::run(self.config.clone(), service.clone()));
        Running { service, task }
    }

    /// The next so many of these requests for the channel meet with this.
    pub(crate) fn fault(&self, method: &'static str, times: u32, fault: RestFault) {
        let matching = RestMatch { method, template: CHANNEL, times };
        self.sim.write(|state| state.rest_faults.push((matching, fault)));
    }

    /// Waits until the channel is called so and the updater, which must look at its counter often, knows it.
    pub(crate) async fn until_shown(&self, name: &str) {
        self.until_named(name).await;
        self.counter.read_again(2).await;
    }

    /// Waits until the channel is called so; the updater may not have the answer yet.
    pub(crate) async fn until_named(&self, name: &str) {
        let what = format!("the name {name:?}");
        self.sim.wait_for(&what, |state| (state.channels[&self.channel].name == name).then_some(())).await;
    }

    pub(crate) fn name(&self) -> String {
        self.sim.read(|state| state.channels[&self.channel].name.clone())
    }

    /// The requests of this method for the channel, by their answers' status.
    pub(crate) fn asked(&self, method: &str) -> Vec<u16> {
        self.sim.read(|state| statuses(&state.ledger.requests, method))
    }

    /// Waits until there were so many of them.
    pub(crate) async fn until_asked(&self, method: &str, times: usize) {
        let what = format!("{times} times {method}");
        let enough = |requests: &[Request]| statuses(requests, method).len() >= times;
        self.sim.wait_for(&what, |state| enough(&state.ledger.requests).then_some(())).await;
    }

    /// Fails on anything that was against Discord's rules.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.sim.read(|state| assert_eq!(state.ledger.violations, Vec::<String>::new()));
        self.sim.stop();
    }
}

fn statuses(requests: &[Request], method: &str) -> Vec<u16> {
    let of_channel = |request: &&Request| request.method == method && request.template.as_deref() == Some(CHANNEL);
    requests.iter().filter(of_channel).map(|request| request.status).collect()
}

impl Running {
    /// Waits until `/readyz` says something with this in it, or, for the empty text, that all is well.
    pub(crate) async fn until_missing(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reasons = self.service.not_ready().join("\n");
            if if text.is_empty() { reasons.is_empty() } else { reasons.contains(text) } {
                return reasons;
            }
            assert!(Instant::now() < deadline, "waited in vain for {text:?}: {reasons}");
            tokio::task::yield_now().await;
        }
    }

    /// The value of `channel_renames_total` with this result.
    pub(crate) fn renames(&self, result: &str) -> f64 {
        let families = self.service.metrics().gather();
        let metrics = families.iter().filter(|family| family.name() == "channel_renames_total");
        let mut with_result = metrics.flat_map(|family| family.get_metric()).filter(|metric| {
            metric.get_label().iter().any(|label| label.name() == "result" && label.value() == result)
        });
        with_result.next().map_or(0.0, |metric| metric.get_counter().get_value())
    }

    /// How it ends by itself.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the updater ends").unwrap()
    }

    /// Stops it, which must end well.
    pub(crate) async fn stop(self) {
        self.service.stop();
        self.ended().await.unwrap();
    }
}
