//! What a message says, without the secrets in it.

use dske::protocol::batch::{Operation, Reply, operations_of, replies_of};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, FetchAnswer, FetchQuery, FetchReply, ShareBytes,
    Withdrawal,
};
use dske::protocol::{NodeName, Refusal, Request, Response, SaeId};

use super::schema::{KeyPart, Kind};

/// What a message says.
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) says: Option<String>,
    pub(super) keys: Vec<KeyPart>,
}

/// Reads a request. What it claims is shown as it is, true or not.
pub(super) fn of_request(request: &Request) -> Content {
    let operations = operations_of(request).unwrap_or_default().into_iter();
    let read = operations.map(|operation| match operation {
        Operation::Deposit(body) => deposit(body),
        Operation::Fetch(query) => fetch(query),
        Operation::Withdraw(body) => withdrawal(body),
    });
    together(read).unwrap_or(Content {
        kind: Kind::Garbage,
        says: None,
        keys: Vec::new(),
    })
}

/// Reads an answer.
pub(super) fn of_answer(to: &Request, response: &Response) -> Content {
    let replies = replies_of(to, response).unwrap_or_default().into_iter();
    let read = replies.map(|reply| match reply {
        Reply::Deposit(reply) => receipt(reply),
        Reply::Fetch(reply) => shares(reply),
        Reply::Refused(refusal) => Content {
            kind: Kind::Refusal,
            says: Some(format!("one refused: {}", refusal.kind())),
            keys: Vec::new(),
        },
        Reply::Withdraw => Content {
            kind: Kind::Receipt,
            says: Some("withdrawn".to_owned()),
            keys: Vec::new(),
        },
    });
    together(read).unwrap_or_else(|| refusal(response))
}

/// What the parts of a batch say together. Several operations of one kind are shown as one larger operation.
fn together(parts: impl Iterator<Item = Content>) -> Option<Content> {
    parts.reduce(|mut all, part| {
        if all.kind != part.kind {
            all.kind = Kind::Batch;
        }
        all.keys.extend(part.keys);
        if let Some(says) = part.says.filter(|says| all.says.as_ref() != Some(says)) {
            let before = all.says.map(|before| before + "; ").unwrap_or_default();
            all.says = Some(before + &says);
        }
        all
    })
}

fn deposit(body: DepositBody) -> Content {
    let keys = body.keys.iter().map(|key| KeyPart {
        id: key.key_id.to_string(),
        says: "share",
        x: Some(body.x),
        share_bytes: Some(key.share.byte_len()),
    });
    let slaves: Vec<&str> = body.slave_saes.iter().map(|sae| sae.as_str()).collect();
    Content {
        kind: Kind::Deposit,
        says: Some(format!(
            "{}{} for {}, {} of {}, {} bits",
            claims(&body.client, &body.master_sae),
            body.master_sae,
            slaves.join(", "),
            body.threshold,
            body.hubs,
            8 * body.size
        )),
        keys: keys.collect(),
    }
}

fn fetch(query: FetchQuery) -> Content {
    let keys = query.key_ids.iter().map(|id| part(id, "wanted"));
    Content {
        kind: Kind::Fetch,
        says: Some(format!(
            "{}{} from {}",
            claims(&query.client, &query.slave_sae),
            query.slave_sae,
            query.master_sae
        )),
        keys: keys.collect(),
    }
}

fn withdrawal(body: Withdrawal) -> Content {
    let keys = body.key_ids.iter().map(|id| part(id, "withdrawn"));
    Content {
        kind: Kind::Withdrawal,
        says: Some(format!(
            "{}{}",
            claims(&body.client, &body.master_sae),
            body.master_sae
        )),
        keys: keys.collect(),
    }
}

/// Which client the message claims to come from, if that is not the SAE's own. Here each client has the name of its SAE.
fn claims(client: &NodeName, sae: &SaeId) -> String {
    match client.as_str() == sae.as_str() {
        true => String::new(),
        false => format!("as {client}, "),
    }
}

fn receipt(reply: DepositReply) -> Content {
    let keys = reply.keys.iter().map(|result| {
        let says = match result.outcome {
            DepositOutcome::Stored => "stored",
            DepositOutcome::Conflict => "conflict",
            DepositOutcome::Full => "full",
        };
        part(&result.key_id, says)
    });
    Content {
        kind: Kind::Receipt,
        says: None,
        keys: keys.collect(),
    }
}

fn shares(reply: FetchReply) -> Content {
    let keys = reply.keys.iter().map(|result| match &result.answer {
        FetchAnswer::Found(found) => KeyPart {
            x: Some(found.x),
            share_bytes: Some(found.share.byte_len()),
            ..part(&result.key_id, "share")
        },
        FetchAnswer::NotFound => part(&result.key_id, "not-found"),
        FetchAnswer::Forbidden => part(&result.key_id, "forbidden"),
    });
    Content {
        kind: Kind::Shares,
        says: None,
        keys: keys.collect(),
    }
}

fn part(id: &dske::protocol::KeyId, says: &'static str) -> KeyPart {
    KeyPart {
        id: id.to_string(),
        says,
        x: None,
        share_bytes: None,
    }
}

/// Only the code of a refusal: its words come from a node, and a broken node may say anything.
fn refusal(response: &Response) -> Content {
    let refusal = serde_json::from_slice::<Refusal>(&response.body);
    let code = refusal.map_or("unreadable", |refusal| refusal.kind());
    Content {
        kind: Kind::Refusal,
        says: Some(format!("{} {code}", response.status)),
        keys: Vec::new(),
    }
}
