//! Calls as fast as they are answered: each connection sends its next one then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinSet, time::sleep_until};

use super::request::{Call, Kind};
use crate::connection::Connection;

/// One of several processes that call as the same bot.
#[derive(clap::Args)]
pub(crate) struct CallerOptions {
    #[arg(long)]
    pub(super) address: String,
    #[arg(long)]
    pub(super) connections: usize,
    /// It calls channels of its own from this one on, one for each connection.
    #[arg(long)]
    pub(super) channel: u64,
    #[arg(long)]
    pub(super) seconds: f64,
}

/// What became of its calls.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Answered {
    pub(super) passed: u64,
    /// 429, by the gate or by Discord.
    pub(super) refused: u64,
}

/// Calls for its time, then ends; what is still unanswered then is not counted.
pub(crate) fn run(options: &CallerOptions) -> anyhow::Result<Answered> {
    runtime()?.block_on(call_for_a_time(options))
}

async fn call_for_a_time(options: &CallerOptions) -> anyhow::Result<Answered> {
    let end = tokio::time::Instant::now() + Duration::from_secs_f64(options.seconds);
    let (told, mut heard) = mpsc::unbounded_channel();
    let (mut callers, mut answered) = (JoinSet::new(), Answered::default());
    for channel in options.channel.. {
        if callers.len() == options.connections {
            break;
        }
        let mut connection = Connection::open(&options.address).await?;
        let request = Call { kind: Kind::Get, bot: 0, channel, guild: None, deadline_ms: 15_000 }.bytes();
        let told = told.clone();
        callers.spawn(async move { while told.send(connection.call(&request).await).is_ok() {} });
    }
    loop {
        let status = tokio::select! {
            () = sleep_until(end) => return Ok(answered),
            Some(status) = heard.recv() => status?,
        };
        match status {
            200 => answered.passed += 1,
            429 => answered.refused += 1,
            _ => anyhow::bail!("a call was answered {status}"),
        }
    }
}

/// Sends so many of `requests`, one after the other and again from the first, over so many connections. Tells how long it
/// took; no answer may be a refusal.
pub(super) fn send(
    address: &str,
    requests: &Arc<[Vec<u8>]>,
    calls: usize,
    connections: usize,
) -> anyhow::Result<Duration> {
    runtime()?.block_on(async {
        let (mut callers, next) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        let begin = Instant::now();
        for mut connection in open {
            let (requests, next) = (requests.clone(), next.clone());
            callers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return Ok(());
                    }
                    let status = connection.call(&requests[number % requests.len()]).await?;
                    ensure!(status == 200, "a call was answered {status}");
                }
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        Ok(begin.elapsed())
    })
}

/// One thread serves all connections.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
