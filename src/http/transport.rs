//! A client's way to a hub over HTTP.

use actix_web::http::header::ACCEPT;
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::Serialize;

use crate::crypto::secret::Secret;
use crate::node::transport::{Transport, Unreachable};
use crate::protocol::batch::Encoding;
use crate::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use crate::protocol::limits::BODY_BYTES_MAX;
use crate::protocol::wire::SIGNATURE_HEADER;
use crate::protocol::{Method, Request, Response};
use crate::psrd::Block;

use super::out_of_band_routes::OCTETS;
use super::{paths, secret_body};

/// One hub at a base URL such as `http://127.0.0.1:8100`.
#[derive(Clone)]
pub struct HttpTransport {
    client: awc::Client,
    base: String,
}

impl HttpTransport {
    /// A way to the hub at `address`, `host:port` for plain HTTP or its origin (`https://host:port`), over the streams that the awc client was built on.
    #[must_use]
    pub fn new(client: awc::Client, address: &str) -> Self {
        Self {
            client,
            base: paths::origin(address),
        }
    }

    /// A call out of band: the body of a successful answer, or the refusal.
    fn oob(
        &self,
        path: &str,
        request: &impl Serialize,
        accept: &str,
        limit: usize,
    ) -> LocalBoxFuture<'static, Result<Result<Secret, OobError>, Unreachable>> {
        let sent = self
            .client
            .post(format!("{}{path}", self.base))
            .insert_header((ACCEPT, accept))
            .send_json(request);
        async move {
            let response = sent.await.map_err(unreachable)?;
            let status = response.status();
            let body = secret_body::read(response, limit);
            let body = body.await.map_err(unreachable)?;
            if status.is_success() {
                return Ok(Ok(body));
            }
            serde_json::from_slice(&body)
                .map(Err)
                .map_err(|_| Unreachable(format!("the hub answered with status {status}")))
        }
        .boxed_local()
    }
}

impl Transport for HttpTransport {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let url = format!("{}{}", self.base, request.target);
        let content_type = Encoding::of(&request).content_type();
        let mut http = match request.method {
            Method::Post => self.client.post(url),
            Method::Get => self.client.get(url),
        };
        if let Some(signature) = request.signature {
            http = http.insert_header((SIGNATURE_HEADER, signature));
        }
        let sent = match request.method {
            Method::Post => http.content_type(content_type).send_body(request.body),
            Method::Get => http.send(),
        };
        async move {
            let mut response = sent.await.map_err(unreachable)?;
            let body = response
                .body()
                .limit(BODY_BYTES_MAX)
                .await
                .map_err(unreachable)?;
            let signature = response.headers().get(SIGNATURE_HEADER);
            Ok(Response {
                status: response.status().as_u16(),
                signature: signature.and_then(|s| s.to_str().ok()).map(str::to_owned),
                body,
            })
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        let json = Encoding::Json.content_type();
        let answer = self.oob(paths::REGISTRATION, &request, json, 4 * 1024);
        async move {
            match answer.await? {
                Ok(body) => serde_json::from_slice(&body).map(Ok).map_err(unreachable),
                Err(refused) => Ok(Err(refused)),
            }
        }
        .boxed_local()
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        // The ID of a block comes before its bytes, and a refusal is no longer than this.
        let answer = self.oob(paths::PSRD, &request, OCTETS, request.size + 1024);
        async move {
            match answer.await? {
                Ok(body) => Block::from_octets(&body).map(Ok).map_err(unreachable),
                Err(refused) => Ok(Err(refused)),
            }
        }
        .boxed_local()
    }
}

fn unreachable(error: impl std::fmt::Display) -> Unreachable {
    Unreachable(error.to_string())
}
