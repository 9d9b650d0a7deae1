//! Management of a node: what it says about itself, and how it is stopped.
//!
//! Under TLS, operators may read the status and stop the node. Without TLS everybody may read the status, which holds no
//! secret, and only who can read the node's token may stop the node.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use actix::Addr;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use rand::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::node::client::{ClientNode, GetClientStatus};
use crate::node::hub::{GetHubStatus, HubHandle};

use super::answer::{json, stopped};
use super::message_body::MessageBody;
#[cfg(feature = "openapi")]
use super::openapi::{MANAGEMENT, responses::Ending};
use super::paths;
use super::peer::{Callers, Peer, only};
#[cfg(feature = "openapi")]
use crate::{node::client::ClientStatus, protocol::hub::HubStatus};

/// The header of a status that says which process of which cluster answers.
pub const RUN_HEADER: &str = "DSKE-Run";

/// The header of a request to stop a node: its token.
pub const TOKEN_HEADER: &str = "DSKE-Token";

/// Bytes of a token before they are written in hexadecimal.
const TOKEN_BYTES: usize = 32;

/// What a node has to know to be managed.
#[derive(Clone)]
pub struct Management {
    /// The value of [`RUN_HEADER`].
    pub run: String,
    /// What a caller has to show who stops the node. Without one, nobody can.
    pub token: Option<Token>,
    /// Ends the node.
    pub on_stop: Arc<dyn Fn() + Send + Sync>,
}

impl Management {
    /// A node that no operator stops, such as a simulated one.
    #[must_use]
    pub fn none() -> Self {
        Self {
            run: String::new(),
            token: None,
            on_stop: Arc::new(|| {}),
        }
    }
}

/// A secret that a node shares with those who can read its token file.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new one.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(2 * TOKEN_BYTES));
        for byte in *bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// As it stands in the file and in the header.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Adds the management of a hub.
pub(super) fn hub(config: &mut ServiceConfig, management: &Management) {
    config
        .app_data(Data::new(management.clone()))
        .service(
            web::resource(paths::HUB_STATUS)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::get().to(hub_status)),
        )
        .service(
            web::resource(paths::HUB_STOP)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::post().to(stop_hub)),
        );
}

/// Adds the management of a client.
pub(super) fn client(config: &mut ServiceConfig, management: &Management) {
    config
        .app_data(Data::new(management.clone()))
        .service(
            web::resource(paths::CLIENT_STATUS)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::get().to(client_status)),
        )
        .service(
            web::resource(paths::CLIENT_STOP)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::post().to(stop_client)),
        );
}

/// Status of the hub
///
/// For operators, and for `dske status`. No secrets.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = paths::HUB_STATUS, operation_id = "status", tag = MANAGEMENT,
    responses(
        (status = 200, description = "The status.", body = HubStatus,
            headers(("DSKE-Run" = String, description = "The process that answers, and its cluster."))),
        Ending,
    ),
))]
async fn hub_status(hub: Data<HubHandle>, management: Data<Management>) -> HttpResponse {
    match hub.status.send(GetHubStatus).await {
        Ok(status) => management.status(&status),
        Err(error) => stopped(&error),
    }
}

/// Status of the client
///
/// For operators, and for `dske status`. No secrets.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = paths::CLIENT_STATUS, operation_id = "status", tag = MANAGEMENT,
    responses(
        (status = 200, description = "The status.", body = ClientStatus,
            headers(("DSKE-Run" = String, description = "The process that answers, and its cluster."))),
        Ending,
    ),
))]
async fn client_status(
    client: Data<Addr<ClientNode>>,
    management: Data<Management>,
) -> HttpResponse {
    match client.send(GetClientStatus).await {
        Ok(status) => management.status(&status),
        Err(error) => stopped(&error),
    }
}

/// Stop the hub
///
/// The hub finishes what it is doing, and ends. Its pre-shared data and its shares are lost.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::HUB_STOP, operation_id = "stop", tag = MANAGEMENT, security(("token" = [])),
    responses(
        (status = 200, description = "The hub is stopping.", body = MessageBody),
        (status = 401, description = "The request does not have this node's token.", body = MessageBody),
    ),
))]
async fn stop_hub(request: HttpRequest, management: Data<Management>) -> HttpResponse {
    management.stop(&request)
}

/// Stop the client
///
/// The client finishes what it is doing, and ends. Its pre-shared data is lost.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::CLIENT_STOP, operation_id = "stop", tag = MANAGEMENT, security(("token" = [])),
    responses(
        (status = 200, description = "The client is stopping.", body = MessageBody),
        (status = 401, description = "The request does not have this node's token.", body = MessageBody),
    ),
))]
async fn stop_client(request: HttpRequest, management: Data<Management>) -> HttpResponse {
    management.stop(&request)
}

impl Management {
    fn status(&self, status: &impl serde::Serialize) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((RUN_HEADER, self.run.as_str()))
            .json(status)
    }

    fn stop(&self, request: &HttpRequest) -> HttpResponse {
        // A certificate has proved an operator already.
        if Peer::of(request) != Peer::Plain {
            (self.on_stop)();
            return json(200, &MessageBody::new("stopping"));
        }
        let shown = request.headers().get(TOKEN_HEADER);
        let shown = shown.map_or(&[][..], |shown| shown.as_bytes());
        if !self.token.as_ref().is_some_and(|token| token.is(shown)) {
            // RFC 9110 section 11.6.1: a 401 carries a challenge.
            return HttpResponse::Unauthorized()
                .insert_header((WWW_AUTHENTICATE, "DSKE-Token realm=\"dske\""))
                .json(MessageBody::new(WITHOUT_TOKEN));
        }
        (self.on_stop)();
        json(200, &MessageBody::new("stopping"))
    }
}

/// What a caller is told who may not stop the node.
const WITHOUT_TOKEN: &str = "the header DSKE-Token must hold this node's token, which is in the file with the ending .token \
    beside its log, on its machine; `dske stop` reads and sends it";

/// How an operator proves to be one: the security scheme `token`.
#[cfg(feature = "openapi")]
pub(super) struct ByToken;

#[cfg(feature = "openapi")]
impl utoipa::Modify for ByToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
        let about = "The node's token, from the file with the ending `.token` beside its log.";
        let header = ApiKeyValue::with_description(TOKEN_HEADER, about);
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::generator::os_rng;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let (one, other) = (Token::draw(&mut os_rng()), Token::draw(&mut os_rng()));
        assert_eq!(one.text().len(), 64);
        assert!(one.is(one.text().as_bytes()));
        for shown in [
            other.text(),
            "",
            &one.text()[1..],
            &format!("{}0", one.text()),
        ] {
            assert!(!one.is(shown.as_bytes()), "{shown}");
        }
        assert_eq!(format!("{one:?}"), "Token");
    }
}
