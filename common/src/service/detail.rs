use std::{fmt, sync::Arc};

use serde_json::Value;

/// Something about a service that `/health` shows.
#[derive(Clone)]
pub(super) struct Detail {
    name: &'static str,
    read: Arc<dyn Fn() -> Value + Send + Sync>,
}

impl Detail {
    pub(super) fn new(name: &'static str, read: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        Detail { name, read: Arc::new(read) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn read(&self) -> Value {
        (self.read)()
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Detail").field(&self.name).finish()
    }
}
