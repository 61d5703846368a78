//! A door in front of a server.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Open,
    /// Connections end at once, as if nobody listened.
    Shut,
    /// What is sent does not arrive, and nobody is told.
    Silent,
}

/// An address behind which the server is, unless it is cut off.
pub(crate) struct Door {
    addr: SocketAddr,
    pass: watch::Sender<Pass>,
}

impl Door {
    /// An open door in front of `server` (host and port).
    pub(crate) async fn open_to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let pass = watch::Sender::new(Pass::Open);
        let (seen, server) = (pass.subscribe(), server.to_owned());
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let mut seen = seen.clone();
                let server = server.clone();
                if *seen.borrow_and_update() == Pass::Shut {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(inside) = TcpStream::connect(server).await else { return };
                    let ((from_outside, to_outside), (from_inside, to_inside)) =
                        (outside.into_split(), inside.into_split());
                    tokio::select! {
                        () = carry(from_outside, to_inside, seen.clone()) => {}
                        () = carry(from_inside, to_outside, seen.clone()) => {}
                        _ = seen.wait_for(|pass| *pass == Pass::Shut) => {}
                    }
                });
            }
        });
        Self { addr, pass }
    }

    pub(crate) fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// Cuts every connection and lets none through.
    pub(crate) fn shut(&self) {
        self.pass.send_replace(Pass::Shut);
    }

    /// Nothing passes any more, and what was sent comes late.
    pub(crate) fn silence(&self) {
        self.pass.send_replace(Pass::Silent);
    }

    /// Lets everything through again.
    pub(crate) fn open(&self) {
        self.pass.send_replace(Pass::Open);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut seen: watch::Receiver<Pass>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if seen.wait_for(|pass| *pass != Pass::Silent).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
