use std::collections::BTreeMap;

use prometheus::{Encoder, TextEncoder, proto::MetricFamily};

use super::Service;

/// The metrics of a service and of its children in Prometheus' text format.
pub(super) fn encode(service: &Service) -> Result<String, prometheus::Error> {
    let mut families = BTreeMap::new();
    collect(service, &mut families);
    let families: Vec<MetricFamily> = families.into_values().collect();
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Merges families by name, because the format wants each name once; the label `service` keeps the series apart.
fn collect(service: &Service, families: &mut BTreeMap<String, MetricFamily>) {
    for mut family in service.metrics().gather() {
        let name = family.name().to_owned();
        match families.get_mut(&name) {
            None => {
                families.insert(name, family);
            }
            Some(known) if known.get_field_type() == family.get_field_type() => {
                known.mut_metric().extend(family.take_metric());
            }
            Some(_) => tracing::warn!(
                metric = name,
                "metric {name} of {} is left out: another service uses the name for another type",
                service.name()
            ),
        }
    }
    for child in service.children() {
        collect(&child, families);
    }
}
