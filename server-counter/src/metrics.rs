//! The count for Prometheus.

use prometheus::{
    IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::total::Total;

/// What is known at the moment of asking. What is not known has no sample: 0 would be a lie.
#[derive(Clone)]
pub struct Gauges {
    total: Total,
    guilds: IntGauge,
    age: IntGauge,
    up: IntGauge,
}

impl Gauges {
    /// The gauges of that count.
    ///
    /// # Errors
    ///
    /// When Prometheus does not take their names.
    pub fn new(total: &Total) -> prometheus::Result<Self> {
        Ok(Self {
            total: total.clone(),
            guilds: IntGauge::new("tickets_guilds", "Guilds that the bot is in, as the cache told last")?,
            age: IntGauge::new("tickets_guilds_age_seconds", "How long ago the cache was asked for tickets_guilds")?,
            up: IntGauge::new("tickets_guilds_up", "Whether the cache told the count when it was asked last")?,
        })
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [&self.guilds, &self.age, &self.up].into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let reading = self.total.read();
        self.up.set(i64::from(reading.is_some_and(|reading| !reading.stale)));
        let mut families = self.up.collect();
        if let Some(reading) = reading {
            self.guilds.set(whole(reading.count));
            self.age.set(whole(reading.age.as_secs()));
            families.extend(self.guilds.collect());
            families.extend(self.age.collect());
        }
        families
    }
}
