//! The reference of the gate: bytes from one socket to another and back, and nothing known of them.

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};

/// Forwards every connection to `upstream`; it has no end of its own.
pub(crate) fn run(address: &str, upstream: &str) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(listen(address, upstream.to_owned()))
}

async fn listen(address: &str, upstream: String) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    loop {
        let (connection, _) = listener.accept().await?;
        let upstream = upstream.clone();
        tokio::spawn(async move {
            // Whoever breaks a connection off has seen to that itself.
            let _ = forward(connection, &upstream).await;
        });
    }
}

async fn forward(mut from: TcpStream, upstream: &str) -> std::io::Result<()> {
    let mut to = TcpStream::connect(upstream).await?;
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut from, &mut to).await.map(drop)
}
