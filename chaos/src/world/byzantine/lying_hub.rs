//! The actor that lies.
//!
//! It owns the same [`Hub`] as an honest node and takes its three steps one by one: open, execute, seal. A lie changes
//! the request before it is executed, the reply before it is sealed, or the sealed response.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use dske::node::hub::{Ask, DeliverPsrd, GetHubStatus, Register};
use dske::protocol::batch::{Operation, Reply};
use dske::protocol::channel::{Bound, Opened, unsigned_refusal};
use dske::protocol::hub::{Hub, OobError, Registration};
use dske::protocol::message::{DepositOutcome, DepositReply, DepositResult, FetchAnswer, Plain};
use dske::protocol::{KeyId, NodeName, Response};
use dske::psrd::Block;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};
use tokio::time::Instant;

use super::alter::{Held, alter};
use super::forgers::Forgers;
use crate::plan::{Liar, Lie};
use crate::world::clock::now_us;
use crate::world::observer::Observer;
use crate::world::observer::record::LieTold;

/// A hub that lies at the times its plan says, and is honest at others.
pub struct LyingHub {
    hub: Hub,
    index: usize,
    clients: Vec<NodeName>,
    plans: Vec<Liar>,
    request_timeout: Duration,
    observer: Observer,
    forgers: Forgers,
    rng: ChaCha12Rng,
    started: Option<Instant>,
    /// Shares that it has seen, for swapping.
    seen: Vec<Held>,
    /// The last honest response to each client, for replays.
    last: BTreeMap<NodeName, Response>,
}

/// Most shares that are remembered for swapping.
const SEEN_MAX: usize = 64;

impl LyingHub {
    /// A hub that lies as `plans` says.
    #[must_use]
    pub fn new(
        hub: Hub,
        index: usize,
        clients: Vec<NodeName>,
        observer: Observer,
        forgers: Forgers,
        rng: ChaCha12Rng,
    ) -> Self {
        let plan = observer.seen().plan.clone();
        let plans = plan.liars.iter().filter(|liar| liar.hub == index);
        Self {
            hub,
            index,
            clients,
            plans: plans.cloned().collect(),
            request_timeout: Duration::from_millis(plan.cluster.request_timeout_ms),
            observer,
            forgers,
            rng,
            started: None,
            seen: Vec::new(),
            last: BTreeMap::new(),
        }
    }

    fn now(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// The lie for this answer, if any: drawn among those that make sense for what was asked.
    fn draw_lie(&mut self, operations: &[Operation<Plain>]) -> Option<Lie> {
        let now_ms = now_us() / 1000;
        let active = |liar: &&Liar| (liar.from_ms..liar.until_ms).contains(&now_ms);
        let liar = self.plans.iter().find(active)?;
        if self.rng.random_range(0..100) >= u32::from(liar.rate_percent) {
            return None;
        }
        let fits = |lie: &&Lie| {
            operations
                .iter()
                .any(|operation| lie_fits(**lie, operation))
        };
        let lies: Vec<Lie> = liar.lies.iter().filter(fits).copied().collect();
        if lies.is_empty() {
            return None;
        }
        lies.get(self.rng.random_range(0..lies.len())).copied()
    }

    /// A lie was told: about the keys of each of these calls.
    fn told(&self, client: &NodeName, lie: Lie, about: Vec<Vec<KeyId>>, to: &str) {
        let Some(client) = self.clients.iter().position(|name| name == client) else {
            return;
        };
        for key_ids in about {
            self.observer.lie(LieTold {
                at_us: now_us(),
                hub: self.index,
                client,
                lie,
                key_ids,
                to: Some(to.to_owned()),
            });
        }
    }

    fn remember(&mut self, operation: &Operation<Plain>) {
        if let Operation::Deposit(deposit) = operation {
            for key in &deposit.keys {
                if self.seen.len() == SEEN_MAX {
                    self.seen.remove(0);
                }
                self.seen.push(Held {
                    key_id: key.key_id,
                    share: key.share.clone(),
                });
            }
            self.forgers.pool(self.index, deposit);
        }
    }

    /// The answer, if the hub gives one, and how long to wait with it.
    fn answer(&mut self, Ask(request): &Ask) -> (Option<Response>, Duration) {
        let at_once = |response| (Some(response), Duration::ZERO);
        let now = self.now();
        let Opened {
            client,
            bound,
            operations,
        } = match self.hub.open(request) {
            Ok(opened) => opened,
            Err(refusal) => return at_once(unsigned_refusal(&refusal)),
        };
        let operations = match operations {
            Ok(operations) => operations,
            Err(refusal) => return at_once(self.hub.seal(&client, &bound, Err(refusal))),
        };
        operations
            .iter()
            .for_each(|operation| self.remember(operation));
        let lie = self.draw_lie(&operations);
        let replies = if lie == Some(Lie::RefuseStore) {
            self.execute_but_refuse_shares(now, &client, operations)
        } else {
            self.hub.execute(now, &client, operations)
        };
        match lie {
            Some(lie) => self.tell(lie, &client, &bound, replies),
            None => {
                let response = self.hub.seal(&client, &bound, Ok(replies));
                self.last.insert(client, response.clone());
                at_once(response)
            }
        }
    }

    /// The lie as an answer, and how long to wait with it.
    fn tell(
        &mut self,
        lie: Lie,
        client: &NodeName,
        bound: &Bound,
        replies: Vec<Reply<Plain>>,
    ) -> (Option<Response>, Duration) {
        let to = bound.signature.to_string();
        let about: Vec<Vec<KeyId>> = replies.iter().map(keys_in).collect();
        if lie == Lie::Silent {
            self.told(client, lie, about, &to);
            return (None, Duration::ZERO);
        }
        let mut wait = Duration::ZERO;
        let response = match lie {
            Lie::Delay => {
                self.told(client, lie, about, &to);
                wait = self.request_timeout.mul_f64(0.9);
                self.hub.seal(client, bound, Ok(replies))
            }
            Lie::ReplayAnswer => {
                let honest = self.hub.seal(client, bound, Ok(replies));
                match self.last.insert(client.clone(), honest.clone()) {
                    Some(replayed) => {
                        self.told(client, lie, about, &to);
                        replayed
                    }
                    None => honest,
                }
            }
            Lie::ForgeMac => {
                self.told(client, lie, about, &to);
                with_another_tag(self.hub.seal(client, bound, Ok(replies)))
            }
            Lie::RefuseStore => {
                let deposits = replies.iter().filter(|r| matches!(r, Reply::Deposit(_)));
                self.told(client, lie, deposits.map(keys_in).collect(), &to);
                self.hub.seal(client, bound, Ok(replies))
            }
            _ => {
                let replies = self.alter_all(lie, client, replies, &to);
                self.hub.seal(client, bound, Ok(replies))
            }
        };
        (Some(response), wait)
    }

    /// Refuses every share, and stores none. Executes all other operations, which share the room of one answer.
    fn execute_but_refuse_shares(
        &mut self,
        now: Duration,
        client: &NodeName,
        operations: Vec<Operation<Plain>>,
    ) -> Vec<Reply<Plain>> {
        let mut others = Vec::new();
        let mut replies = Vec::with_capacity(operations.len());
        for operation in operations {
            replies.push(match operation {
                Operation::Deposit(deposit) => {
                    let keys = deposit.keys.iter();
                    let keys = keys.map(|key| refused(key.key_id, &mut self.rng)).collect();
                    Some(Reply::Deposit(DepositReply { keys }))
                }
                other => {
                    others.push(other);
                    None
                }
            });
        }
        let mut executed = self.hub.execute(now, client, others).into_iter();
        let reply = |reply: Option<_>| reply.or_else(|| executed.next());
        replies.into_iter().filter_map(reply).collect()
    }

    fn alter_all(
        &mut self,
        lie: Lie,
        client: &NodeName,
        mut replies: Vec<Reply<Plain>>,
        to: &str,
    ) -> Vec<Reply<Plain>> {
        if lie == Lie::Equivocate && !self.is_deceived(client) {
            return replies;
        }
        let mut about = Vec::new();
        for reply in &mut replies {
            if let Reply::Fetch(fetch) = reply {
                about.push(alter(lie, fetch, &self.seen, &self.forgers, &mut self.rng));
            }
        }
        about.retain(|keys| !keys.is_empty());
        self.told(client, lie, about, to);
        replies
    }

    /// An equivocating hub deceives every other client.
    fn is_deceived(&self, client: &NodeName) -> bool {
        let index = self.clients.iter().position(|name| name == client);
        index.is_some_and(|index| index % 2 == 1)
    }
}

/// Changes the last digit of the tag.
fn with_another_tag(mut response: Response) -> Response {
    if let Some(signature) = &mut response.signature {
        let digit = if signature.ends_with('0') { '1' } else { '0' };
        signature.pop();
        signature.push(digit);
    }
    response
}

/// Whether a lie applies to an operation. Lies about the whole message always apply.
fn lie_fits(lie: Lie, operation: &Operation<Plain>) -> bool {
    match operation {
        Operation::Deposit(_) => matches!(
            lie,
            Lie::RefuseStore | Lie::Silent | Lie::Delay | Lie::ForgeMac | Lie::ReplayAnswer
        ),
        Operation::Fetch(_) => lie != Lie::RefuseStore,
        Operation::Withdraw(_) => matches!(
            lie,
            Lie::Silent | Lie::Delay | Lie::ForgeMac | Lie::ReplayAnswer
        ),
    }
}

fn refused(key_id: KeyId, rng: &mut ChaCha12Rng) -> DepositResult {
    let outcome = if rng.next_u32().is_multiple_of(2) {
        DepositOutcome::Conflict
    } else {
        DepositOutcome::Full
    };
    DepositResult { key_id, outcome }
}

fn keys_in(reply: &Reply<Plain>) -> Vec<KeyId> {
    match reply {
        Reply::Deposit(reply) => reply.keys.iter().map(|key| key.key_id).collect(),
        Reply::Fetch(reply) => {
            let found = |answer: &FetchAnswer<_>| matches!(answer, FetchAnswer::Found(_));
            let keys = reply.keys.iter().filter(|key| found(&key.answer));
            keys.map(|key| key.key_id).collect()
        }
        Reply::Refused(_) | Reply::Withdraw => Vec::new(),
    }
}

impl Actor for LyingHub {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.started = Some(Instant::now());
    }
}

impl Handler<Ask> for LyingHub {
    type Result = ResponseFuture<Response>;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> Self::Result {
        let (response, wait) = self.answer(&ask);
        Box::pin(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            match response {
                Some(response) => response,
                // A silent hub never answers: the time-out of whoever asked has to notice.
                None => std::future::pending().await,
            }
        })
    }
}

impl Handler<Register> for LyingHub {
    type Result = Result<Registration, OobError>;

    fn handle(&mut self, Register(request): Register, _: &mut Self::Context) -> Self::Result {
        self.hub.register(&request)
    }
}

impl Handler<DeliverPsrd> for LyingHub {
    type Result = Result<Block, OobError>;

    fn handle(&mut self, DeliverPsrd(request): DeliverPsrd, _: &mut Self::Context) -> Self::Result {
        self.hub.deliver_psrd(&request)
    }
}

impl Handler<GetHubStatus> for LyingHub {
    type Result = MessageResult<GetHubStatus>;

    fn handle(&mut self, _: GetHubStatus, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        self.hub.expire(now);
        MessageResult(self.hub.status(now))
    }
}
