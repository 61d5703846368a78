use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Dependency, Service};

/// The answer of `/health`.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    service: &'static str,
    version: &'static str,
    status: Status,
    dependencies: Vec<Entry>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<&'static str, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<Health>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ready,
    Waiting,
    Stopping,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Health {
    pub(super) fn of(service: &Service) -> Health {
        let entry = |dependency: &Dependency| {
            let reason = dependency.reason();
            Entry { name: dependency.name(), up: reason.is_none(), reason }
        };
        let dependencies: Vec<Entry> = service.dependencies().iter().map(entry).collect();
        let details = service.details().iter().map(|detail| (detail.name(), detail.read())).collect();
        let services: Vec<Health> = service.children().iter().map(Health::of).collect();
        let all_up = dependencies.iter().all(|dependency| dependency.up)
            && services.iter().all(|service| service.status == Status::Ready);
        let status = match (service.stopping(), all_up) {
            (true, _) => Status::Stopping,
            (false, true) => Status::Ready,
            (false, false) => Status::Waiting,
        };
        Health { service: service.name(), version: env!("CARGO_PKG_VERSION"), status, dependencies, details, services }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status == Status::Ready
    }

    /// Why the service is not ready, one reason a line.
    pub(super) fn reasons(&self) -> Vec<String> {
        if self.status == Status::Stopping {
            return vec!["stopping".to_owned()];
        }
        let own = self.dependencies.iter().filter_map(|dependency| {
            dependency.reason.as_ref().map(|reason| format!("{}: {}: {reason}", self.service, dependency.name))
        });
        own.chain(self.services.iter().flat_map(Health::reasons)).collect()
    }
}
