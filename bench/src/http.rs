//! As much of HTTP/1.1 as the measures need, by hand: what sends and answers must cost little beside what is measured.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::program::PATIENCE;

/// One request on a connection of its own, and the body of its answer.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &Value) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    connection.set_read_timeout(Some(PATIENCE + Duration::from_secs(60)))?;
    let body = body.to_string();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).with_context(|| format!("{method} {path} of {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{address} answered no HTTP"))?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{address} answered {path}: {head}");
    Ok(body.to_owned())
}

/// A request or an answer at the beginning of what was received.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'received> {
    /// The first line, without its end.
    pub(crate) line: &'received str,
    /// Bytes of the head and the body.
    pub(crate) length: usize,
}

impl Message<'_> {
    /// The status of an answer.
    pub(crate) fn status(&self) -> anyhow::Result<u16> {
        let status = self.line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.with_context(|| format!("{} is no status line", self.line))
    }
}

/// The first message, once all of it is there. Its length must be told.
pub(crate) fn message(received: &[u8]) -> anyhow::Result<Option<Message<'_>>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = str::from_utf8(&received[..end]).context("a head is no text")?;
    let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut body = 0;
    for field in fields.split("\r\n") {
        let Some((name, value)) = field.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse().context("content-length is no number")?;
        }
        ensure!(!name.eq_ignore_ascii_case("transfer-encoding"), "the length of a message is not told: {head}");
    }
    let length = end + 4 + body;
    Ok((received.len() >= length).then_some(Message { line, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_there_when_its_last_byte_is() {
        let all = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP";
        for received in 0..41 {
            assert_eq!(message(&all[..received]).unwrap(), None, "{received}");
        }
        let first = message(all).unwrap().unwrap();
        assert_eq!((first.line, first.length, first.status().unwrap()), ("HTTP/1.1 200 OK", 41, 200));
    }

    #[test]
    fn a_message_without_a_length_has_no_body_and_one_in_chunks_is_not_understood() {
        let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(message(get).unwrap(), Some(Message { line: "GET / HTTP/1.1", length: get.len() }));
        assert!(message(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
