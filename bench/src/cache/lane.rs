//! The cache's processes.

use std::process::Command;

use serde_json::Value;

use crate::{
    http::ask,
    names::Names,
    program::{Program, Programs, Servers, free_address, wait_for},
};

/// A process that answers.
pub(super) struct Lane {
    pub(super) address: String,
    pub(super) program: Program,
}

impl Lane {
    /// `cache-sync-service`.
    pub(super) fn sync(programs: &Programs, names: &Names, database: &str) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = programs.command("cache-sync-service")?;
        command.env("METRICS_ADDR", &address);
        Self::start(address, command, names, database)
    }

    /// `cache`, on any core.
    pub(super) fn cache(programs: &Programs, names: &Names, database: &str) -> anyhow::Result<Self> {
        Self::cache_by(programs.command("cache")?, names, database)
    }

    /// `cache`, by this command.
    pub(super) fn cache_by(mut command: Command, names: &Names, database: &str) -> anyhow::Result<Self> {
        let address = free_address()?;
        // Members count however long ago they were told of.
        command.env("SERVER_ADDR", &address).env("GATEWAY_MEMBERS", "true");
        Self::start(address, command, names, database)
    }

    fn start(address: String, mut command: Command, names: &Names, database: &str) -> anyhow::Result<Self> {
        names.give(&Servers::named()?, &mut command);
        command.env("CACHE_DATABASE_URI", database);
        let mut lane = Self { address, program: Program::start(command)? };
        wait_for("a process of the cache to be ready", &mut lane.program, || {
            Ok(ask(&lane.address, "GET", "/readyz", &Value::Null).is_ok())
        })?;
        Ok(lane)
    }

    /// Whether it answers a question with 200, and what.
    pub(super) fn ask(&self, path: &str) -> Option<String> {
        ask(&self.address, "GET", path, &Value::Null).ok()
    }
}
