use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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
        Self::before(server, None).await
    }

    /// A shut door in front of the Kafka broker `server` (host and port).
    ///
    /// Kafka names its address in its answers, and clients go there: past the door they read the door's.
    pub async fn shut_before_kafka(server: String) -> Self {
        let (host, port) = server.rsplit_once(':').expect("a host and a port");
        let port = port.parse::<i32>().expect("a port").to_be_bytes();
        let named = [host.as_bytes(), &port].concat();
        Self::before(server, Some(named.into())).await
    }

    async fn before(server: String, named: Option<Arc<[u8]>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the door");
        let addr = listener.local_addr().expect("the door's address");
        let open = watch::Sender::new(false);
        let seen = open.subscribe();
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let (mut seen, server, named) = (seen.clone(), server.clone(), named.clone());
                if !*seen.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut inside) = TcpStream::connect(server).await else { return };
                    let passing = async {
                        match named {
                            None => tokio::io::copy_bidirectional(&mut outside, &mut inside).await.map(drop),
                            Some(named) => pass_kafka(outside, inside, &named, addr).await,
                        }
                    };
                    tokio::select! {
                        _ = passing => {}
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

    /// Ends all connections, and every new one at once.
    pub fn close(&self) {
        self.open.send_replace(false);
    }
}

/// Passes on until one side ends; each answer, which begins with its length, gets the door's address for Kafka's.
async fn pass_kafka(mut outside: TcpStream, mut inside: TcpStream, named: &[u8], door: SocketAddr) -> io::Result<()> {
    let (mut from_outside, mut to_outside) = outside.split();
    let (mut from_inside, mut to_inside) = inside.split();
    let answers = async {
        loop {
            let size = from_inside.read_u32().await?;
            let mut answer = vec![0; usize::try_from(size).map_err(io::Error::other)?];
            from_inside.read_exact(&mut answer).await?;
            rename(&mut answer, named, door);
            to_outside.write_u32(size).await?;
            to_outside.write_all(&answer).await?;
        }
    };
    tokio::select! {
        asked = tokio::io::copy(&mut from_outside, &mut to_inside) => asked.map(drop),
        answered = answers => answered,
    }
}

/// Each `named`, a host and a port as Kafka writes them, becomes the same host with the door's port.
fn rename(answer: &mut [u8], named: &[u8], door: SocketAddr) {
    let port = i32::from(door.port()).to_be_bytes();
    let mut at = 0;
    while at + named.len() <= answer.len() {
        if answer[at..].starts_with(named) {
            at += named.len();
            answer[at - port.len()..at].copy_from_slice(&port);
        } else {
            at += 1;
        }
    }
}
