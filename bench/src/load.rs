//! The process that generates the load, and how it is told.

use std::net::TcpStream;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    http::ask,
    program::{Program, Programs, free_address, wait_for},
};

/// A Discord of one measured program.
pub(crate) struct Load {
    address: String,
    _program: Program,
}

/// What was sent so far.
#[derive(Deserialize)]
pub(crate) struct Sent {
    pub(crate) connected: u32,
    pub(crate) dispatched: u64,
    pub(crate) bytes: u64,
    pub(crate) wire_bytes: u64,
}

impl Load {
    pub(crate) fn start(programs: &Programs) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = programs.command("discord-sim")?;
        command.args(["--load", "--listen", &address]);
        let mut program = Program::start(command)?;
        wait_for("discord-sim to listen", &mut program, || Ok(TcpStream::connect(&address).is_ok()))?;
        Ok(Self { address, _program: program })
    }

    pub(crate) fn api_url(&self) -> String {
        format!("http://{}/api/v10", self.address)
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("ws://{}/gateway", self.address)
    }

    /// What shards get when they identify from now on.
    pub(crate) fn set_guilds(&self, per_shard: u64) -> anyhow::Result<()> {
        ask(&self.address, "POST", "/_load/guilds", &json!({ "per_shard": per_shard })).map(drop)
    }

    /// Sends events to all shards and returns when the last one is written.
    pub(crate) fn send(&self, count: u64, rate: u64, bytes: u64) -> anyhow::Result<()> {
        ask(&self.address, "POST", "/_load/events", &json!({ "count": count, "rate": rate, "bytes": bytes })).map(drop)
    }

    pub(crate) fn sent(&self) -> anyhow::Result<Sent> {
        Ok(serde_json::from_str(&ask(&self.address, "GET", "/_load", &Value::Null)?)?)
    }
}
