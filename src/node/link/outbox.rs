//! Operations that wait while a request is in flight leave together, as one batch, in the next request.
//!
//! No operation waits on purpose: if no request is in flight, it leaves at once, alone. The busier the link, the more
//! operations share a request, a MAC and an allocation of PSRD. A request that is lost does not hold the others up: once
//! it is overdue, the next one leaves beside it.
//!
//! What waits longest leaves first. Something leaves each time, so that nothing waits for more requests than there are operations
//! before it.
//!
//! What waits here costs nothing but its place. It is sealed at the moment when it leaves, and it does not leave any more
//! once its caller has gone. What has no PSRD waits for that first, and holds nothing else up. As long as the hub does not
//! answer, all that wait share the attempts to reach it: now and then one request with one operation in it. One that fails
//! has failed for all who were waiting when it left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::crypto::mac::MAC_KEY_BYTES;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::PoolOwner;
use crate::protocol::limits::{BODY_BYTES_MAX, OPERATIONS_PER_BATCH_MAX};
use crate::protocol::message::{FetchAnswer, Plain};

use super::super::workload::InFlight;
use super::carrier::Carrier;
use super::error::LinkError;
use super::supply::Reservation;
use super::window::{UnderWay, Window};

/// After this time a request holds the next one up no longer: longer than a hub nearby takes, and short beside a call.
const OVERDUE: Duration = Duration::from_millis(20);

/// Bytes of the shares in a batch of more than one operation, at most. Enough that what a message costs, however short
/// it is, no longer counts; little enough that the next batch need not wait long.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(
    2 * BATCH_BYTES_MAX <= BODY_BYTES_MAX,
    "the shares of a batch, or of its answer, fit into a body, with as much again for what goes with them"
);

/// An operation that counts as in flight until nobody holds it any more: no exchange, no place in the outbox, no request.
pub(super) struct Load {
    pub(super) operation: Operation<Plain>,
    pub(super) _in_flight: InFlight,
}

/// What waits for the hub, and leaves together.
pub(super) struct Outbox {
    carrier: Rc<Carrier>,
    window: Rc<Window>,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    /// How many have come since the start.
    number: u64,
    /// Whether a task is running that will send what waits.
    is_sending: bool,
    /// Bytes of the largest share in the last answer to a fetch. It is the best guess at how large the next ones are.
    fetched_share_bytes: usize,
}

/// An operation that waits, and where its reply goes.
struct Waiting {
    load: Rc<Load>,
    /// PSRD that was set aside for this operation alone: it leaves in a request of its own.
    reserved: Option<Reservation>,
    /// Counted from 1.
    attempt: u32,
    left: oneshot::Sender<Left>,
}

/// How an operation has left the outbox.
enum Left {
    Sent(Result<Reply<Plain>, LinkError>),
    /// Others have used up the PSRD. What is set aside for it alone it gets back.
    Unready(Option<Reservation>),
}

/// A caller's place in the outbox. Whoever goes away gives it up.
struct Place<'a> {
    queue: &'a RefCell<Queue>,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.borrow_mut().waiting.remove(&self.number);
    }
}

impl Outbox {
    pub(super) fn new(carrier: Rc<Carrier>) -> Self {
        Self {
            carrier,
            window: Rc::default(),
            queue: RefCell::default(),
        }
    }

    /// Asks the hub once, together with whatever else waits.
    pub(super) async fn ask(
        self: &Rc<Self>,
        attempt: u32,
        load: &Rc<Load>,
        mut reserved: Option<Reservation>,
    ) -> Result<Reply<Plain>, LinkError> {
        loop {
            let operation = &load.operation;
            let cost = self.carrier.fresh_cost(operation, reserved.as_ref());
            self.carrier.make_ready(cost).await?;
            match self.wait(attempt, load, reserved).await {
                Left::Sent(reply) => return reply,
                Left::Unready(returned) => reserved = returned,
            }
        }
    }

    async fn wait(
        self: &Rc<Self>,
        attempt: u32,
        load: &Rc<Load>,
        reserved: Option<Reservation>,
    ) -> Left {
        let (left, has_left) = oneshot::channel();
        let (number, is_sending) = self.queue.borrow_mut().push(Waiting {
            load: Rc::clone(load),
            reserved,
            attempt,
            left,
        });
        let _place = Place {
            queue: &self.queue,
            number,
        };
        if !is_sending {
            tokio::task::spawn_local(Rc::clone(self).send_waiting());
        }
        let stopped = Left::Sent(Err(LinkError::Stopped));
        has_left.await.unwrap_or(stopped)
    }

    async fn send_waiting(self: Rc<Self>) {
        loop {
            self.window.has_room().await;
            let batch = self.next_batch();
            let Some(first) = batch.first() else { return };
            let is_paced = first.reserved.is_none();
            let under_way = self.window.enter();
            let mut carried = Box::pin(Rc::clone(&self).carry(batch, under_way));
            if !is_paced {
                tokio::task::spawn_local(carried);
            } else if timeout(OVERDUE, &mut carried).await.is_err() {
                reached(Mark::RequestOverdue);
                tokio::task::spawn_local(carried);
            }
        }
    }

    /// What leaves next. Nothing if nothing waits: then no task is sending any more.
    fn next_batch(&self) -> Vec<Waiting> {
        let most = if self.window.is_silent() {
            1
        } else {
            OPERATIONS_PER_BATCH_MAX
        };
        let mut queue = self.queue.borrow_mut();
        queue.send_unready_back(&self.carrier);
        let up_left = self.carrier.psrd_left(PoolOwner::Client);
        let up_left = up_left.saturating_sub(MAC_KEY_BYTES);
        let down_left = self.carrier.psrd_left(PoolOwner::Hub);
        let batch = queue.take(most, up_left, down_left);
        queue.is_sending = !batch.is_empty();
        if batch.len() > 1 {
            reached(Mark::Batched);
        }
        batch
    }

    async fn carry(self: Rc<Self>, mut batch: Vec<Waiting>, under_way: UnderWay) {
        let attempts = batch.iter().map(|waiting| waiting.attempt);
        let attempt = attempts.max().unwrap_or(1);
        let last_waiting = self.queue.borrow().number;
        let reserved = batch.iter_mut().find_map(|waiting| waiting.reserved.take());
        let operations = batch.iter().map(|waiting| waiting.load.operation.clone());
        let carried = self.carrier.carry(attempt, operations.collect(), reserved);
        // Sending a reply fails if its caller has given up, which is no loss.
        match carried.await {
            Ok(mut replies) => {
                under_way.answered();
                if canary(Canary::BatchMixedUp) {
                    replies.rotate_left(1);
                }
                self.queue.borrow_mut().learn_size(&replies);
                for (waiting, reply) in batch.into_iter().zip(replies) {
                    let _ = waiting.left.send(Left::Sent(Ok(reply)));
                }
            }
            Err(error) => {
                if under_way.failed(&error) {
                    self.fail_all(last_waiting, &error);
                }
                for waiting in batch {
                    let _ = waiting.left.send(Left::Sent(Err(error.clone())));
                }
            }
        }
    }

    /// An attempt has failed that all have shared who have waited since it left, up to the last of them.
    fn fail_all(&self, last: u64, error: &LinkError) {
        let mut queue = self.queue.borrow_mut();
        let later = queue.waiting.split_off(&(last + 1));
        let failed = std::mem::replace(&mut queue.waiting, later);
        drop(queue);
        for waiting in failed.into_values() {
            let _ = waiting.left.send(Left::Sent(Err(error.clone())));
        }
    }
}

impl Queue {
    /// Puts an operation behind the others. Returns its number, and whether a task is sending already; if not, the caller
    /// starts one.
    fn push(&mut self, waiting: Waiting) -> (u64, bool) {
        self.number += 1;
        self.waiting.insert(self.number, waiting);
        let is_sending = std::mem::replace(&mut self.is_sending, true);
        (self.number, is_sending)
    }

    /// What waits longest.
    fn first(&mut self) -> Option<OccupiedEntry<'_, u64, Waiting>> {
        match canary(Canary::LastComesFirst) {
            true => self.waiting.last_entry(),
            false => self.waiting.first_entry(),
        }
    }

    /// Makes way for the first operation for which there is PSRD.
    fn send_unready_back(&mut self, carrier: &Carrier) {
        while let Some(first) = self.first() {
            let Waiting { load, reserved, .. } = first.get();
            let cost = carrier.fresh_cost(&load.operation, reserved.as_ref());
            if carrier.is_ready(cost) {
                return;
            }
            let Waiting { left, reserved, .. } = first.remove();
            let _ = left.send(Left::Unready(reserved));
        }
    }

    /// Takes from the front as many as go into one message. As far as can be told there is PSRD for all of them and for
    /// their answers, unless even the first one needs more.
    fn take(&mut self, most: usize, up_left: usize, down_left: usize) -> Vec<Waiting> {
        let mut up_left = up_left.min(BATCH_BYTES_MAX);
        let mut down_left = down_left.min(BATCH_BYTES_MAX);
        let mut batch = Vec::new();
        let mut is_alone = false;
        let share_bytes = self.fetched_share_bytes;
        while let Some(next) = self.first() {
            let Waiting { load, reserved, .. } = next.get();
            is_alone |= reserved.is_some();
            let up = load.operation.share_bytes();
            let down = answer_bytes(&load.operation, share_bytes);
            let fits = batch.len() < most && up <= up_left && down <= down_left && !is_alone;
            if !fits && !batch.is_empty() {
                break;
            }
            up_left = up_left.saturating_sub(up);
            down_left = down_left.saturating_sub(down);
            batch.push(next.remove());
        }
        batch
    }

    fn learn_size(&mut self, replies: &[Reply<Plain>]) {
        let fetched = replies.iter().filter_map(|reply| match reply {
            Reply::Fetch(reply) => Some(&reply.keys),
            Reply::Deposit(_) | Reply::Withdraw | Reply::Refused(_) => None,
        });
        let sizes = fetched.flatten().filter_map(|key| match &key.answer {
            FetchAnswer::Found(found) => Some(found.share.0.len()),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        });
        self.fetched_share_bytes = sizes.max().unwrap_or(self.fetched_share_bytes);
    }
}

/// Bytes of the shares that the answer is expected to hold.
fn answer_bytes(operation: &Operation<Plain>, share_bytes: usize) -> usize {
    match operation {
        Operation::Deposit(_) | Operation::Withdraw(_) => 0,
        Operation::Fetch(query) => query.key_ids.len() * share_bytes,
    }
}

#[cfg(test)]
mod tests;
