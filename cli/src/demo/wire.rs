//! What a client and the hubs send each other, shown as a ladder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{FutureExt, LocalBoxFuture};

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::batch::{Operation, Reply, operations_of, replies_of};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, Encrypted, FetchAnswer, FetchReply,
};
use dske::protocol::{NodeName, Request, Response};
use dske::psrd::Block;
use dske::topology::Topology;

use super::super::print::{BAD, FAINT, GOOD};
use dske_testbed::println;

/// Characters of a ciphertext that are shown.
const SHOWN: usize = 24;

/// The last message between a client and each hub.
#[derive(Clone)]
pub(super) struct Ladder {
    client: String,
    rungs: Rc<RefCell<BTreeMap<NodeName, String>>>,
}

impl Ladder {
    pub(super) fn new(client: String) -> Self {
        Self {
            client,
            rungs: Rc::default(),
        }
    }

    fn set(&self, hub: &NodeName, rung: String) {
        self.rungs.borrow_mut().insert(hub.clone(), rung);
    }

    /// Prints the rungs in order of the hubs, and forgets them.
    pub(super) fn print(&self, topology: &Topology) {
        let rungs = self.rungs.take();
        for hub in &topology.hubs {
            if let Some(rung) = rungs.get(&hub.name) {
                println!("   {rung}");
            }
        }
    }
}

/// The way from a client to a hub, which notes what is sent over it.
pub(super) struct Wire {
    inner: Rc<dyn Transport>,
    hub: NodeName,
    ladder: Ladder,
}

impl Wire {
    pub(super) fn new(inner: Rc<dyn Transport>, hub: NodeName, ladder: Ladder) -> Self {
        Self { inner, hub, ladder }
    }
}

impl Transport for Wire {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let (ladder, hub) = (self.ladder.clone(), self.hub.clone());
        let answer = self.inner.ask(request.clone());
        async move {
            let answer = answer.await;
            ladder.set(&hub, rung(&ladder.client, &hub, &request, &answer));
            answer
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.inner.register(request)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.inner.deliver_psrd(request)
    }
}

fn rung(
    client: &str,
    hub: &NodeName,
    request: &Request,
    answer: &Result<Response, Unreachable>,
) -> String {
    let operation = operations_of(request).and_then(|operations| operations.into_iter().next());
    let reply = |response| replies_of(request, response)?.into_iter().next();
    let arrow = match operation {
        Some(Operation::Fetch(_)) => "◀──",
        _ => "──▶",
    };
    let what = match answer {
        Err(Unreachable(why)) => Err(why.clone()),
        Ok(response) => match (operation, reply(response)) {
            (Some(Operation::Deposit(deposit)), Some(Reply::Deposit(reply))) => {
                deposited(&deposit, &reply)
            }
            (Some(Operation::Fetch(_)), Some(Reply::Fetch(reply))) => fetched(&reply),
            _ => Err("refused".to_owned()),
        },
    };
    match what {
        Ok(what) => format!("{client} {arrow} {hub:<7} {what}"),
        Err(why) => format!("{client} {FAINT}─ ─{FAINT:#} {hub:<7} {BAD}{why}{BAD:#}"),
    }
}

fn deposited(deposit: &DepositBody, reply: &DepositReply) -> Result<String, String> {
    let first = deposit.keys.first().zip(reply.keys.first());
    let (key, result) = first.ok_or("empty")?;
    let share = share(deposit.x, &key.share);
    Ok(match result.outcome {
        DepositOutcome::Stored => format!("{share} {GOOD}stored{GOOD:#}"),
        other => format!("{share} {BAD}{other:?}{BAD:#}"),
    })
}

fn fetched(reply: &FetchReply) -> Result<String, String> {
    match reply.keys.first().map(|key| &key.answer) {
        Some(FetchAnswer::Found(found)) => Ok(share(found.x, &found.share)),
        _ => Err("has no share of this key".to_owned()),
    }
}

fn share(x: u8, share: &Encrypted) -> String {
    let text = STANDARD.encode(&share.0);
    let start: String = text.chars().take(SHOWN).collect();
    format!(
        "share {x}, encrypted: {start}… {FAINT}({} bytes){FAINT:#}",
        share.0.len()
    )
}
