//! A stream that keeps the times of its connection.
//!
//! Where time is up, reading ends as if the other side had hung up: the server then ends the request as it would in that
//! case, and a route that is reading the body can still say why. Writing fails.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::{Connections, Guard, REQUEST_WITHIN};

/// An accepted connection.
pub(super) struct Stream<S> {
    inner: S,
    guard: Rc<Guard>,
    /// Wakes the task at the next deadline, or before: see [`Stream::tick`].
    sleep: Pin<Box<Sleep>>,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, connections: &Rc<Connections>) -> Self {
        let now = Instant::now();
        Self {
            inner,
            guard: connections.admit(now),
            sleep: Box::pin(sleep_until(now + REQUEST_WITHIN)),
        }
    }

    pub(super) fn guard(&self) -> Rc<Guard> {
        Rc::clone(&self.guard)
    }

    /// Has the task woken in time. Deadlines change with every request; a timer that is set anew each time would cost
    /// more than one that rings too often. It rings every [`REQUEST_WITHIN`], which no new deadline comes before.
    fn tick(&mut self, cx: &mut Context<'_>) {
        self.guard.wakes(cx.waker());
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let often = now + REQUEST_WITHIN;
            // A deadline that has passed was dealt with, or will be by whoever writes.
            let next = self.guard.deadline().filter(|next| *next > now);
            let next = next.map_or(often, |next| next.min(often));
            self.sleep.as_mut().reset(next);
        }
    }
}

impl<S> Drop for Stream<S> {
    fn drop(&mut self) {
        self.guard.closed();
    }
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.guard.over().is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) => match buf.filled().len() - before {
                0 => {}
                bytes => self.guard.received(bytes, Instant::now()),
            },
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.guard.end_if_late(Instant::now());
                if self.guard.over().is_some() {
                    return Poll::Ready(Ok(()));
                }
                self.tick(cx);
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    /// Notes that something is to be written, and how far it came.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() {
            if self.guard.is_unread(Instant::now()) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.tick(cx);
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.guard.writes(Instant::now());
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.guard.writes(Instant::now());
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// The server flushes when it has nothing more to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        if flushed.is_ready() {
            self.guard.written(Instant::now());
        }
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.written(cx, shut)
    }
}
