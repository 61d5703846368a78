//! What stands behind the gate: a server that answers everything with the same small body and the headers of a bucket that
//! never runs out, and notes when each request arrived.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::http::message;

/// Bytes of the body.
const BODY: usize = 300;
/// Of the bucket; its end is the same for all answers within a period, as Discord's is.
const PERIOD: Duration = Duration::from_secs(60);
/// Where it tells, as JSON, the microseconds since its start at which requests arrived, and forgets them.
pub(super) const ARRIVALS: &str = "/bench/arrivals";

/// When requests arrived.
#[derive(Clone)]
struct Arrivals(Arc<Mutex<Vec<Instant>>>);

/// Serves at `address`; it has no end of its own.
pub(crate) fn run(address: &str) -> anyhow::Result<()> {
    // One thread: it is the fastest for requests of microseconds, and leaves the other processor alone.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(listen(address))
}

async fn listen(address: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    let (start, arrivals) = (Instant::now(), Arrivals(Arc::default()));
    loop {
        let (connection, _) = listener.accept().await?;
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            // Whoever breaks a connection off has seen to that itself.
            let _ = serve(connection, start, &arrivals).await;
        });
    }
}

async fn serve(mut connection: TcpStream, start: Instant, arrivals: &Arrivals) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let body = body();
    let mut received = Vec::with_capacity(4096);
    loop {
        let Some(request) = message(&received)? else {
            if connection.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        if request.line.contains(ARRIVALS) {
            let told = serde_json::to_string(&arrivals.take(start))?;
            let length = told.len();
            let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{told}");
            return Ok(connection.write_all(answer.as_bytes()).await?);
        }
        arrivals.lock().push(Instant::now());
        let length = request.length;
        connection.write_all(answer(&body).as_bytes()).await?;
        received.drain(..length);
    }
}

impl Arrivals {
    fn take(&self, start: Instant) -> Vec<u64> {
        let micros = |arrival: Instant| u64::try_from((arrival - start).as_micros()).unwrap_or(u64::MAX);
        std::mem::take(&mut *self.lock()).into_iter().map(micros).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn body() -> String {
    let empty = r#"{"id":"1","channel_id":"2","type":0,"content":""}"#;
    let (before, after) = empty.split_at(empty.len() - 2);
    format!("{before}{}{after}", "x".repeat(BODY - empty.len()))
}

fn answer(body: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = PERIOD.as_secs() * (now.as_secs() / PERIOD.as_secs() + 1);
    let left = Duration::from_secs(end).saturating_sub(now).as_secs_f64();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-ratelimit-bucket: 80c17d2f203122d936070c88c8d10f33\r\nx-ratelimit-limit: 1000000\r\n\
         x-ratelimit-remaining: 999999\r\nx-ratelimit-reset: {end}.000\r\nx-ratelimit-reset-after: {left:.3}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_a_body_of_its_length() {
        let answer = answer(&body());
        assert_eq!(message(answer.as_bytes()).unwrap().unwrap().length, answer.len());
        assert!(answer.ends_with(r#"x"}"#));
        assert_eq!(body().len(), BODY);
        serde_json::from_str::<serde_json::Value>(&body()).unwrap();
    }
}
