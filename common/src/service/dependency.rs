use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Something that a service needs in order to be ready: a database, a broker, a connection. Down until it is
/// [`up`](Dependency::up); clones are the same dependency.
#[derive(Debug, Clone)]
pub struct Dependency {
    name: &'static str,
    /// Who reports; empty where the service has one reporter only.
    part: Arc<str>,
    missing: Arc<Mutex<Missing>>,
}

/// Who misses it and why; `None` until somebody has reported.
type Missing = Option<BTreeMap<Arc<str>, String>>;

impl Dependency {
    pub(super) fn new(name: &'static str) -> Self {
        Dependency { name, part: Arc::default(), missing: Arc::default() }
    }

    /// One that no service needs in order to be ready: for a part of a service that reports to a dependency, where its
    /// report is to count for nothing.
    #[must_use]
    pub fn unheeded(name: &'static str) -> Self {
        Dependency::new(name)
    }

    /// The same dependency as this part of the service sees it: one of several consumers, one shard. It is up while no
    /// part says that it is down.
    #[must_use]
    pub fn part(&self, part: impl fmt::Display) -> Dependency {
        Dependency { part: part.to_string().into(), ..self.clone() }
    }

    /// The name under which `/readyz` and `/health` show it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// It answers.
    pub fn up(&self) {
        self.lock().get_or_insert_default().remove(&self.part);
    }

    /// It does not answer; `reason` is shown on `/readyz` and must hold no secret.
    pub fn down(&self, reason: impl fmt::Display) {
        self.lock().get_or_insert_default().insert(self.part.clone(), reason.to_string());
    }

    /// Why it is down, in the words of one part, or `None` when it is up.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let missing = self.lock();
        let Some(missing) = &*missing else { return Some("starting".to_owned()) };
        let (part, reason) = missing.first_key_value()?;
        let part = if part.is_empty() { String::new() } else { format!("{part}: ") };
        let others = match missing.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Some(format!("{part}{reason}{others}"))
    }

    fn lock(&self) -> MutexGuard<'_, Missing> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_up_only_while_no_part_misses_it() {
        let kafka = Dependency::new("kafka");
        assert_eq!(kafka.reason().as_deref(), Some("starting"));
        kafka.up();
        let (events, clicks) = (kafka.part("events"), kafka.part("clicks"));
        assert_eq!(events.reason(), None);

        events.down("away");
        clicks.down("forbidden");
        assert_eq!(kafka.reason().as_deref(), Some("clicks: forbidden (and 1 more)"));
        clicks.up();
        assert_eq!(kafka.reason().as_deref(), Some("events: away"), "another part's report leaves it");
        kafka.up();
        assert_eq!(kafka.reason().as_deref(), Some("events: away"));
        events.up();
        assert_eq!(kafka.reason(), None);
    }
}
