use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A door in front of a server: while it is shut, connections end at once, as if nobody listened.
pub struct Door {
    addr: SocketAddr,
    open: watch::Sender<bool>,
}

impl Door {
    /// A shut door in front of `server` (host and port).
    pub async fn shut(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the door");
        let addr = listener.local_addr().expect("the door's address");
        let open = watch::Sender::new(false);
        let seen = open.subscribe();
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let (mut seen, server) = (seen.clone(), server.clone());
                if !*seen.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut inside) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
                        _ = seen.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { addr, open }
    }

    /// Where to connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets connections through.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}
