use std::{
    fmt::Display,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Dependency, Http, Stopped,
    detail::Detail,
    health::Health,
    process::{GRACE, Process},
    tasks,
};
use crate::backoff;

/// A running service: its tasks, sockets, health and metrics. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: &'static str,
    process: Arc<Process>,
    /// Cancelled when this service shall stop.
    soft: CancellationToken,
    tasks: TaskTracker,
    lasting: Lasting,
    metrics: Registry,
    dependencies: Mutex<Vec<Dependency>>,
    details: Mutex<Vec<Detail>>,
    children: Mutex<Vec<Service>>,
    listener: Mutex<Option<TcpListener>>,
}

/// What the other tasks of a service lean on: it stops when they have finished.
#[derive(Debug, Default)]
struct Lasting {
    soft: CancellationToken,
    tasks: TaskTracker,
}

impl Service {
    pub(super) fn new(name: &'static str, process: Arc<Process>) -> Service {
        let soft = process.soft().clone();
        Service::stopped_by(name, process, soft)
    }

    fn stopped_by(name: &'static str, process: Arc<Process>, soft: CancellationToken) -> Service {
        let label = [("service".to_owned(), name.to_owned())].into();
        let metrics = Registry::new_custom(None, Some(label)).unwrap_or_default();
        Service {
            inner: Arc::new(Inner {
                name,
                process,
                soft,
                tasks: TaskTracker::new(),
                lasting: Lasting::default(),
                metrics,
                dependencies: Mutex::default(),
                details: Mutex::default(),
                children: Mutex::default(),
                listener: Mutex::default(),
            }),
        }
    }

    /// A service that hears no signals, for tests and commands; [`stop`](Service::stop) ends it.
    #[must_use]
    pub fn unattended(name: &'static str) -> Service {
        Service::new(name, Process::new(GRACE))
    }

    /// A service inside of this one's process. They stop and fail together; this one's health and metrics include
    /// the child's.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Service {
        let child = Service::new(name, self.inner.process.clone());
        lock(&self.inner.children).push(child.clone());
        child
    }

    /// Runs a service inside of this one's process that the others lean on: as a [`child`](Service::child), but it is told
    /// to stop only when all tasks of this service have finished.
    pub fn spawn_lasting<F>(&self, name: &'static str, run: impl FnOnce(Service) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let Inner { process, lasting, .. } = &*self.inner;
        let child = Service::stopped_by(name, process.clone(), lasting.soft.clone());
        lock(&self.inner.children).push(child.clone());
        lasting.tasks.spawn(tasks::supervise(process.clone(), self.inner.name, name, run(child)));
    }

    /// The name of the service.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// Shows on `/health`, under this name, what `read` says at the moment of asking. It must hold no secret.
    pub fn detail(&self, name: &'static str, read: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        lock(&self.inner.details).push(Detail::new(name, read));
    }

    /// Hands this listener to the next call of [`listener`](Service::listener) or [`http`](Service::http), which then
    /// ignores its address.
    #[must_use]
    pub fn with_listener(self, listener: TcpListener) -> Service {
        *lock(&self.inner.listener) = Some(listener);
        self
    }

    /// Binds `addr`, or takes the listener that was [prepared](Service::with_listener).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn listener(&self, addr: SocketAddr) -> anyhow::Result<TcpListener> {
        if let Some(prepared) = lock(&self.inner.listener).take() {
            return Ok(prepared);
        }
        TcpListener::bind(addr).await.with_context(|| format!("listen on {addr}"))
    }

    /// Listens on `addr` and answers `/health`, `/healthz`, `/readyz` and `/metrics` at once. Other paths answer 503,
    /// and the service is not ready, until [`Http::serve`] gives the routes.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn http(&self, addr: SocketAddr) -> anyhow::Result<Http> {
        let listener = self.listener(addr).await?;
        Http::start(self, listener)
    }

    /// For a service without HTTP of its own: answers `/health`, `/healthz`, `/readyz` and `/metrics` on `addr`, or
    /// nothing when there is no address. Tells the address that was bound.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn serve_ops(&self, addr: Option<SocketAddr>) -> anyhow::Result<Option<SocketAddr>> {
        let Some(addr) = addr else { return Ok(None) };
        let http = self.http(addr).await.context("serve health and metrics (METRICS_ADDR)")?;
        let bound = http.local_addr();
        http.serve(axum::Router::new());
        Ok(Some(bound))
    }

    /// Runs a task for the life of the service. A task that ends before the stop, fails or panics is a failure: it is
    /// logged by name and the process stops. At the hard stop a task is dropped.
    pub fn spawn(&self, task: &'static str, future: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.inner.tasks.spawn(tasks::supervise(self.inner.process.clone(), self.inner.name, task, future));
    }

    /// Cancelled when the process shall stop: take no new work, finish the work in flight.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        // A child token: cancelling it must not bypass the timer of the hard stop.
        self.inner.soft.child_token()
    }

    /// Cancelled 25 s after the stop began, or at a second signal: drop everything.
    #[must_use]
    pub fn hard_stop(&self) -> CancellationToken {
        self.inner.process.hard().child_token()
    }

    /// Begins the stop of the whole process.
    pub fn stop(&self) {
        self.inner.process.begin_stop();
    }

    /// Waits for the stop, then for all tasks of this service.
    ///
    /// # Errors
    ///
    /// [`TaskFailed`](super::TaskFailed) when a task of the process failed or had to be dropped.
    pub async fn finished(&self) -> anyhow::Result<()> {
        let Inner { soft, tasks, lasting, .. } = &*self.inner;
        soft.cancelled().await;
        tasks.close();
        tasks.wait().await;
        lasting.soft.cancel();
        lasting.tasks.close();
        lasting.tasks.wait().await;
        match self.inner.process.failure() {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }

    /// Where the service's metrics are registered; each carries the label `service`.
    #[must_use]
    pub fn metrics(&self) -> &Registry {
        &self.inner.metrics
    }

    /// The dependency of that name; the service is not ready while it is down, as it is at first.
    #[must_use]
    pub fn dependency(&self, name: &'static str) -> Dependency {
        let mut dependencies = lock(&self.inner.dependencies);
        if let Some(known) = dependencies.iter().find(|known| known.name() == name) {
            return known.clone();
        }
        let dependency = Dependency::new(name);
        dependencies.push(dependency.clone());
        dependency
    }

    /// Why the service is not ready, as `/readyz` says it; empty when it is.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        Health::of(self).reasons()
    }

    /// Repeats `attempt` until it succeeds, waiting from 0.2 s up to 5 s in between. The [dependency](Self::dependency)
    /// `name` is down meanwhile, and a change of the reason is logged once.
    ///
    /// # Errors
    ///
    /// [`Stopped`] when the stop comes first.
    pub async fn connect<T, E, Fut>(&self, name: &'static str, mut attempt: impl FnMut() -> Fut) -> anyhow::Result<T>
    where
        E: Display,
        Fut: Future<Output = Result<T, E>>,
    {
        let dependency = self.dependency(name);
        let soft = &self.inner.soft;
        let trying = async {
            let mut waits = backoff::exponential(Duration::from_millis(200), Duration::from_secs(5));
            let mut last: Option<String> = None;
            loop {
                match attempt().await {
                    Ok(connected) => {
                        dependency.up();
                        if last.is_some() {
                            tracing::info!(dependency = name, "{name} answers");
                        }
                        return connected;
                    }
                    Err(error) => {
                        let reason = format!("{error:#}");
                        dependency.down(&reason);
                        if last.as_deref() != Some(&reason) {
                            tracing::warn!(dependency = name, "{name} does not answer, trying again: {reason}");
                        }
                        last = Some(reason);
                    }
                }
                tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(5))).await;
            }
        };
        soft.run_until_cancelled(trying).await.ok_or_else(|| Stopped { for_what: name }.into())
    }

    pub(super) fn stopping(&self) -> bool {
        self.inner.process.stopping()
    }

    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        lock(&self.inner.dependencies).clone()
    }

    pub(super) fn details(&self) -> Vec<Detail> {
        lock(&self.inner.details).clone()
    }

    pub(super) fn children(&self) -> Vec<Service> {
        lock(&self.inner.children).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_does_not_finish_is_dropped_at_the_hard_stop_and_named() {
        let service = Service::new("stubborn", Process::new(Duration::from_millis(20)));
        service.spawn("consume", std::future::pending());
        service.stop();
        let error = service.finished().await.unwrap_err();
        assert!(error.to_string().starts_with("task consume of stubborn was dropped"), "{error}");
    }

    #[tokio::test]
    async fn what_the_others_lean_on_stops_after_them() {
        let service = Service::unattended("house");
        let (ended, order) = tokio::sync::mpsc::unbounded_channel();
        let mut order = order;
        let last = ended.clone();
        service.spawn_lasting("ground", |child| async move {
            child.shutdown().cancelled().await;
            last.send("ground")?;
            child.finished().await
        });
        let shutdown = service.shutdown();
        service.spawn("walls", async move {
            shutdown.cancelled().await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Ok(ended.send("walls")?)
        });
        service.stop();
        service.finished().await.unwrap();
        assert_eq!((order.recv().await, order.recv().await), (Some("walls"), Some("ground")));
    }

    #[tokio::test]
    async fn what_the_others_lean_on_ends_the_process_when_it_fails() {
        let service = Service::unattended("house");
        service.spawn_lasting("ground", |_| async { anyhow::bail!("cracked") });
        let error = service.finished().await.unwrap_err();
        assert!(error.to_string().contains("task ground of house failed: cracked"), "{error}");
    }

    #[tokio::test]
    async fn cancelling_the_token_of_the_stop_does_not_stop_the_process() {
        let service = Service::unattended("steady");
        service.shutdown().cancel();
        assert!(!service.stopping());
    }
}
