//! Each record as a line. The lines are hashed, and tell runs apart: they name everything that a run could do otherwise,
//! and secrets by fingerprints only. Never raw HTTP heads, whose order is random.

use std::fmt::{Display, Formatter, Result};

use dske::protocol::{Request, Response};

use super::record::{Call, LieTold, Message, Node, NoteKind, Seen};
use super::trace::fingerprint;

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let hub = self.hub;
        // Both ends of a client's transport know the client.
        let client = self.client.unwrap_or_default();
        match &self.what {
            Seen::Sent(request) => write!(f, "sent c{client}>h{hub} {}", Line(request)),
            Seen::Arrived(request) => write!(f, "arrived h{hub} {}", Line(request)),
            Seen::Said { response, .. } => write!(f, "said h{hub} {}", Line(response)),
            Seen::Heard { response, .. } => write!(f, "heard h{hub}>c{client} {}", Line(response)),
        }
    }
}

struct Line<'a, T>(&'a T);

impl Display for Line<'_, Request> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Request {
            method,
            target,
            signature,
            body,
        } = self.0;
        let signature = signature.as_deref().unwrap_or("-");
        let body = fingerprint(body);
        write!(f, "{method} {target} signature={signature} body={body}")
    }
}

impl Display for Line<'_, Response> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Response {
            status,
            signature,
            body,
        } = self.0;
        let signature = signature.as_deref().unwrap_or("-");
        let body = fingerprint(body);
        write!(f, "{status} signature={signature} body={body}")
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let outcome = self.outcome.line();
        write!(
            f,
            "call {} {:?} c{} {} {outcome}",
            self.id, self.kind, self.client, self.sae
        )?;
        // Keys may be hashed: they are drawn from the seed, and protect nothing.
        for key in self.outcome.keys().unwrap_or_default() {
            write!(f, " {}={}", key.id, fingerprint(&key.bytes))?;
        }
        Ok(())
    }
}

impl Display for LieTold {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (hub, client, lie) = (self.hub, self.client, self.lie.name());
        write!(f, "lie h{hub}>c{client} {lie} keys={}", self.key_ids.len())
    }
}

impl Display for NoteKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Start { node, life } => write!(f, "start {node} life={life}"),
            Self::Register { hub, client } => write!(f, "register h{hub} {client}"),
            Self::Psrd {
                hub,
                client,
                owner,
                block,
                fingerprint,
            } => write!(
                f,
                "psrd hub={hub} client={client} owner={owner:?} block={block} bytes={fingerprint}"
            ),
            Self::FaultBegins(fault) => write!(f, "fault begins {fault:?}"),
            Self::FaultEnds(fault) => write!(f, "fault ends {fault:?}"),
            Self::Retransmission { client, hub, late } => {
                write!(f, "lost c{client}-h{hub} late_ms={}", late.as_millis())
            }
            Self::HubStatus { hub, shares } => write!(f, "status h{hub} shares={shares}"),
            Self::ClientStatus { client, fetched } => {
                write!(f, "status c{client} fetched={fetched}")
            }
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Client(client) => write!(f, "c{client}"),
            Self::Hub(hub) => write!(f, "h{hub}"),
        }
    }
}
