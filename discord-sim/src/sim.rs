//! The handle: starts the server, reads and waits for state.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    control::AtWork,
    gateway::{Wire, Wires},
    state::State,
};

/// A running Discord. Clones share it; it stops when [`Sim::stop`] is called.
#[derive(Clone, Debug)]
pub struct Sim {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    addr: SocketAddr,
    stopped: CancellationToken,
    chaos: AtWork,
    /// Made when the first endpoint is asked: that takes longer than most tests, and wants a TLS provider.
    http: OnceLock<reqwest::Client>,
}

/// How long [`Sim::wait_for`] waits before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

impl Sim {
    /// Starts on `listener` with an empty world.
    ///
    /// # Errors
    ///
    /// When the socket has no address.
    pub fn start(listener: TcpListener) -> std::io::Result<Self> {
        let addr = listener.local_addr()?;
        let state = State { base_url: format!("http://{addr}"), ..State::default() };
        let inner = Inner {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            addr,
            stopped: CancellationToken::new(),
            chaos: AtWork::default(),
            http: OnceLock::new(),
        };
        let sim = Self { inner: Arc::new(inner) };
        let router = crate::rest::router(sim.clone()).into_make_service_with_connect_info::<Wire>();
        let server = axum::serve(Wires(listener), router).with_graceful_shutdown(sim.stopped().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "server ended");
            }
        });
        Ok(sim)
    }

    /// Base of the REST API, e.g. `http://127.0.0.1:4000/api/v10`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api/v10", self.inner.addr)
    }

    /// Address of the gateway, e.g. `ws://127.0.0.1:4000/gateway`.
    pub fn gateway_url(&self) -> String {
        format!("ws://{}/gateway", self.inner.addr)
    }

    /// Address of the page.
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.inner.addr)
    }

    /// Sends outgoing HTTP (interactions to endpoints).
    pub(crate) fn http(&self) -> &reqwest::Client {
        self.inner.http.get_or_init(reqwest::Client::new)
    }

    /// Looks at the world.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the world and wakes everyone who waits for it.
    pub fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.wake();
        result
    }

    /// Lets everyone who waits for the world look again.
    pub(crate) fn wake(&self) {
        self.inner.changed.send_modify(|version| *version += 1);
    }

    /// Waits until `look` finds something, and returns it.
    ///
    /// # Panics
    ///
    /// After [`PATIENCE`], naming `what` and what happened last: this is for tests.
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    pub async fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut changed = self.inner.changed.subscribe();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = self.read(&mut look) {
                    return Some(found);
                }
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        });
        match found.await {
            Ok(Some(found)) => found,
            _ => panic!("waited {PATIENCE:?} in vain for {what}; {}", self.read(so_far)),
        }
    }

    /// The chaos that was ordered from another process.
    pub(crate) fn chaos(&self) -> &AtWork {
        &self.inner.chaos
    }

    /// Told of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Cancelled when the server is to end; connections watch it.
    pub fn stopped(&self) -> CancellationToken {
        self.inner.stopped.clone()
    }

    /// Ends the server and its connections.
    pub fn stop(&self) {
        self.inner.stopped.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in one test's closure must not take the world away from the others.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person wants to know first when something did not come.
fn so_far(state: &State) -> String {
    let bots = state.sessions.by_id.values().filter(|session| session.is_bot());
    let connected = bots.clone().filter(|session| session.connected()).count();
    let mut text = format!(
        "{connected} of {} sessions of bots connected, {} identified, {} resumed; failed interactions: {:?}; violations: {:?}; last requests:",
        bots.count(),
        state.sessions.identifies.len(),
        state.sessions.resumes,
        state.ledger.failed_interactions,
        state.ledger.violations,
    );
    for request in state.ledger.requests.iter().rev().take(10).rev() {
        text.push_str(&format!("\n  {} {} {} {}", request.at, request.method, request.path, request.status));
    }
    text
}
