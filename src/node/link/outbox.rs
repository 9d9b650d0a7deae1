//! Operations that wait while a request is in flight leave together, as one batch, in the next request.
//!
//! No operation waits on purpose: if no request is in flight, it leaves at once, alone. The busier the link, the more
//! operations share a request, a MAC and an allocation of PSRD. A request that is lost does not hold the others up: once
//! it is overdue, the next one leaves beside it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::PoolOwner;
use crate::protocol::limits::{BODY_BYTES_MAX, OPERATIONS_PER_BATCH_MAX};
use crate::protocol::message::{FetchAnswer, Plain};

use super::carrier::Carrier;
use super::error::LinkError;

/// After this time a request holds the next one up no longer: longer than a hub nearby takes, and short beside a call.
const OVERDUE: Duration = Duration::from_millis(20);

/// Bytes of the shares in a batch of more than one operation, at most. Enough that what a message costs, however short
/// it is, no longer counts; little enough that the next batch need not wait long.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(
    2 * BATCH_BYTES_MAX <= BODY_BYTES_MAX,
    "the shares of a batch, or of its answer, fit into a body, with as much again for what goes with them"
);

/// What waits for the hub, and leaves together.
pub(super) struct Outbox {
    carrier: Rc<Carrier>,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Whether a task is running that will send what waits.
    is_sending: bool,
    /// Bytes of the largest share in the last answer to a fetch. It is the best guess at how large the next ones are.
    fetched_share_bytes: usize,
}

/// An operation that waits, and where its reply goes.
struct Waiting {
    operation: Operation<Plain>,
    /// Counted from 1.
    attempt: u32,
    reply: oneshot::Sender<Result<Reply<Plain>, LinkError>>,
}

impl Outbox {
    pub(super) fn new(carrier: Rc<Carrier>) -> Self {
        Self {
            carrier,
            queue: RefCell::default(),
        }
    }

    /// Asks the hub once, together with whatever else waits.
    pub(super) async fn ask(
        self: &Rc<Self>,
        attempt: u32,
        operation: Operation<Plain>,
    ) -> Result<Reply<Plain>, LinkError> {
        let (reply, replied) = oneshot::channel();
        let is_sending = self.queue.borrow_mut().push(Waiting {
            operation,
            attempt,
            reply,
        });
        if !is_sending {
            tokio::task::spawn_local(Rc::clone(self).send_waiting());
        }
        replied.await.unwrap_or(Err(LinkError::Stopped))
    }

    async fn send_waiting(self: Rc<Self>) {
        while let Some(batch) = self.next_batch() {
            let mut carried = Box::pin(Rc::clone(&self).carry(batch));
            if timeout(OVERDUE, &mut carried).await.is_err() {
                reached(Mark::RequestOverdue);
                tokio::task::spawn_local(carried);
            }
        }
    }

    /// What leaves next. `None` if nothing waits: then no task is sending any more.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let up_left = self.carrier.psrd_left(PoolOwner::Client);
        let down_left = self.carrier.psrd_left(PoolOwner::Hub);
        let mut queue = self.queue.borrow_mut();
        let batch = queue.take(up_left, down_left);
        queue.is_sending = !batch.is_empty();
        if batch.len() > 1 {
            reached(Mark::Batched);
        }
        queue.is_sending.then_some(batch)
    }

    async fn carry(self: Rc<Self>, batch: Vec<Waiting>) {
        let attempts = batch.iter().map(|waiting| waiting.attempt);
        let attempt = attempts.max().unwrap_or(1);
        let (operations, callers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.operation, waiting.reply))
            .unzip();
        // Sending a reply fails if its caller has given up, which is no loss.
        match self.carrier.carry(attempt, operations, None).await {
            Ok(mut replies) => {
                if canary(Canary::BatchMixedUp) {
                    replies.rotate_left(1);
                }
                self.queue.borrow_mut().learn_size(&replies);
                for (caller, reply) in callers.into_iter().zip(replies) {
                    let _ = caller.send(Ok(reply));
                }
            }
            Err(error) => {
                for caller in callers {
                    let _ = caller.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Queue {
    /// Puts an operation behind the others. Returns whether a task is sending already; if not, the caller starts one.
    fn push(&mut self, waiting: Waiting) -> bool {
        self.waiting.push_back(waiting);
        std::mem::replace(&mut self.is_sending, true)
    }

    /// Takes from the front as many as go into one message. As far as can be told there is PSRD for all of them and for
    /// their answers, unless even the first one needs more.
    fn take(&mut self, up_left: usize, down_left: usize) -> Vec<Waiting> {
        let mut up_left = up_left.min(BATCH_BYTES_MAX);
        let mut down_left = down_left.min(BATCH_BYTES_MAX);
        let mut batch = Vec::new();
        while let Some(next) = self.waiting.front() {
            if next.reply.is_closed() {
                // Its caller has given up: no PSRD is spent on it.
                self.waiting.pop_front();
                continue;
            }
            let up = next.operation.share_bytes();
            let down = self.answer_bytes(&next.operation);
            let fits = batch.len() < OPERATIONS_PER_BATCH_MAX && up <= up_left && down <= down_left;
            if !fits && !batch.is_empty() {
                break;
            }
            up_left = up_left.saturating_sub(up);
            down_left = down_left.saturating_sub(down);
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    /// Bytes of the shares that the answer is expected to hold.
    fn answer_bytes(&self, operation: &Operation<Plain>) -> usize {
        match operation {
            Operation::Deposit(_) | Operation::Withdraw(_) => 0,
            Operation::Fetch(query) => query.key_ids.len() * self.fetched_share_bytes,
        }
    }

    fn learn_size(&mut self, replies: &[Reply<Plain>]) {
        let fetched = replies.iter().filter_map(|reply| match reply {
            Reply::Fetch(reply) => Some(&reply.keys),
            Reply::Deposit(_) | Reply::Refused(_) | Reply::Withdraw => None,
        });
        let sizes = fetched.flatten().filter_map(|key| match &key.answer {
            FetchAnswer::Found(found) => Some(found.share.0.len()),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        });
        self.fetched_share_bytes = sizes.max().unwrap_or(self.fetched_share_bytes);
    }
}
