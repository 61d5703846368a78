//! What Prometheus is told of the memory.

use prometheus::{
    IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::store::Memory;

/// `cache_guilds`: as many as there are at the moment of asking.
pub(crate) struct Guilds {
    memory: Memory,
    guilds: IntGauge,
}

impl Guilds {
    /// Those of that memory.
    ///
    /// # Errors
    ///
    /// When Prometheus does not take the name.
    pub(crate) fn new(memory: Memory) -> prometheus::Result<Self> {
        Ok(Self { memory, guilds: IntGauge::new("cache_guilds", "Guilds in memory, of all bots")? })
    }
}

impl Collector for Guilds {
    fn desc(&self) -> Vec<&Desc> {
        self.guilds.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.guilds.set(i64::try_from(self.memory.count_of_all()).unwrap_or(i64::MAX));
        self.guilds.collect()
    }
}
