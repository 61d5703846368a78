//! One dependency that several shards have in common.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use common::service::Dependency;

/// A dependency that is up while no shard misses it.
#[derive(Clone)]
pub struct Shared {
    dependency: Dependency,
    missing: Arc<Mutex<BTreeMap<u32, String>>>,
}

impl Shared {
    /// Up until a shard says otherwise.
    #[must_use]
    pub fn new(dependency: Dependency) -> Self {
        Self { dependency, missing: Arc::default() }
    }

    /// This shard misses the dependency.
    pub fn down(&self, shard: u32, reason: String) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert(shard, reason);
        self.report(&missing);
    }

    /// This shard has the dependency.
    pub fn up(&self, shard: u32) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.remove(&shard).is_some() {
            self.report(&missing);
        }
    }

    /// Reports while the lock is held, so that the last report is the true one.
    fn report(&self, missing: &BTreeMap<u32, String>) {
        match missing.first_key_value() {
            None => self.dependency.up(),
            Some((shard, reason)) if missing.len() == 1 => self.dependency.down(format!("shard {shard}: {reason}")),
            Some((shard, reason)) => self.dependency.down(format!("{} shards; shard {shard}: {reason}", missing.len())),
        }
    }
}
