use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use url::Url;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Open,
    Shut,
    Silent,
}

/// A door in front of a server: an address behind which the server is, unless it is cut off.
pub struct Door {
    addr: SocketAddr,
    pass: watch::Sender<Pass>,
    /// Connections that were asked for.
    knocks: watch::Receiver<usize>,
}

/// How Kafka names its own address in its answers.
type Name = Arc<[u8]>;

impl Door {
    /// An open door in front of `server` (host and port).
    pub async fn open_to(server: impl Into<String>) -> Self {
        Self::before(server.into(), None, Pass::Open).await
    }

    /// A shut door in front of `server` (host and port).
    pub async fn shut_before(server: impl Into<String>) -> Self {
        Self::before(server.into(), None, Pass::Shut).await
    }

    /// A shut door in front of the Postgres of this address, and the address by way of the door.
    pub async fn shut_before_postgres(uri: &str) -> (Self, String) {
        let mut uri = Url::parse(uri).expect("an address of Postgres");
        let server = format!("{}:{}", uri.host_str().unwrap_or("127.0.0.1"), uri.port().unwrap_or(5432));
        let door = Self::shut_before(server).await;
        uri.set_host(Some("127.0.0.1")).expect("a host can be set");
        uri.set_port(Some(door.addr().port())).expect("a port can be set");
        (door, uri.to_string())
    }

    /// A shut door in front of the Kafka broker `server` (host and port).
    ///
    /// Kafka names its address in its answers, and clients go there: past the door they read the door's.
    pub async fn shut_before_kafka(server: impl Into<String>) -> Self {
        let server = server.into();
        let (host, port) = server.rsplit_once(':').expect("a host and a port");
        let port = port.parse::<i32>().expect("a port").to_be_bytes();
        let name = [host.as_bytes(), &port].concat();
        Self::before(server, Some(name.into()), Pass::Shut).await
    }

    async fn before(server: String, name: Option<Name>, pass: Pass) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the door");
        let addr = listener.local_addr().expect("the door's address");
        let (knocked, knocks) = watch::channel(0);
        let pass = watch::Sender::new(pass);
        let seen = pass.subscribe();
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let (mut seen, server, name) = (seen.clone(), server.clone(), name.clone());
                let pass = *seen.borrow_and_update();
                if pass == Pass::Shut {
                    drop(outside);
                } else {
                    tokio::spawn(async move {
                        let Ok(inside) = TcpStream::connect(server).await else { return };
                        let ((asked, answers), (answered, asks)) = (outside.into_split(), inside.into_split());
                        tokio::select! {
                            _ = carry(asked, asks, seen.clone()) => {}
                            _ = carry_answers(answered, answers, name.map(|name| (name, addr)), seen.clone()) => {}
                            _ = seen.wait_for(|pass| *pass == Pass::Shut) => {}
                        }
                    });
                }
                knocked.send_modify(|knocks| *knocks += 1);
            }
        });
        Self { addr, pass, knocks }
    }

    /// Where to connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets everything through.
    pub fn open(&self) {
        self.pass.send_replace(Pass::Open);
    }

    /// Ends all connections, and every new one at once, as if nobody listened.
    pub fn shut(&self) {
        self.pass.send_replace(Pass::Shut);
    }

    /// Nothing passes any more, and what was sent comes late.
    pub fn silence(&self) {
        self.pass.send_replace(Pass::Silent);
    }

    /// Resolves when another connection was asked for, whether it got through or not.
    pub async fn knocked(&self) {
        let mut knocks = self.knocks.clone();
        knocks.mark_unchanged();
        knocks.changed().await.expect("the door stands while it is held");
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut seen: watch::Receiver<Pass>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        audible(&mut seen).await?;
        to.write_all(&buffer[..read]).await?;
    }
}

/// Each answer of Kafka, which begins with its length, gets the door's address for Kafka's.
async fn carry_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    rename: Option<(Name, SocketAddr)>,
    mut seen: watch::Receiver<Pass>,
) -> io::Result<()> {
    let Some((name, door)) = rename else { return carry(from, to, seen).await };
    loop {
        let size = from.read_u32().await?;
        let mut answer = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        from.read_exact(&mut answer).await?;
        replace(&mut answer, &name, door);
        audible(&mut seen).await?;
        to.write_u32(size).await?;
        to.write_all(&answer).await?;
    }
}

async fn audible(seen: &mut watch::Receiver<Pass>) -> io::Result<()> {
    seen.wait_for(|pass| *pass != Pass::Silent).await.map(drop).map_err(io::Error::other)
}

/// Each `name`, a host and a port as Kafka writes them, becomes the same host with the door's port.
fn replace(answer: &mut [u8], name: &[u8], door: SocketAddr) {
    let port = i32::from(door.port()).to_be_bytes();
    let mut at = 0;
    while at + name.len() <= answer.len() {
        if answer[at..].starts_with(name) {
            at += name.len();
            answer[at - port.len()..at].copy_from_slice(&port);
        } else {
            at += 1;
        }
    }
}
