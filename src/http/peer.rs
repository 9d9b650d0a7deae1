//! Who calls a node: what the connection proves, and which routes that opens.
//!
//! The transport says who a [`Peer`] is: under TLS it is whom the certificate names. A connection without TLS proves
//! nothing, and every route is open to it: such a node is for loopback. A harness may say what it likes.

use std::fmt;
use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::protocol::{NodeName, SaeId};

use super::message_body::MessageBody;

/// Who is at the other end of a connection, as far as the transport proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A connection without TLS.
    Plain,
    /// TLS, and no certificate, or one that names nobody whom the topology knows.
    Nobody,
    /// Whom a certificate names.
    Proved(Identity),
}

/// A party that can prove who it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// An encryptor.
    Sae(SaeId),
    /// A client (KME).
    Client(NodeName),
    /// A hub.
    Hub(NodeName),
    /// Who starts and stops nodes.
    Operator,
    /// Who reads metrics.
    Monitor,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sae(id) => write!(f, "SAE {id}"),
            Self::Client(name) => write!(f, "client {name}"),
            Self::Hub(name) => write!(f, "hub {name}"),
            Self::Operator => f.write_str("an operator"),
            Self::Monitor => f.write_str("a monitor"),
        }
    }
}

/// Asks a connection who its peer is. It is asked for every request, since certificates are revoked while connections last.
pub(super) type Proof = Rc<dyn Fn() -> Peer>;

impl Peer {
    /// The peer of the connection on which a request came. A connection that says nothing is nobody's.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let proof = request.conn_data::<Proof>();
        proof.map_or(Self::Nobody, |proof| proof())
    }

    /// As words for a message.
    fn name(&self) -> String {
        match self {
            Self::Plain | Self::Nobody => {
                "nobody: show a certificate of the topology's CA".to_owned()
            }
            Self::Proved(identity) => identity.to_string(),
        }
    }
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callers {
    /// Clients (KMEs).
    Clients,
    /// Operators.
    Operators,
    /// Monitors, and operators.
    Monitors,
}

impl Callers {
    fn include(self, peer: &Peer) -> bool {
        match peer {
            Peer::Plain => true,
            Peer::Nobody => false,
            Peer::Proved(identity) => match self {
                Self::Clients => matches!(identity, Identity::Client(_)),
                Self::Operators => matches!(identity, Identity::Operator),
                Self::Monitors => matches!(identity, Identity::Operator | Identity::Monitor),
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients (KMEs)",
            Self::Operators => "operators",
            Self::Monitors => "monitors and operators",
        }
    }
}

/// Lets requests of these callers through to a route.
pub(super) fn only(
    callers: Callers,
) -> impl Fn(
    ServiceRequest,
    Next<BoxBody>,
) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>
+ Clone {
    move |request, next| {
        let peer = Peer::of(request.request());
        if callers.include(&peer) {
            return next.call(request).boxed_local();
        }
        let refusal = refusal(&peer, callers.name());
        async move { Ok(request.into_response(refusal)) }.boxed_local()
    }
}

/// The answer to a peer that may not call a route: 401 to nobody, 403 to somebody else.
pub(super) fn refusal(peer: &Peer, for_whom: &str) -> HttpResponse {
    let message = format!("this is for {for_whom}; you are {}", peer.name());
    let mut answer = match peer {
        Peer::Plain | Peer::Nobody => HttpResponse::Unauthorized(),
        Peer::Proved(_) => HttpResponse::Forbidden(),
    };
    if matches!(peer, Peer::Nobody) {
        // RFC 9110 section 11.6.1: a 401 carries a challenge.
        answer.insert_header((WWW_AUTHENTICATE, CERTIFICATE));
    }
    answer.json(MessageBody::new(message))
}

/// The challenge to who shows no certificate. No scheme is registered for certificates of the transport.
pub(super) const CERTIFICATE: &str = "Certificate realm=\"dske\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_call_what() {
        let client = Identity::Client("carol".parse().unwrap());
        let table = [
            (client, [true, false, false]),
            (Identity::Hub("hank".parse().unwrap()), [false; 3]),
            (Identity::Sae("carol".parse().unwrap()), [false; 3]),
            (Identity::Operator, [false, true, true]),
            (Identity::Monitor, [false, false, true]),
        ];
        let all = [Callers::Clients, Callers::Operators, Callers::Monitors];
        for (identity, expected) in table {
            let peer = Peer::Proved(identity);
            assert_eq!(
                all.map(|callers| callers.include(&peer)),
                expected,
                "{peer:?}"
            );
        }
        assert_eq!(
            all.map(|callers| callers.include(&Peer::Nobody)),
            [false; 3]
        );
        assert_eq!(all.map(|callers| callers.include(&Peer::Plain)), [true; 3]);
    }

    #[test]
    fn nobody_is_asked_for_a_certificate_and_somebody_else_is_refused() {
        let nobody = refusal(&Peer::Nobody, "operators");
        assert_eq!(nobody.status(), 401);
        assert!(nobody.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(
            refusal(&Peer::Proved(Identity::Monitor), "operators").status(),
            403
        );
    }
}
