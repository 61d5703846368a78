use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{ServiceExt, make::Shared};
use tracing::Instrument;

use super::{Dependency, Service, ops, tasks::panic_message};

/// How long a stop waits for connections once no handler works: for answers to be sent, and not for requests whose head
/// may never come in whole.
const LINGER: Duration = Duration::from_secs(2);

/// A server that answers for the service's health already and waits for its routes.
#[derive(Debug)]
#[must_use = "the service becomes ready by `serve`"]
pub struct Http {
    addr: SocketAddr,
    routes: Arc<OnceLock<Router>>,
    ready: Dependency,
}

impl Http {
    pub(super) fn start(service: &Service, listener: TcpListener) -> anyhow::Result<Http> {
        let addr = listener.local_addr().context("learn the address that was bound")?;
        let routes = Arc::new(OnceLock::new());
        // The server spawns a task per connection, which leaves the span of the service's own task.
        let span = tracing::error_span!("service", service = service.name());
        let handlers = TaskTracker::new();
        let (working, ops, given) = (handlers.clone(), ops::router(service.clone()), routes.clone());
        // Routes and layers of axum's would box each request's future several times, and a gate has many.
        let app = tower::service_fn(move |request: Request| {
            let router =
                if ops::PATHS.contains(&request.uri().path()) { Some(ops.clone()) } else { given.get().cloned() };
            working.track_future(answer(router, request).instrument(span.clone())).map(Ok::<_, Infallible>)
        });
        // Answers are small and someone waits for each: never hold one back for the next.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let shutdown = service.shutdown();
        service.spawn("http", async move {
            let serving =
                axum::serve(listener, Shared::new(app)).with_graceful_shutdown(shutdown.clone().cancelled_owned());
            tokio::select! {
                served = serving => Ok(served?),
                () = lingered(shutdown, handlers) => {
                    tracing::info!("the stop does not wait for requests that did not come in whole");
                    Ok(())
                }
            }
        });
        tracing::info!(service = service.name(), "{} listens on {addr}", service.name());
        Ok(Http { addr, routes, ready: service.dependency("routes") })
    }

    /// The address that was bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves these routes beside the service's own. A handler that panics answers 500.
    pub fn serve(self, router: Router) {
        // `self` is consumed and never cloned: the routes are given once.
        let _ = self.routes.set(router);
        self.ready.up();
    }
}

/// Resolves when the service was told to stop and no handler has worked for a moment.
async fn lingered(shutdown: CancellationToken, handlers: TaskTracker) {
    shutdown.cancelled().await;
    handlers.close();
    handlers.wait().await;
    tokio::time::sleep(LINGER).await;
}

async fn answer(router: Option<Router>, request: Request) -> Response {
    let Some(router) = router else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response();
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(panic) => {
            // What follows in the path may be a secret: Discord's tokens of interactions stand there.
            let first = uri.path().split('/').find(|part| !part.is_empty()).unwrap_or_default();
            tracing::error!("the handler of {method} /{first} panicked: {}", panic_message(&*panic));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
