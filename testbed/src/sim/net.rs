//! actix-web and awc over turmoil's TCP: the only place where the simulation differs from a real network.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::net::{ActixStream, Ready};
use actix_service::{Service, ServiceFactory, fn_service};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::http::Uri;
use actix_web::web::ServiceConfig;
use dske::http::Names;
use dske::http::connections::CONNECTIONS_MAX;
use dske::http::server::{Security, Serving, service};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Port on which every simulated node listens.
pub const PORT: u16 = 8100;

/// How long idle connections stay open in the pools. awc compares ages with the *real* clock, so this must be longer than
/// any simulation takes.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Most connections of one HTTP client.
const OWN_CONNECTIONS_MAX: usize = 4096;

/// A simulated TCP stream with the interface that actix needs.
pub struct Stream(turmoil::net::TcpStream);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Readiness is a hint: reads and writes that would block say so themselves.
impl ActixStream for Stream {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

/// Serves a node's routes on [`PORT`] of the simulated host that calls it, for as long as the host lives. `name` is the
/// host's name.
///
/// # Errors
/// If the port cannot be bound, or a connection cannot be accepted.
pub async fn serve(
    name: &str,
    routes: impl FnOnce(&mut ServiceConfig) + 'static,
) -> io::Result<()> {
    let listener = turmoil::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let serving = Serving {
        names: Names::from_iter([name.to_owned()]),
        connections_max: CONNECTIONS_MAX,
        security: Security::Plain,
    };
    let handler = service(serving, routes, pending)
        .new_service(())
        .await
        .map_err(|()| io::Error::other("the app could not be built"))?;
    let handler = Rc::new(handler);
    loop {
        let (stream, peer) = listener.accept().await?;
        let handler = Rc::clone(&handler);
        tokio::task::spawn_local(async move {
            // The peer sees a broken connection itself, and deals with it.
            let _ = handler.call((stream, peer)).await;
        });
    }
}

/// An HTTP client on simulated TCP. `timeout` bounds connecting and every request, in simulated time.
///
/// A caller that may end before the run does needs one client for *each* host that it talks to. awc keeps connections in a
/// `HashMap` by host: it would close them in an order that differs from run to run, and each closing draws a latency.
#[must_use]
pub fn http_client(timeout: Duration) -> awc::Client {
    let connector = awc::Connector::new()
        .connector(fn_service(connect))
        .timeout(timeout)
        .limit(OWN_CONNECTIONS_MAX)
        .conn_keep_alive(FOREVER)
        .conn_lifetime(FOREVER);
    awc::Client::builder()
        .connector(connector)
        .timeout(timeout)
        .finish()
}

/// Connects, or waits until the caller's timer runs out.
///
/// Where a partition drops the opening segment, the simulator fails the call at once with "connection refused". The client
/// would learn of the partition in no time, while in a real network it hears nothing. So a refused connection is silence
/// here. (The price: a host that is up but does not listen yet is silent, too.)
async fn connect(info: ConnectInfo<Uri>) -> Result<Connection<Uri, Stream>, ConnectError> {
    let host = info.hostname().to_owned();
    match turmoil::net::TcpStream::connect((host, info.port())).await {
        Ok(stream) => Ok(Connection::new(info.request().clone(), Stream(stream))),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => pending().await,
        Err(error) => Err(ConnectError::Io(error)),
    }
}

#[cfg(test)]
mod tests {
    use dske::http::connections::REQUEST_WITHIN;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::sim::WorldOptions;

    /// The bounds of connections hold in simulation as they do for a process.
    #[test]
    fn a_second_request_that_never_ends_is_ended_after_its_time() {
        let mut sim = WorldOptions::with_seed(1).build();
        sim.host("server", || async { Ok(serve("server", |_| {}).await?) });
        sim.client("client", async {
            let mut stream = turmoil::net::TcpStream::connect(("server", PORT)).await?;
            let whole = "GET / HTTP/1.1\r\nHost: server\r\n\r\n";
            stream.write_all(whole.as_bytes()).await?;
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).await?;
            assert!(answer[..length].starts_with(b"HTTP/1.1 404"));
            let begun = tokio::time::Instant::now();
            stream.write_all(b"GET / HTTP/1.1\r\n").await?;
            assert_eq!(stream.read(&mut answer).await?, 0);
            let took = begun.elapsed();
            assert!(took >= REQUEST_WITHIN && took < REQUEST_WITHIN + Duration::from_secs(1));
            Ok(())
        });
        sim.run().unwrap();
    }

    #[test]
    fn connecting_through_a_partition_takes_until_the_time_out() {
        let mut sim = WorldOptions::with_seed(1).build();
        sim.host("server", || async { Ok(serve("server", |_| {}).await?) });
        sim.client("client", async {
            let client = http_client(Duration::from_secs(3));
            let answer = client.get(format!("http://server:{PORT}/")).send().await;
            assert!(answer.is_err());
            Ok(())
        });
        sim.partition("server", "client");
        sim.run().unwrap();
        let took = sim.elapsed().as_millis();
        assert!((3000..3100).contains(&took), "{took} ms");
    }
}
