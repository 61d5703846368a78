//! Faults under load: each strikes at moments that its seed chooses, and afterwards the checker proves that nothing was lost.

mod dose;
mod report;
mod scene;

mod brokers_in_turn;
mod cache_killed;
mod gateway_chaos;
mod kafka_outage;
mod kill_sharder;
mod poison;
mod producer_errors;
mod rebalance;
mod rest_storm;
mod rolling_restart;
mod shards_dropped;

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, future::LocalBoxFuture};

use self::kafka_outage::Outage;

pub use dose::Dose;
pub use report::{Report, table};

use crate::check::{Rule, Violation};

/// All faults, in the order in which they are run.
pub static ALL: &[Fault] = &[
    Fault {
        name: "kill_sharder",
        about: "kill -9 of the sharder, also while it resumes, and a start where it was",
        run: |dose, seed| kill_sharder::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "kafka_killed",
        about: "kill -9 of the one broker, and a start some time later",
        run: |dose, seed| kafka_outage::run(Outage::Killed, dose, seed).boxed_local(),
    },
    Fault {
        name: "kafka_frozen",
        about: "the one broker stands still for some time, its connections stay",
        run: |dose, seed| kafka_outage::run(Outage::Frozen, dose, seed).boxed_local(),
    },
    Fault {
        name: "kafka_away",
        about: "nobody listens where Kafka was, for some time",
        run: |dose, seed| kafka_outage::run(Outage::Away, dose, seed).boxed_local(),
    },
    Fault {
        name: "brokers_in_turn",
        about: "kill -9 of each of three brokers in turn, and a start",
        run: |dose, seed| brokers_in_turn::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "producer_errors",
        about: "a broker that answers writes by what makes a producer send again, or doubt",
        run: |dose, seed| producer_errors::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "shards_dropped",
        about: "all connections of many shards end at once",
        run: |dose, seed| shards_dropped::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "rebalance",
        about: "members of a consumer group come and go",
        run: |dose, seed| rebalance::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "poison",
        about: "records that no writer of ours would write, of more than fifty kinds, among the events",
        run: |dose, seed| poison::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "gateway_chaos",
        about: "a Discord that misbehaves in every way that we know of, some of which end sessions",
        run: |dose, seed| gateway_chaos::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "cache_killed",
        about: "kill -9 of cache-sync-service and of a cache, and another cache is cut off from Kafka, while guilds change",
        run: |dose, seed| cache_killed::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "rest_storm",
        about: "30 % of the REST calls are limited, 20 % fail, some lose their answer or stall, while people open and close tickets",
        run: |dose, seed| rest_storm::run(dose, seed).boxed_local(),
    },
    Fault {
        name: "rolling_restart",
        about: "every service and every server stops as at a deploy and starts again, one after the other",
        run: |dose, seed| rolling_restart::run(dose, seed).boxed_local(),
    },
];

/// One kind of misfortune.
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    run: fn(Dose, u64) -> LocalBoxFuture<'static, Report>,
}

impl Fault {
    /// The fault with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Fault> {
        ALL.iter().find(|fault| fault.name == name)
    }

    /// Lets it happen. Also what breaks the test itself is in the report.
    pub async fn run(&self, dose: Dose, seed: u64) -> Report {
        let ran = AssertUnwindSafe((self.run)(dose, seed)).catch_unwind().await;
        let report = ran.unwrap_or_else(|panic| {
            let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(text), _) => text.clone(),
                (None, text) => text.copied().unwrap_or("it panicked").to_owned(),
            };
            let mut report = Report::new(dose, seed);
            report.violations.push(Violation { rule: Rule::Clean, text });
            report
        });
        report.of(self.name)
    }
}
