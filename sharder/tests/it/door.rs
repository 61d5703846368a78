//! A door in front of a Kafka.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// While it is shut, connections end at once, as if nobody listened.
pub(crate) struct Door {
    addr: SocketAddr,
    open: watch::Sender<bool>,
}

impl Door {
    /// An open door in front of the one broker at `broker`.
    pub(crate) async fn open_to(broker: &str) -> Self {
        let inside: SocketAddr = broker.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let open = watch::Sender::new(true);
        let seen = open.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut seen = seen.clone();
                if !*seen.borrow_and_update() {
                    continue;
                }
                let server = TcpStream::connect(inside).await.unwrap();
                let ((mut asked, answers), (answered, mut questions)) = (client.into_split(), server.into_split());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy(&mut asked, &mut questions) => {}
                        _ = answer(answered, answers, inside.port(), addr.port()) => {}
                        _ = seen.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { addr, open }
    }

    /// Where to connect.
    pub(crate) fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// Cuts every connection and lets none through.
    pub(crate) fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

/// Hands on what the broker answers. It tells clients to come to its own port, and they are to come through the door.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, port: u16, door: u16) -> std::io::Result<()> {
    let named = |port: u16| [&b"127.0.0.1"[..], &i32::from(port).to_be_bytes()].concat();
    let (own, ours) = (named(port), named(door));
    loop {
        let length = from.read_i32().await?;
        let mut frame = vec![0; usize::try_from(length).unwrap_or(0)];
        from.read_exact(&mut frame).await?;
        for at in 0..(frame.len() + 1).saturating_sub(own.len()) {
            if frame[at..].starts_with(&own) {
                frame[at..at + own.len()].copy_from_slice(&ours);
            }
        }
        to.write_i32(length).await?;
        to.write_all(&frame).await?;
    }
}
