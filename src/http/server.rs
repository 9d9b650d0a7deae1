//! What serves the routes of a node on accepted connections, whatever they are made of: real ones and simulated ones.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

pub use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use tokio::io::{AsyncRead, AsyncWrite};

use super::admission::{Names, admit};
use super::connections::{BYTES_MAX, Connections, IDLE_MAX, REQUEST_WITHIN};
use super::stream::Stream;
#[cfg(feature = "tls")]
use super::tls::Credentials;
use super::wire::Wire;

/// The server's own time for the first head. It ends a little sooner than the whole request's, so that it can still say
/// why.
const HEAD_WITHIN: Duration = REQUEST_WITHIN.saturating_sub(Duration::from_millis(500));

/// How long a connection on which more arrives than is read may take to end.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How a node serves its routes.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The names by which it may be called.
    pub names: Names,
    /// Most connections.
    pub connections_max: usize,
    /// What protects its connections.
    pub security: Security,
}

/// What protects the connections of a node.
#[derive(Debug, Clone)]
pub enum Security {
    /// Nothing, and nobody proves who they are: for loopback.
    Plain,
    /// TLS, with a certificate of the node's own.
    #[cfg(feature = "tls")]
    Tls(std::sync::Arc<Credentials>),
}

impl Security {
    /// # Errors
    /// If the handshake fails, which has been counted.
    async fn protect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: Stream<S>,
    ) -> Result<Wire<S>, DispatchError> {
        match self {
            Self::Plain => Ok(Wire::plain(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(credentials) => {
                let (stream, proof) = super::tls::accept(credentials, stream).await?;
                Ok(Wire::tls(stream, proof))
            }
        }
    }
}

/// A service that takes connections, each with the address of its peer. `routes` adds what is served. `stopping` ends when
/// the node is to stop: connections are then closed once they have been answered.
pub fn service<S, F, Stopping>(
    serving: Serving,
    routes: impl FnOnce(&mut ServiceConfig) + 'static,
    stopping: F,
) -> impl ServiceFactory<
    (S, SocketAddr),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Fn() -> Stopping + 'static,
    Stopping: Future<Output = ()> + 'static,
{
    let Serving {
        names,
        connections_max,
        security,
    } = serving;
    let app = App::new()
        .app_data(Data::new(names))
        .wrap(from_fn(admit))
        .configure(routes);
    let http = HttpService::build()
        .keep_alive(KeepAlive::Timeout(IDLE_MAX))
        .client_request_timeout(HEAD_WITHIN)
        .client_disconnect_timeout(DISCONNECT_WITHIN)
        .graceful_shutdown_signal(stopping)
        .on_connect_ext(|wire: &Wire<S>, data| {
            data.insert(wire.guard());
            data.insert(wire.proof());
        })
        .finish(map_config(app.into_factory(), |()| AppConfig::default()));
    let connections = Connections::new(connections_max, BYTES_MAX);
    fn_service(move |(stream, peer)| {
        let stream = Stream::new(stream, &connections);
        let security = security.clone();
        async move {
            let wire = security.protect(stream).await?;
            Ok::<_, DispatchError>((wire, Protocol::Http1, Some(peer)))
        }
    })
    .and_then(http)
}
