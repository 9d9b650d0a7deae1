//! A TCP proxy that can be slow: what is sent to a node through it arrives late.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Largest piece that is passed on at once, in bytes.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A proxy in front of a node, on a thread of its own. It ends when this is dropped.
pub struct SlowProxy {
    delay: Delay,
    _stop: oneshot::Sender<()>,
}

/// How much later data arrives, in milliseconds.
#[derive(Clone, Default)]
struct Delay(Arc<AtomicU64>);

impl Delay {
    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl SlowProxy {
    /// Listens at `front`, and passes everything on to `back`, which need not be there yet.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub fn start(front: SocketAddr, back: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(front)?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let delay = Delay::default();
        let of_thread = delay.clone();
        thread::spawn(move || {
            let serve = pin!(serve(listener, back, of_thread));
            // Ends when the owner has dropped the other end, or when nothing more can be accepted.
            runtime.block_on(select(serve, stopped));
        });
        Ok(Self { delay, _stop: stop })
    }

    /// From now on, what is sent to the node is passed on this many milliseconds after it came. Answers pass at once. The
    /// delay does not add up, however much is sent in that time.
    pub fn set_delay_ms(&self, delay_ms: u64) {
        self.delay.0.store(delay_ms, Ordering::Relaxed);
    }
}

async fn serve(listener: std::net::TcpListener, back: SocketAddr, delay: Delay) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(pass_on(stream, back, delay.clone()));
    }
}

async fn pass_on(front: TcpStream, back: SocketAddr, delay: Delay) -> io::Result<()> {
    let back = TcpStream::connect(back).await?;
    front.set_nodelay(true)?;
    back.set_nodelay(true)?;
    let (from_front, mut to_front) = front.into_split();
    let (mut from_back, to_back) = back.into_split();
    let (late, due) = mpsc::unbounded_channel();
    tokio::spawn(collect(from_front, late, delay));
    tokio::spawn(deliver(due, to_back));
    copy(&mut from_back, &mut to_front).await.map(drop)
}

/// Notes when each piece is due.
async fn collect(
    mut from: OwnedReadHalf,
    late: mpsc::UnboundedSender<(Instant, Vec<u8>)>,
    delay: Delay,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES_MAX];
    loop {
        let bytes = from.read(&mut piece).await?;
        let sent = late.send((Instant::now() + delay.get(), piece[..bytes].to_vec()));
        if bytes == 0 || sent.is_err() {
            return Ok(());
        }
    }
}

/// Writes each piece when it is due. An empty piece marks the end.
async fn deliver(
    mut due: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    while let Some((at, piece)) = due.recv().await {
        sleep_until(at).await;
        if piece.is_empty() {
            break;
        }
        to.write_all(&piece).await?;
    }
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_late_and_what_is_answered_at_once() {
        let delay = Duration::from_millis(150);
        let back = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::process::free_ports(1).unwrap()));
        let proxy = SlowProxy::start(at, back.local_addr().unwrap()).unwrap();
        proxy.set_delay_ms(150);
        tokio::spawn(async move {
            let (mut stream, _) = back.accept().await.unwrap();
            let mut text = [0; 4];
            while stream.read_exact(&mut text).await.is_ok() {
                stream.write_all(&text).await.unwrap();
            }
        });
        let mut stream = TcpStream::connect(at).await.unwrap();
        let begun = Instant::now();
        // The second piece is sent while the first one is under way, and does not wait for it.
        stream.write_all(b"pi").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"ng").await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        let took = begun.elapsed();
        assert_eq!(&answer, b"ping");
        assert!(took >= delay + Duration::from_millis(50), "{took:?}");
        assert!(took < 2 * delay, "{took:?}");
    }

    #[tokio::test]
    async fn it_ends_when_it_is_dropped() {
        let port = crate::process::free_ports(2).unwrap();
        let [at, nobody] = [port, port + 1].map(|p| SocketAddr::from((Ipv4Addr::LOCALHOST, p)));
        let proxy = SlowProxy::start(at, nobody).unwrap();
        drop(proxy);
        for _ in 0..100 {
            if TcpStream::connect(at).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it still listens");
    }
}
