//! The TCP connection beneath a WebSocket or an answer, where it can be reset, or broken within a message.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{extract::connect_info::Connected, serve::IncomingStream, serve::Listener};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// What is to happen to one TCP connection; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    fate: Arc<Fate>,
}

#[derive(Debug, Default)]
struct Fate {
    /// The end is a reset (RST) instead of an orderly one.
    reset: AtomicBool,
    /// The next write is broken off half-way.
    cut: AtomicBool,
    broken: AtomicBool,
}

impl Wire {
    /// The connection's end, whenever it comes, resets it: what lies in buffers on the way is lost.
    pub(super) fn reset_at_end(&self) {
        self.fate.reset.store(true, Ordering::Relaxed);
    }

    /// Half of the next write goes out, and nothing after it.
    pub(crate) fn cut_next_write(&self) {
        self.fate.cut.store(true, Ordering::Relaxed);
    }
}

/// Accepts connections that can be disturbed.
#[derive(Debug)]
pub(crate) struct Wires(pub(crate) TcpListener);

impl Listener for Wires {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Small frames would wait for each other's acknowledgement; without this option they are late and nothing else.
        drop(stream.set_nodelay(true));
        (Io { stream, wire: Wire::default() }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wires>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().wire.clone()
    }
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Io {
    stream: TcpStream,
    wire: Wire,
}

impl Drop for Io {
    fn drop(&mut self) {
        if self.wire.fate.reset.load(Ordering::Relaxed) {
            // A socket that is gone already needs no reset.
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let fate = Arc::clone(&self.wire.fate);
        if fate.broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if !fate.cut.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        let half = buf.len().div_ceil(2);
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..half]))?;
        fate.broken.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
