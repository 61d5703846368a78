//! One dependency that several shards have in common.

use common::service::Dependency;

/// A dependency that is up while no shard misses it.
#[derive(Clone)]
pub struct Shared(Dependency);

impl Shared {
    /// Up until a shard says otherwise.
    #[must_use]
    pub fn new(dependency: Dependency) -> Self {
        Self(dependency)
    }

    /// This shard misses the dependency.
    pub fn down(&self, shard: u32, reason: String) {
        self.of(shard).down(reason);
    }

    /// This shard has the dependency.
    pub fn up(&self, shard: u32) {
        self.of(shard).up();
    }

    fn of(&self, shard: u32) -> Dependency {
        self.0.part(format_args!("shard {shard}"))
    }
}
