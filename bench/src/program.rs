//! The processes that are measured: started, looked at from outside, ended.

use std::{
    fmt::Display,
    fs,
    io::Read as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::Serialize;

/// How long anything may take before the run counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at another process.
const LOOK: Duration = Duration::from_millis(20);
/// What `/proc/PID/stat` counts in, on every Linux that Rust runs on (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Where the built programs and the servers are.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Those of the same build as this one.
    pub(crate) fn beside_us() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        Ok(Self(own.parent().context("this program is in no directory")?.to_owned()))
    }

    /// A program, with nothing on its standard output and its words on our standard error.
    pub(crate) fn command(&self, name: &str) -> anyhow::Result<Command> {
        Ok(quiet(Command::new(self.path(name)?)))
    }

    /// The same on one core alone.
    pub(crate) fn command_on(&self, core: usize, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(self.path(name)?);
        Ok(quiet(command))
    }

    fn path(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        ensure!(path.is_file(), "{name} is not built: run scripts/bench");
        Ok(path)
    }
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).env("RUST_LOG", "warn");
    command
}

/// The servers that a figure needs.
pub(crate) struct Servers {
    pub(crate) kafka: String,
    pub(crate) redis: String,
}

impl Servers {
    /// Those that `KAFKA_BROKERS` and `REDIS_ADDR` name.
    pub(crate) fn named() -> anyhow::Result<Self> {
        Ok(Self { kafka: server("KAFKA_BROKERS")?, redis: server("REDIS_ADDR")? })
    }
}

/// The server that a variable names.
pub(crate) fn server(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run scripts/bench"))
}

/// A running program; it ends with the value.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_owned();
        Ok(Self(command.spawn().with_context(|| format!("start {}", name.display()))?))
    }

    /// CPU time of all its threads so far, those that ended included.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        Ok(Times::of(self.0.id())?.own)
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        memory_of(self.0.id())
    }

    /// Waits for its end, and gives what it wrote; its standard output must be a pipe.
    pub(crate) fn output(mut self) -> anyhow::Result<String> {
        let mut output = String::new();
        let mut pipe = self.0.stdout.take().context("the program writes to no pipe")?;
        pipe.read_to_string(&mut output)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "a program failed: {status}");
        Ok(output)
    }

    fn ensure_alive(&mut self) -> anyhow::Result<()> {
        match self.0.try_wait()? {
            Some(status) => bail!("a measured program ended: {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU time of a process so far.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// Of all its threads, those that ended included.
    pub(crate) own: Duration,
    /// Of its children that ended.
    pub(crate) ended: Duration,
    /// Its parent.
    pub(crate) parent: u32,
}

impl Times {
    pub(crate) fn of(process: impl Display) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name in parentheses may hold spaces; the parent is the 4th field, utime, stime, cutime and cstime are the 14th to
        // the 17th.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number).copied().context("/proc/PID/stat is short");
        let ticks = |number: usize| field(number)?.parse::<u32>().context("/proc/PID/stat has no number");
        let time = |ticks: u32| Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND);
        Ok(Self { own: time(ticks(11)? + ticks(12)?), ended: time(ticks(13)? + ticks(14)?), parent: ticks(1)? })
    }
}

/// Memory of a process now.
pub(crate) fn memory_of(process: impl Display) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kibibytes.map(|kibibytes| kibibytes * 1024.0 / 1e6).with_context(|| format!("/proc/PID/status has no {name}"))
    };
    Ok(Memory {
        resident_mb: megabytes("VmRSS")?,
        own_mb: megabytes("RssAnon")?,
        files_mb: megabytes("RssFile")?,
        peak_mb: megabytes("VmHWM")?,
    })
}

/// Memory of a process in megabytes (10^6 bytes).
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident_mb: f64,
    /// Of that, what is the process's own.
    pub(crate) own_mb: f64,
    /// Of that, pages of the program's file and its libraries; other processes share them.
    pub(crate) files_mb: f64,
    /// The most that was resident.
    pub(crate) peak_mb: f64,
}

/// Waits until `look` says that it is so.
pub(crate) fn wait_for(
    what: &str,
    program: &mut Program,
    mut look: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !look()? {
        program.ensure_alive()?;
        ensure!(Instant::now() < deadline, "waited {} s in vain for {what}", PATIENCE.as_secs());
        thread::sleep(LOOK);
    }
    Ok(())
}

/// An address on which nobody listens.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
