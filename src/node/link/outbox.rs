//! What waits for the hub while a request is under way leaves together in the next one.
//!
//! Nobody waits for others to come: with no request under way an operation leaves at once, alone. The busier the link, the
//! more share a request, a MAC and an allocation of PSRD. A request that is lost does not hold the others up: once it
//! is overdue, the next one leaves beside it.

use std::cell::RefMut;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::{OpenError, PoolOwner, Sent, batch_cost, seal_batch};
use crate::protocol::limits::OPERATIONS_PER_BATCH_MAX;
use crate::protocol::message::{FetchAnswer, Plain};
use crate::protocol::{Request, Response};

use super::{Core, LinkError, Reservation, State};

/// From then on a request holds nobody up: longer than a hub nearby takes, and short beside a call.
const OVERDUE: Duration = Duration::from_millis(20);

/// Shares in one batch at most, in bytes, if there is more than one operation. Enough that what comes once a message no
/// longer counts; little enough that the next batch need not wait long.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// What waits for the hub.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Whether a task is at work that will send what waits.
    is_sending: bool,
    /// Bytes of the largest share that was fetched last: how large the answers will be, nobody knows better.
    fetched_share_bytes: usize,
}

/// An operation, and who has it.
struct Waiting {
    operation: Operation<Plain>,
    /// Counted from 1.
    attempt: u32,
    answer: oneshot::Sender<Result<Reply<Plain>, LinkError>>,
}

impl Core {
    /// Asks the hub once, together with whatever else waits.
    pub(super) async fn ask(
        self: &Rc<Self>,
        attempt: u32,
        operation: Operation<Plain>,
    ) -> Result<Reply<Plain>, LinkError> {
        let (answer, answered) = oneshot::channel();
        let is_sending = self.outbox.borrow_mut().push(Waiting {
            operation,
            attempt,
            answer,
        });
        if !is_sending {
            tokio::task::spawn_local(Rc::clone(self).send_waiting());
        }
        answered.await.unwrap_or_else(|_| Err(LinkError::stopped()))
    }

    /// Asks the hub once, with PSRD that has been set aside for it.
    pub(super) async fn ask_alone(
        self: &Rc<Self>,
        attempt: u32,
        operation: Operation<Plain>,
        reserved: Reservation,
    ) -> Result<Reply<Plain>, LinkError> {
        let replies = self.carry(attempt, vec![operation], Some(reserved)).await?;
        let reply = replies.into_iter().next();
        Ok(reply.expect("one reply to one operation, or an error"))
    }

    async fn send_waiting(self: Rc<Self>) {
        while let Some(batch) = self.next_batch() {
            let mut carried = Box::pin(Rc::clone(&self).carry_batch(batch));
            if timeout(OVERDUE, &mut carried).await.is_err() {
                reached(Mark::RequestOverdue);
                tokio::task::spawn_local(carried);
            }
        }
    }

    /// What leaves next, or `None`, and then nobody is sending any more.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut outbox = self.outbox.borrow_mut();
        let batch = outbox.take(&self.state.borrow());
        outbox.is_sending = !batch.is_empty();
        if batch.len() > 1 {
            reached(Mark::Batched);
        }
        outbox.is_sending.then_some(batch)
    }

    async fn carry_batch(self: Rc<Self>, batch: Vec<Waiting>) {
        let attempt = batch
            .iter()
            .map(|waiting| waiting.attempt)
            .max()
            .unwrap_or(1);
        let (operations, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.operation, waiting.answer))
            .unzip();
        let replies = self.carry(attempt, operations, None).await;
        // Whoever has given up does not listen any more.
        match replies {
            Ok(mut replies) => {
                if canary(Canary::BatchMixedUp) {
                    replies.rotate_left(1);
                }
                let mut outbox = self.outbox.borrow_mut();
                outbox.learn_size(&replies);
                for (answer, reply) in answers.into_iter().zip(replies) {
                    let _ = answer.send(Ok(reply));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Asks the hub, once, and reads as many replies as there are operations.
    async fn carry(
        self: &Rc<Self>,
        attempt: u32,
        operations: Vec<Operation<Plain>>,
        reserved: Option<Reservation>,
    ) -> Result<Vec<Reply<Plain>>, LinkError> {
        let cost = batch_cost(&operations);
        let is_good = |reserved: &Reservation| self.state.borrow().accepts(reserved, cost);
        let reserved = reserved.filter(is_good);
        let needed = if reserved.is_some() { 0 } else { cost };
        self.make_ready(needed, |state| state.is_ready_for(needed))
            .await?;
        // Getting ready may have replaced the registration, and with it what was reserved.
        let reserved = match reserved.filter(is_good) {
            None if needed == 0 => {
                reached(Mark::ReservationLost);
                None
            }
            reserved => reserved,
        };
        if self.provisioning.try_lock().is_err() {
            reached(Mark::RefillRace);
        }
        let count = operations.len();
        let (epoch, (request, sent)) = {
            let mut state = self.state.borrow_mut();
            let reservation = match reserved {
                Some(reservation) => reservation,
                None => state.reserve(cost)?,
            };
            let sealed = seal_batch(reservation.spent, &self.config.client, operations);
            (state.epoch, sealed)
        };
        let response = self.send(request).await?;
        let state = self.state.borrow_mut();
        let opened = self.open(state, epoch, attempt, &sent, count, &response);
        if self.state.borrow().is_low(self.config.low_water_bytes) {
            self.provision_in_background();
        }
        opened.map_err(LinkError::Response)
    }

    async fn send(&self, request: Request) -> Result<Response, LinkError> {
        let again = canary(Canary::RetrySameMessage).then(|| request.clone());
        let request_timeout = self.config.request_timeout;
        let mut response = timeout(request_timeout, self.transport.ask(request)).await;
        if let Some(request) = again.filter(|_| !matches!(response, Ok(Ok(_)))) {
            response = timeout(request_timeout, self.transport.ask(request)).await;
        }
        response
            .map_err(|_| LinkError::Timeout(request_timeout))?
            .map_err(|e| LinkError::Unreachable(e.to_string()))
    }

    fn open(
        &self,
        mut state: RefMut<'_, State>,
        epoch: u64,
        attempt: u32,
        sent: &Sent,
        operations: usize,
        response: &Response,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let opened = state.end.open_batch_reply(sent, operations, response);
        if let Err(error) = &opened {
            state.counters.unverified += u64::from(!matches!(
                error,
                OpenError::Refused(_) | OpenError::AuthenticMalformed(_)
            ));
            if state.epoch == epoch {
                state.learn_from_error(error, attempt);
            } else {
                reached(Mark::StaleAnswer);
            }
        }
        opened
    }
}

impl Outbox {
    /// Puts an operation behind the others. Whether somebody sends already; if not, the caller has to.
    fn push(&mut self, waiting: Waiting) -> bool {
        self.waiting.push_back(waiting);
        std::mem::replace(&mut self.is_sending, true)
    }

    /// The first that wait, as many as go into one message: as far as can be told there is PSRD for all of them, and
    /// for their answers, unless even the first one needs more.
    fn take(&mut self, state: &State) -> Vec<Waiting> {
        let mut up_left = state.end.left(PoolOwner::Client).min(BATCH_BYTES_MAX);
        let mut down_left = state.end.left(PoolOwner::Hub).min(BATCH_BYTES_MAX);
        let mut batch = Vec::new();
        while let Some(next) = self.waiting.front() {
            if next.answer.is_closed() {
                // Given up: nothing is spent on it.
                self.waiting.pop_front();
                continue;
            }
            let (up, down) = (
                next.operation.share_bytes(),
                self.answer_bytes(&next.operation),
            );
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

    /// Bytes of the shares that will be in the answer, as far as can be told.
    fn answer_bytes(&self, operation: &Operation<Plain>) -> usize {
        match operation {
            Operation::Deposit(_) => 0,
            Operation::Fetch(query) => query.key_ids.len() * self.fetched_share_bytes,
        }
    }

    fn learn_size(&mut self, replies: &[Reply<Plain>]) {
        let fetched = replies.iter().filter_map(|reply| match reply {
            Reply::Fetch(reply) => Some(&reply.keys),
            Reply::Deposit(_) | Reply::Refused(_) => None,
        });
        let sizes = fetched.flatten().filter_map(|key| match &key.answer {
            FetchAnswer::Found(found) => Some(found.share.0.len()),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        });
        self.fetched_share_bytes = sizes.max().unwrap_or(self.fetched_share_bytes);
    }
}
