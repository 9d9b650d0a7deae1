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
        .on_connect_ext(|stream: &Stream<S>, data| {
            data.insert(stream.guard());
        })
        .finish(map_config(app.into_factory(), |()| AppConfig::default()));
    let connections = Connections::new(connections_max, BYTES_MAX);
    fn_service(move |(stream, peer)| {
        let stream = Stream::new(stream, &connections);
        async move { Ok::<_, DispatchError>((stream, Protocol::Http1, Some(peer))) }
    })
    .and_then(http)
}
