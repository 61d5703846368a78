use std::sync::Weak;

use prometheus::{IntCounter, PullingGauge, Registry};

use super::Inner;

/// What an instance counts of its leases.
pub(super) struct Metrics {
    pub(super) forwarded: IntCounter,
    pub(super) lost: IntCounter,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Self {
            forwarded: counter(
                "resolver_forwarded_total",
                "Calls given to another instance, which sends for their bot; each attempt counts",
            )?,
            lost: counter(
                "resolver_lease_lost_total",
                "Bots whose lease ended while this instance still sent for them",
            )?,
        })
    }
}

/// Shows how many bots the instance has.
pub(super) fn show_owned(registry: &Registry, fleet: Weak<Inner>) -> prometheus::Result<()> {
    let owned = move || fleet.upgrade().map_or(0, |fleet| fleet.owned().len());
    let owned = move || f64::from(u32::try_from(owned()).unwrap_or(u32::MAX));
    let help = "Bots, and webhooks used by their token, that this instance sends for";
    registry.register(Box::new(PullingGauge::new("resolver_owned_bots", help, Box::new(owned))?))
}
