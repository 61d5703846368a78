use std::{
    fs::OpenOptions,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A command whose process ends with ours, however ours ends: `kill -9` leaves nothing behind.
///
/// The kernel watches the thread that starts it, so it must not be one that comes and goes (`spawn_blocking`).
pub(super) fn bound_to_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// One server that keeps its data over restarts. Dropping it kills it; its data goes with its directory.
pub(super) struct Node {
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// Starts `scripts/backends node` with these arguments, the first of which names the server.
    pub(super) fn start(directory: &Path, arguments: Vec<String>) -> Self {
        let mut node = Self { arguments, log: directory.with_extension("log"), child: None };
        node.restart();
        node
    }

    /// Starts it, or starts it anew with the data that it had.
    pub(super) fn restart(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log of the server");
        let also = log.try_clone().expect("the log once more");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/backends");
        let mut command = bound_to_us(&script);
        command.arg("node").args(&self.arguments).env("TICKETS_NODE_BOUND", "yes").stdout(log).stderr(also);
        self.child = Some(command.spawn().expect("the server starts"));
    }

    /// `kill -9`; it is gone when this returns.
    pub(super) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the server can be killed");
        }
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(&mut self) {
        self.signal("INT").await;
        if let Some(mut child) = self.child.take() {
            child.wait().await.expect("the server ends");
        }
    }

    /// Holds it still: its connections stay, and nothing is answered on them.
    pub(super) async fn freeze(&mut self) {
        self.signal("STOP").await;
    }

    /// Lets it go on.
    pub(super) async fn thaw(&mut self) {
        self.signal("CONT").await;
    }

    /// Fails with the end of its log where it has ended by itself.
    pub(super) fn is_alive(&mut self) -> Result<(), String> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => Ok(()),
            None => Err("it is not running".to_owned()),
            _ => {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(10).collect();
                Err(format!("it ended: {}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")))
            }
        }
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.as_ref().and_then(Child::id);
        signal(pid.expect("a running server"), name).await;
    }
}

/// Sends a signal to a process that we started and have not waited for: its number is nobody else's.
pub(super) async fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: a program of that name is not on every machine.
    let sent = Command::new("bash").args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()]).status().await;
    assert!(sent.is_ok_and(|status| status.success()), "the signal {name} reaches the process {pid}");
}

/// A directory for the data of servers, gone when it is dropped. Postgres runs as another user than root, who passes through it.
pub(super) fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("tickets-faults.").tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o711)).expect("its permissions");
    directory
}

/// Ports that nobody listens on, below the range that outgoing connections take: they are free at a restart, too.
pub(super) fn free_ports<const N: usize>() -> [u16; N] {
    let mut held: Vec<TcpListener> = Vec::new();
    while held.len() < N {
        let port = rand::random_range(20_000..32_000);
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    std::array::from_fn(|at| held[at].local_addr().expect("a bound port").port())
}
