//! An ETSI call as it comes in: who asks, about which SAE, with which parameters.

use actix::{Addr, Handler, Message};
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::node::client::{CheckCaller, ClientNode, KmeError};
use crate::protocol::SaeId;

use super::answer::{json, stopped};
use super::body;
use super::error::{MessageBody, kme_error, unauthorized};

/// A call. Whether the caller may ask is for the client to say.
pub(super) struct Call<'a> {
    /// The SAE that asks.
    pub(super) caller: SaeId,
    /// The SAE of the path: the slave, or for Get key with key IDs the master.
    pub(super) other: SaeId,
    pub(super) parameters: Parameters<'a>,
}

/// Where the parameters of a call are.
pub(super) enum Parameters<'a> {
    /// GET: in the URI.
    Query(&'a str),
    /// POST: in the body.
    Body(&'a [u8]),
}

/// Serves a call: reads it, passes what `form` makes of it to the client, and gives back what the client says.
///
/// # Errors
/// The answer for the SAE.
pub(super) async fn serve<M, T>(
    client: &Addr<ClientNode>,
    http: &HttpRequest,
    path: &str,
    payload: Payload,
    form: impl FnOnce(Call<'_>) -> Result<M, MessageBody>,
) -> Result<T, HttpResponse>
where
    M: Message<Result = Result<T, KmeError>> + Send + 'static,
    T: Send + 'static,
    ClientNode: Handler<M>,
{
    // First of all, so that the connection stays in step whatever the answer is.
    let body = body::read(http, payload).await;
    let in_step = body.is_ok();
    let served = read_and_ask(client, http, path, body, form).await;
    served.map_err(|mut answer| {
        if !in_step {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        answer
    })
}

async fn read_and_ask<M, T>(
    client: &Addr<ClientNode>,
    http: &HttpRequest,
    path: &str,
    body: Result<Bytes, MessageBody>,
    form: impl FnOnce(Call<'_>) -> Result<M, MessageBody>,
) -> Result<T, HttpResponse>
where
    M: Message<Result = Result<T, KmeError>> + Send + 'static,
    T: Send + 'static,
    ClientNode: Handler<M>,
{
    let caller = caller(http)?;
    let message = body.and_then(|body| {
        form(Call {
            caller: caller.clone(),
            other: other_sae(path)?,
            parameters: parameters(http, &body)?,
        })
    });
    match message {
        Ok(message) => ask(client, message).await,
        Err(refusal) => {
            // Who may not ask is told that, and nothing else (Tables 4, 6 and 8).
            ask::<CheckCaller, ()>(client, CheckCaller(caller)).await?;
            Err(json(400, &refusal))
        }
    }
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

/// The caller, from its credentials: one `Authorization` header, whose value is its SAE ID.
fn caller(http: &HttpRequest) -> Result<SaeId, HttpResponse> {
    let mut credentials = http.headers().get_all(AUTHORIZATION);
    let (first, second) = (credentials.next(), credentials.next());
    first
        .filter(|_| second.is_none())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| unauthorized("put your SAE ID into the Authorization header"))
}

/// The SAE of the path, which arrives percent-decoded (Tables 3, 5 and 7).
fn other_sae(path: &str) -> Result<SaeId, MessageBody> {
    path.parse()
        .map_err(|e| MessageBody::new(format!("SAE ID in the path: {e}")))
}

/// Parameters in the other place would be ignored, so they are refused.
fn parameters<'a>(http: &'a HttpRequest, body: &'a [u8]) -> Result<Parameters<'a>, MessageBody> {
    let query = http.query_string();
    if *http.method() == Method::POST {
        if !query.is_empty() {
            return Err(MessageBody::new(
                "with POST, parameters belong into the body",
            ));
        }
        body::check_type(http)?;
        return Ok(Parameters::Body(body));
    }
    if !body.is_empty() {
        return Err(MessageBody::new(
            "with GET, parameters belong into the URI; use POST to send a body",
        ));
    }
    Ok(Parameters::Query(query))
}
