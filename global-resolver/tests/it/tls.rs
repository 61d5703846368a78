//! The way to a Discord that speaks TLS, as the real one does.

use std::{net::SocketAddr, path::Path, process::Stdio, sync::Arc};

use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::{town::until, upstream::TOKEN};

/// Serves the version of HTTP that a request came by; tells its address.
async fn serve(key: &rcgen::CertifiedKey<rcgen::KeyPair>, protocol: &[u8]) -> SocketAddr {
    let private = PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], private).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addr = listener.local_addr().unwrap();
    let router = Router::new().fallback(async |request: Request| format!("{:?}", request.version()));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(connection).await else { return };
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await;
            });
        }
    });
    addr
}

/// The gate as a process, for what is trusted is read from its environment.
fn gate(addr: SocketAddr, discord: SocketAddr, trusted: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_global-resolver"))
        .env_clear()
        .env("SERVER_ADDR", addr.to_string())
        .env("DISCORD_API_URL", format!("https://localhost:{}/api/v10", discord.port()))
        .env("SSL_CERT_FILE", trusted)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn discord_is_reached_by_tls_and_either_http_and_nobody_else_is_believed() {
    common::tls::install_provider();
    let [discord, stranger] = [(); 2].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    let home = tempfile::tempdir().unwrap();
    let trusted = home.path().join("authorities.pem");
    std::fs::write(&trusted, discord.cert.pem()).unwrap();
    let client = common::http::client("test").unwrap();
    for (key, protocol, expected) in [
        (&discord, "http/1.1", (200, "HTTP/1.1")),
        (&discord, "h2", (200, "HTTP/2.0")),
        (&stranger, "http/1.1", (502, r#"{"code":0,"message":"no answer from Discord"}"#)),
    ] {
        let addr = free_address();
        let _gate = gate(addr, serve(key, protocol.as_bytes()).await, &trusted);
        let get = |path: &str| client.get(format!("http://{addr}{path}")).header("authorization", TOKEN).send();
        until("the gate is ready", async || get("/readyz").await.is_ok_and(|page| page.status() == 200)).await;
        let answer = get("/api/v10/users/@me").await.unwrap();
        let why = answer.headers().get("x-resolver-refused").cloned();
        assert_eq!(why.is_some_and(|why| why == "unsent"), expected.0 == 502);
        let answered = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!((answered.0, answered.1.as_str()), expected);
    }
}
