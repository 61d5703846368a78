//! The way out: an HTTP client that sends what it is given and gives back what it gets. It follows no redirect, adds no header,
//! unpacks nothing, and has no time limit but the one for connecting.

use std::{error::Error, fmt, time::Duration};

use axum::{body::Body, extract::Request, http::Uri, response::Response};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

/// How long it may take to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// The client. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<Connector, Body>);

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer(legacy::Error);

impl fmt::Display for NoAnswer {
    /// With what it comes from: the client's error alone does not say much.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error: &dyn Error = &self.0;
        while let Some(cause) = error.source() {
            write!(f, ": {cause}")?;
            error = cause;
        }
        Ok(())
    }
}

impl NoAnswer {
    /// Whether nothing was sent: nobody was reached.
    pub(crate) fn is_connect(&self) -> bool {
        self.0.is_connect()
    }
}

impl Client {
    /// A client without connections.
    ///
    /// # Errors
    ///
    /// When the system's certificate authorities cannot be loaded.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        common::tls::install_provider();
        let tls = rustls::ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector::new(Timeout::new(https.wrap_connector(http), CONNECT)));
        Ok(Self(client))
    }

    /// Sends a request, and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, NoAnswer> {
        Ok(self.0.request(request).await.map_err(NoAnswer)?.map(Body::new))
    }
}
