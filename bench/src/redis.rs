//! How far the sharder's position has moved, asked from Redis itself.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context, bail};
use serde_json::Value;

/// A connection to Redis.
pub(crate) struct Redis(BufReader<TcpStream>);

impl Redis {
    pub(crate) fn connect(address: &str) -> anyhow::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(address).context("connect to Redis")?)))
    }

    /// The sum of the stored sequences of all shards of a bot.
    pub(crate) fn sequences(&mut self, bot: u64, shards: u32) -> anyhow::Result<u64> {
        let mut sum = 0;
        for shard in 0..shards {
            let stored = self.get(&format!("sharder:session:{bot}:{shards}:{shard}"))?;
            let Some(stored) = stored else { continue };
            let position: Value = serde_json::from_str(&stored)?;
            sum += position["sequence"].as_u64().context("a stored session has no sequence")?;
        }
        Ok(sum)
    }

    /// GET, in the protocol's arrays of bulk strings.
    fn get(&mut self, key: &str) -> anyhow::Result<Option<String>> {
        write!(self.0.get_mut(), "*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let Some(length) = line.trim_end().strip_prefix('$') else { bail!("Redis answered {line}") };
        if length == "-1" {
            return Ok(None);
        }
        let mut value = vec![0; length.parse::<usize>()? + 2];
        self.0.read_exact(&mut value)?;
        value.truncate(value.len() - 2);
        Ok(Some(String::from_utf8(value)?))
    }
}
