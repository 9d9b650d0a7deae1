//! The handshake with whoever connects to a node.
//!
//! The stream under it keeps the times of its connection: handshake and first request have to arrive within the time of a
//! request, and who is slow is the first to go where connections are too many.

use std::io;
use std::sync::Arc;

use actix_http::error::DispatchError;
use rustls::server::Acceptor;
use rustls::{Error, InvalidMessage};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Credentials;
use super::handshakes::Failure;
use crate::http::peer::Proof;
use crate::http::stream::Stream;

/// What a caller is told who speaks plain HTTP to a port of TLS.
const PLAIN_HTTP: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n\
    Content-Length: 49\r\n\r\n{\"message\":\"this port speaks TLS: call https://\"}";

/// The first byte of a handshake, RFC 8446 section 5.1. No method of HTTP begins like it.
const HANDSHAKE: u8 = 22;

/// # Errors
/// If the handshake fails, which is counted.
pub(in crate::http) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    credentials: &Arc<Credentials>,
    stream: Stream<S>,
) -> Result<(TlsStream<Stream<S>>, Proof), DispatchError> {
    let counts = credentials.handshakes();
    let shaken = shake(credentials, stream).await;
    let stream = shaken.map_err(|error| {
        counts.failed(Failure::of(&error));
        DispatchError::Io(error)
    })?;
    counts.succeeded();
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|shown| shown.clone().into_owned());
    let proof = credentials.proof(chain.collect());
    Ok((stream, proof))
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    credentials: &Arc<Credentials>,
    mut stream: Stream<S>,
) -> io::Result<TlsStream<Stream<S>>> {
    let first = stream.read_u8().await?;
    if first != HANDSHAKE {
        // Who does not read it learns nothing; the connection ends anyhow.
        let _ = stream.write_all(PLAIN_HTTP.as_bytes()).await;
        let _ = stream.shutdown().await;
        let wrong = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
    }
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut [first].as_slice())?;
    let hello = LazyConfigAcceptor::new(acceptor, stream).await?;
    let config = Arc::clone(&credentials.current().server);
    hello.into_stream(config).await
}
