//! What a request arrives on: an accepted stream, as it is or under TLS, and who is at its other end.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use super::connections::Guard;
use super::peer::{Peer, Proof};
use super::stream::Stream;

/// A connection that serves requests.
pub(super) struct Wire<S> {
    bytes: Bytes<S>,
    guard: Rc<Guard>,
    proof: Proof,
}

enum Bytes<S> {
    Plain(Stream<S>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Stream<S>>>),
}

impl<S> Wire<S> {
    /// Without TLS.
    pub(super) fn plain(stream: Stream<S>) -> Self {
        Self {
            guard: stream.guard(),
            proof: Rc::new(|| Peer::Plain),
            bytes: Bytes::Plain(stream),
        }
    }

    /// Under TLS, whose handshake is over.
    #[cfg(feature = "tls")]
    pub(super) fn tls(stream: TlsStream<Stream<S>>, proof: Proof) -> Self {
        Self {
            guard: stream.get_ref().0.guard(),
            proof,
            bytes: Bytes::Tls(Box::new(stream)),
        }
    }

    pub(super) fn guard(&self) -> Rc<Guard> {
        Rc::clone(&self.guard)
    }

    pub(super) fn proof(&self) -> Proof {
        Rc::clone(&self.proof)
    }
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// Passes a call on to the stream, whichever it is.
macro_rules! stream {
    ($wire:expr, $call:ident $(, $argument:expr)*) => {
        match &mut $wire.bytes {
            Bytes::Plain(stream) => Pin::new(stream).$call($($argument),*),
            #[cfg(feature = "tls")]
            Bytes::Tls(stream) => Pin::new(stream).$call($($argument),*),
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        stream!(self, poll_read, cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        stream!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream!(self, poll_write_vectored, cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.bytes {
            Bytes::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Bytes::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_flush, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_shutdown, cx)
    }
}
