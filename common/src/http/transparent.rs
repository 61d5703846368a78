use std::{error::Error, fmt};

use axum::{body::Body, extract::Request, http::Uri, response::Response};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use tower::{BoxError, timeout::Timeout, util::BoxCloneSyncService};

use super::{CONNECT, IDLE};

/// A client for proxies: it sends what it is given and gives back what it gets. It follows no redirect, adds no header, unpacks
/// nothing, and has no time limit but the one for connecting (5 s, TLS included). Clones share its connections.
///
/// It stands on `hyper-util`, as `reqwest` does, for a proxy has no use for what that adds: it costs as much again.
#[derive(Clone, Debug)]
pub struct Transparent(legacy::Client<Connector, Body>);

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Why there is no answer.
#[derive(Debug)]
pub struct NoAnswer(legacy::Error);

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
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.0.is_connect()
    }
}

impl Transparent {
    /// A client without connections.
    ///
    /// # Errors
    ///
    /// When the system's certificate authorities cannot be loaded.
    pub fn new() -> Result<Self, rustls::Error> {
        crate::tls::install_provider();
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
    ///
    /// # Errors
    ///
    /// When none came.
    pub async fn send(&self, request: Request) -> Result<Response, NoAnswer> {
        Ok(self.0.request(request).await.map_err(NoAnswer)?.map(Body::new))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_begins_tls_was_sent_nothing() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", silent.local_addr().unwrap().port());
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = url.parse().unwrap();
        let sent = tokio::time::timeout(2 * CONNECT, Transparent::new().unwrap().send(request)).await;
        let error = sent.expect("it gives up by itself").unwrap_err();
        assert!(error.is_connect(), "{error}");
    }
}
