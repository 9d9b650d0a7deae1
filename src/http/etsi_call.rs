//! An ETSI call: who asks, about which SAE, with which parameters.

use actix::{Addr, Handler, Message};
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING};
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, mime};

use crate::node::client::{CheckCaller, ClientNode, KmeError};
use crate::protocol::SaeId;

use super::answer::{json, stopped};
use super::body;
use super::error::{kme_error, unauthorized};
use super::etsi_parameters::Parameters;
use super::message_body::MessageBody;
use super::peer::{Identity, Peer};

/// Largest body, in bytes: 128 key IDs with extensions fit many times.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A request as it arrives: the client that serves it, its head, the SAE of its path, and its body.
pub(super) type Arrived = (Data<Addr<ClientNode>>, HttpRequest, Path<String>, Payload);

/// A call that was read. The client decides whether the caller may make it.
pub(super) struct Call<'a> {
    /// The SAE that asks.
    pub(super) caller: SaeId,
    /// The SAE of the path: the slave, or for Get key with key IDs the master.
    pub(super) other: SaeId,
    pub(super) parameters: Parameters<'a>,
}

/// Serves a call: reads it, passes what `form` makes of it to the client, and returns the client's answer.
///
/// # Errors
/// The answer for the SAE.
pub(super) async fn serve<M, T>(
    (client, http, path, payload): Arrived,
    form: impl FnOnce(Call<'_>) -> Result<M, MessageBody>,
) -> Result<T, HttpResponse>
where
    M: Message<Result = Result<T, KmeError>> + Send + 'static,
    T: Send + 'static,
    ClientNode: Handler<M>,
{
    // The body is read whatever the answer will be, so that the connection stays in step.
    let body = body::read(&http, payload, BODY_BYTES_MAX).await;
    let in_step = body.is_ok();
    let served = async {
        let caller = caller(&http)?;
        let message = body
            .map_err(|unread| unread.answer(unread.etsi_status()))
            .and_then(|body| {
                let form = || {
                    form(Call {
                        caller: caller.clone(),
                        other: other_sae(&path)?,
                        parameters: parameters(&http, &body)?,
                    })
                };
                form().map_err(|refusal| json(400, &refusal))
            });
        match message {
            Ok(message) => ask(&client, message).await,
            Err(refusal) => {
                // A caller that may not ask is told that, and nothing else (Tables 4, 6 and 8).
                ask::<CheckCaller, ()>(&client, CheckCaller(caller)).await?;
                Err(refusal)
            }
        }
    };
    served.await.map_err(|mut answer| {
        if !in_step {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        answer
    })
}

async fn ask<M, T>(client: &Addr<ClientNode>, message: M) -> Result<T, HttpResponse>
where
    M: Message<Result = Result<T, KmeError>> + Send + 'static,
    T: Send + 'static,
    ClientNode: Handler<M>,
{
    match client.send(message).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(kme_error(&error)),
        Err(error) => Err(stopped(&error)),
    }
}

/// The caller. Its certificate names it, and nothing else does (clause 5.1). Without TLS, one `Authorization` header does,
/// whose value is its SAE ID.
fn caller(http: &HttpRequest) -> Result<SaeId, HttpResponse> {
    match Peer::of(http) {
        Peer::Plain => {}
        Peer::Proved(Identity::Sae(caller)) => return Ok(caller),
        Peer::Nobody | Peer::Proved(_) => return Err(unauthorized(NO_SAE)),
    }
    let mut credentials = http.headers().get_all(AUTHORIZATION);
    let (first, second) = (credentials.next(), credentials.next());
    first
        .filter(|_| second.is_none())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| unauthorized("put your SAE ID into the Authorization header"))
}

const NO_SAE: &str = "show the certificate of an SAE that the topology names";

/// The SAE of the path, which arrives percent-decoded (Tables 3, 5 and 7).
fn other_sae(path: &str) -> Result<SaeId, MessageBody> {
    path.parse()
        .map_err(|e| MessageBody::new(format!("SAE ID in the path: {e}")))
}

/// Parameters in the wrong place are refused, since they would otherwise be ignored.
fn parameters<'a>(http: &'a HttpRequest, body: &'a [u8]) -> Result<Parameters<'a>, MessageBody> {
    let query = http.query_string();
    if *http.method() == Method::POST {
        if !query.is_empty() {
            return Err(MessageBody::new("with POST, parameters belong in the body"));
        }
        check_type(http)?;
        return Ok(Parameters::Body(body));
    }
    if !body.is_empty() {
        return Err(MessageBody::new(
            "with GET, parameters belong in the URI; use POST to send a body",
        ));
    }
    Ok(Parameters::Query(query))
}

/// Clause 5.1 Table 1: a body is JSON in UTF-8, and says so. A body without a media type is taken for JSON.
///
/// # Errors
/// A body with another media type or encoding.
fn check_type(http: &HttpRequest) -> Result<(), MessageBody> {
    if http.headers().contains_key(CONTENT_ENCODING) {
        return Err(MessageBody::new("Content-Encoding is not supported"));
    }
    let json = match http.mime_type() {
        Ok(None) => true,
        Ok(Some(claimed)) => {
            let charset = claimed.get_param(mime::CHARSET);
            claimed.essence_str() == mime::APPLICATION_JSON.as_ref()
                && charset.is_none_or(|charset| charset == mime::UTF_8)
        }
        Err(_) => false,
    };
    if json {
        return Ok(());
    }
    Err(MessageBody::new(
        "Content-Type must be application/json, in UTF-8",
    ))
}
