use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Something that a service needs in order to be ready: a database, a broker, a connection. Down until it is
/// [`up`](Dependency::up); clones are the same dependency.
#[derive(Debug, Clone)]
pub struct Dependency {
    name: &'static str,
    /// Why it is down.
    down: Arc<Mutex<Option<String>>>,
}

impl Dependency {
    pub(super) fn new(name: &'static str) -> Self {
        Dependency { name, down: Arc::new(Mutex::new(Some("starting".to_owned()))) }
    }

    /// The name under which `/readyz` and `/health` show it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// It answers.
    pub fn up(&self) {
        *self.lock() = None;
    }

    /// It does not answer; `reason` is shown on `/readyz` and must hold no secret.
    pub fn down(&self, reason: impl fmt::Display) {
        *self.lock() = Some(reason.to_string());
    }

    /// Why it is down, or `None` when it is up.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
