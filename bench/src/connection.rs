//! A connection over HTTP/1.1 that is used again and again.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::message;

/// A connection on which one call follows the other.
pub(crate) struct Connection<Stream> {
    stream: Stream,
    received: Vec<u8>,
}

impl Connection<tokio::net::TcpStream> {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let connected = tokio::net::TcpStream::connect(address).await;
        let stream = connected.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a call, and gives the status of its answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(status) = answered(&mut self.received)? {
                return Ok(status);
            }
            let read = self.stream.read_buf(&mut self.received).await?;
            ensure!(read > 0, "a connection ended before its answer");
        }
    }
}

impl Connection<TcpStream> {
    pub(crate) fn open_blocking(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// The same as [`call`](Connection::call), for a thread of its own.
    pub(crate) fn call_blocking(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request)?;
        let mut chunk = [0; 32 * 1024];
        loop {
            if let Some(status) = answered(&mut self.received)? {
                return Ok(status);
            }
            let read = self.stream.read(&mut chunk)?;
            ensure!(read > 0, "a connection ended before its answer");
            self.received.extend_from_slice(&chunk[..read]);
        }
    }
}

/// The status of the answer, once all of it was received; it is forgotten then.
fn answered(received: &mut Vec<u8>) -> anyhow::Result<Option<u16>> {
    let Some(answer) = message(received)? else { return Ok(None) };
    let (status, length) = (answer.status()?, answer.length);
    received.drain(..length);
    Ok(Some(status))
}
