//! An ETSI call: who asks, about which SAE, with which parameters.

use actix::{Addr, Handler, Message};
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::node::client::{CheckCaller, ClientNode, KmeError};
use crate::protocol::SaeId;

use super::answer::{json, stopped};
use super::error::{kme_error, unauthorized};
use super::etsi_body;
use super::etsi_parameters::Parameters;
use super::message_body::MessageBody;

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
    let body = etsi_body::read(&http, payload).await;
    let in_step = body.is_ok();
    let served = async {
        let caller = caller(&http)?;
        let message = body.and_then(|body| {
            form(Call {
                caller: caller.clone(),
                other: other_sae(&path)?,
                parameters: parameters(&http, &body)?,
            })
        });
        match message {
            Ok(message) => ask(&client, message).await,
            Err(refusal) => {
                // A caller that may not ask is told that, and nothing else (Tables 4, 6 and 8).
                ask::<CheckCaller, ()>(&client, CheckCaller(caller)).await?;
                Err(json(400, &refusal))
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

/// Parameters in the wrong place are refused, since they would otherwise be ignored.
fn parameters<'a>(http: &'a HttpRequest, body: &'a [u8]) -> Result<Parameters<'a>, MessageBody> {
    let query = http.query_string();
    if *http.method() == Method::POST {
        if !query.is_empty() {
            return Err(MessageBody::new("with POST, parameters belong in the body"));
        }
        etsi_body::check_type(http)?;
        return Ok(Parameters::Body(body));
    }
    if !body.is_empty() {
        return Err(MessageBody::new(
            "with GET, parameters belong in the URI; use POST to send a body",
        ));
    }
    Ok(Parameters::Query(query))
}
