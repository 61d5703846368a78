use std::{io::Write, panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use anyhow::Context;
use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Instrument;

use super::{
    Service, Stopped, TaskFailed,
    process::{GRACE, Process},
    tasks::panic_message,
};
use crate::{
    config::{ConfigError, Env, FromEnv},
    telemetry::{self, Telemetry},
    tls,
};

/// The exit code of a bad configuration: `EX_USAGE` of sysexits.h.
const BAD_CONFIGURATION: u8 = 64;

/// Runs a service as a process: configuration, telemetry, runtime, signals, `run`, exit code.
///
/// Exit codes: 0 after a clean stop, 1 after a failure, 64 when the configuration is bad, with all of its problems on
/// standard error. The first SIGTERM or SIGINT begins the stop, 25 s later what still works is dropped; a second signal
/// drops it at once.
pub fn main<C, F, Fut>(name: &'static str, run: F) -> ExitCode
where
    C: FromEnv,
    F: FnOnce(C, Service) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let mut env = Env::load();
    let telemetry = Telemetry::from_env(&mut env);
    let config = C::from_env(&mut env);
    let problems = env.take_problems();
    let (telemetry, config) = match (telemetry, config) {
        (Ok(telemetry), Ok(config)) if problems.is_empty() => (telemetry, config),
        _ => {
            let _ = writeln!(std::io::stderr(), "{name}: {}", ConfigError::new(problems));
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let _telemetry = telemetry::init(name, &telemetry);
    tls::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let span = tracing::error_span!("service", service = name);
    let outcome = runtime.block_on(supervise(name, config, run).instrument(span));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => {
            tracing::info!("{name} stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // The failure of a task was logged when it happened.
            if !error.is::<TaskFailed>() {
                tracing::error!("{name} failed: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn supervise<C, F, Fut>(name: &'static str, config: C, run: F) -> anyhow::Result<()>
where
    F: FnOnce(C, Service) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let process = Process::new(GRACE);
    let service = Service::new(name, process.clone());
    // The process's own metrics (memory, CPU, open files) come once, however many services it holds.
    let own = prometheus::process_collector::ProcessCollector::for_self();
    service.metrics().register(Box::new(own)).context("register the metrics of the process")?;

    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let signalled = process.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if signalled.stopping() {
                tracing::warn!("told to stop again: stopping at once");
                signalled.hard().cancel();
                return;
            }
            tracing::info!("told to stop: finishing the work in flight");
            signalled.begin_stop();
        }
    });

    let run = async {
        let outcome = match AssertUnwindSafe(run(config, service.clone())).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Err(anyhow::anyhow!("panicked: {}", panic_message(&*panic))),
        };
        let stopped = process.stopping();
        process.begin_stop();
        let finished = service.finished().await;
        match outcome {
            Err(error) if !(stopped && error.is::<Stopped>()) => Err(error),
            _ => finished,
        }
    };
    let overdue = async {
        process.hard().cancelled().await;
        // Tasks are dropped now; what remains after this blocks a thread or ignores the stop.
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        outcome = run => outcome,
        () = overdue => anyhow::bail!("it did not stop in time"),
    }
}
