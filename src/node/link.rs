//! A client's link to one hub: registers, keeps the pools filled, and carries exchanges through.
//!
//! An exchange that fails is tried again with fresh PSRD until its deadline, so that no byte is used twice even
//! when nobody knows whether the first message arrived. Whatever a response shows of a hub that has forgotten the
//! client (a restart, a lost delivery) ends in a new registration with new PSRD. Between exchanges the link looks
//! after itself: it registers and refills when it has to, also where nobody asks for keys.
//!
//! | module | what it holds |
//! |---|---|
//! | `batch` | what waits while a request is under way, and leaves together in the next one |
//! | `provisioning` | registration and refill |

mod batch;
mod provisioning;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::harness::{Canary, canary};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::{ClientEnd, OpenError, PoolOwner};
use crate::protocol::limits::ATTEMPTS_MAX;
use crate::protocol::message::{DepositBody, DepositReply, FetchQuery, FetchReply, Plain};
use crate::protocol::{NodeName, Refusal};
use crate::psrd::{PoolError, Spent};

use super::transport::Transport;
use super::workload::{Full, Workload, WorkloadMax};
use batch::Outbox;

/// Exchanges with a hub at most. They belong to calls of SAEs, which are bounded as well; but to a hub that does not
/// answer, shares keep going out in the background. What comes then is not sent to that hub.
const WORKLOAD_MAX: WorkloadMax = WorkloadMax {
    tasks: 8192,
    bytes: 64 * 1024 * 1024,
};

/// What a link is told when it is built.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The client that it belongs to.
    pub client: NodeName,
    /// The hub at its other end.
    pub hub: NodeName,
    /// Bytes of a block of PSRD.
    pub block_bytes: usize,
    /// A pool with less than this is refilled.
    pub low_water_bytes: usize,
    /// How long to wait for one response.
    pub request_timeout: Duration,
    /// How long to wait before the second attempt; doubled for each further one.
    pub retry_delay: Duration,
}

/// Why an exchange with a hub failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The hub could not be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No response within the time for one request.
    #[error("no response within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No PSRD is left, and no more can be had.
    #[error("no PSRD left: {0}")]
    NoPsrd(String),
    /// The response was not accepted.
    #[error("{0}")]
    Response(OpenError),
    /// More is under way than there may be.
    #[error("too much is waiting for its answers")]
    Busy,
    /// The deadline came before an attempt succeeded.
    #[error("gave up at the deadline{}", .0.as_ref().map(|e| format!("; last attempt: {e}")).unwrap_or_default())]
    Deadline(Option<Box<LinkError>>),
}

impl LinkError {
    /// The link itself is gone.
    pub(super) fn stopped() -> Self {
        Self::Unreachable("the link has stopped".to_owned())
    }

    /// Whether trying again is pointless: the hub has answered, and it was the hub.
    fn is_final(&self) -> bool {
        match self {
            Self::Response(OpenError::Refused(refusal)) => !refusal.is_passing(),
            Self::Response(OpenError::AuthenticMalformed(_)) => true,
            _ => false,
        }
    }
}

/// What a link tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Whether the hub knows the client, as far as the client can know.
    pub registered: bool,
    /// PSRD bytes left for requests.
    pub up_bytes_left: usize,
    /// PSRD bytes left for responses.
    pub down_bytes_left: usize,
    /// Registrations since the start.
    pub registrations: u64,
    /// Blocks delivered since the start.
    pub refills: u64,
    /// Attempts beyond the first since the start.
    pub retries: u64,
    /// Responses that could not be verified since the start.
    pub unverified: u64,
    /// Attempts that found no PSRD to spend, since the start.
    pub psrd_exhausted: u64,
}

/// PSRD for one message to the hub, set aside. There is no way to give it back: dropped, it is lost and wiped.
#[derive(Debug)]
pub struct Reservation {
    /// The registration under which it was delivered.
    registration: Uuid,
    spent: Spent,
}

impl Reservation {
    /// The PSRD.
    #[must_use]
    pub fn spent(&self) -> &Spent {
        &self.spent
    }
}

/// Set PSRD for a message aside. Where there is enough in the pool, the hub need not be in reach.
#[derive(Message)]
#[rtype(result = "Result<Reservation, LinkError>")]
pub struct Reserve {
    /// Bytes that the message will spend.
    pub bytes: usize,
    /// When to give up.
    pub deadline: Instant,
}

/// Deposit shares at the hub.
#[derive(Message)]
#[rtype(result = "Result<DepositReply, LinkError>")]
pub struct Deposit {
    /// What to deposit.
    pub deposit: DepositBody<Plain>,
    /// PSRD for the first attempt, if it has been set aside.
    pub reserved: Option<Reservation>,
    /// When to give up.
    pub deadline: Instant,
}

/// Fetch shares from the hub.
#[derive(Message)]
#[rtype(result = "Result<FetchReply<Plain>, LinkError>")]
pub struct Fetch {
    /// What to fetch.
    pub query: FetchQuery,
    /// When to give up.
    pub deadline: Instant,
}

/// What does the link say of itself?
#[derive(Message)]
#[rtype(result = "LinkStatus")]
pub struct GetLinkStatus;

/// The link's actor.
pub struct Link {
    core: Rc<Core>,
}

impl Link {
    /// An actor that is ready to be started.
    #[must_use]
    pub fn new(config: LinkConfig, transport: Rc<dyn Transport>) -> Self {
        Self {
            core: Rc::new(Core {
                config,
                transport,
                state: RefCell::default(),
                outbox: RefCell::default(),
                workload: Workload::new(WORKLOAD_MAX),
                provisioning: tokio::sync::Mutex::new(()),
            }),
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    /// Gets PSRD at once, so that the first key does not have to wait for it, and looks after it from then on.
    fn started(&mut self, _: &mut Self::Context) {
        tokio::task::spawn_local(provisioning::upkeep(Rc::downgrade(&self.core)));
    }
}

impl Handler<Reserve> for Link {
    type Result = ResponseFuture<Result<Reservation, LinkError>>;

    fn handle(&mut self, message: Reserve, _: &mut Self::Context) -> Self::Result {
        let core = Rc::clone(&self.core);
        Box::pin(async move { core.reserve(message.deadline, message.bytes).await })
    }
}

impl Handler<Deposit> for Link {
    type Result = ResponseFuture<Result<DepositReply, LinkError>>;

    fn handle(&mut self, message: Deposit, _: &mut Self::Context) -> Self::Result {
        let core = Rc::clone(&self.core);
        Box::pin(async move {
            let Deposit {
                deposit,
                reserved,
                deadline,
            } = message;
            let operation = Operation::Deposit(deposit);
            match core.exchange(deadline, reserved, operation).await? {
                Reply::Deposit(reply) => Ok(reply),
                other => Err(answers_otherwise(other)),
            }
        })
    }
}

impl Handler<Fetch> for Link {
    type Result = ResponseFuture<Result<FetchReply<Plain>, LinkError>>;

    fn handle(&mut self, message: Fetch, _: &mut Self::Context) -> Self::Result {
        let core = Rc::clone(&self.core);
        Box::pin(async move {
            let Fetch { query, deadline } = message;
            match core
                .exchange(deadline, None, Operation::Fetch(query))
                .await?
            {
                Reply::Fetch(reply) => Ok(reply),
                other => Err(answers_otherwise(other)),
            }
        })
    }
}

/// A reply that does not go with its operation.
fn answers_otherwise(reply: Reply<Plain>) -> LinkError {
    LinkError::Response(match reply {
        Reply::Refused(refusal) => OpenError::Refused(refusal),
        Reply::Deposit(_) | Reply::Fetch(_) => {
            OpenError::AuthenticMalformed("it answers another question than was asked".to_owned())
        }
    })
}

impl Handler<GetLinkStatus> for Link {
    type Result = MessageResult<GetLinkStatus>;

    fn handle(&mut self, _: GetLinkStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.core.status())
    }
}

struct Core {
    config: LinkConfig,
    transport: Rc<dyn Transport>,
    state: RefCell<State>,
    outbox: RefCell<Outbox>,
    workload: Rc<Workload>,
    /// Held while registering or refilling: one at a time.
    provisioning: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    end: ClientEnd,
    registration: Option<Uuid>,
    /// So many blocks are to be brought for the hub, since it said that it has too little left to answer with.
    blocks_wanted: u32,
    /// Counts registrations, so that what belongs to an earlier one does no harm to the present one.
    epoch: u64,
    counters: LinkStatus,
}

impl Core {
    /// Sets PSRD aside, which is provisioned first if it has to be.
    async fn reserve(
        self: &Rc<Self>,
        deadline: Instant,
        bytes: usize,
    ) -> Result<Reservation, LinkError> {
        self.persist(deadline, async |_| {
            self.make_ready(bytes, |state| state.holds(bytes)).await?;
            self.state.borrow_mut().reserve(bytes)
        })
        .await
    }

    /// Asks until there is an answer. The first attempt spends what is reserved for it, each further one fresh PSRD.
    async fn exchange(
        self: &Rc<Self>,
        deadline: Instant,
        mut reserved: Option<Reservation>,
        operation: Operation<Plain>,
    ) -> Result<Reply<Plain>, LinkError> {
        let task = self.workload.take(operation.share_bytes());
        let _task = task.map_err(|Full| LinkError::Busy)?;
        self.persist(deadline, async |number| {
            let reply = match reserved.take() {
                // Pads are set aside for this operation alone.
                Some(reserved) => self.ask_alone(number, operation.clone(), reserved).await?,
                None => self.ask(number, operation.clone()).await?,
            };
            match reply {
                Reply::Refused(refusal) => {
                    self.state.borrow_mut().learn_from(&refusal, number);
                    Err(LinkError::Response(OpenError::Refused(refusal)))
                }
                reply => Ok(reply),
            }
        })
        .await
    }

    /// Tries, and tries again with doubled pauses. Attempts are numbered from 1.
    async fn persist<T>(
        &self,
        deadline: Instant,
        mut attempt: impl AsyncFnMut(u32) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        let mut last = None;
        let mut delay = self.config.retry_delay;
        for number in 1..=ATTEMPTS_MAX {
            if number > 1 {
                self.state.borrow_mut().counters.retries += 1;
                let pause = tokio::time::sleep(delay);
                if timeout_at(deadline, pause).await.is_err() {
                    return Err(LinkError::Deadline(last.map(Box::new)));
                }
                delay *= 2;
            }
            match timeout_at(deadline, attempt(number)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) if error.is_final() => return Err(error),
                Ok(Err(error)) => last = Some(error),
                Err(_) => return Err(LinkError::Deadline(last.map(Box::new))),
            }
        }
        Err(last.unwrap_or(LinkError::Deadline(None)))
    }

    fn status(&self) -> LinkStatus {
        let state = self.state.borrow();
        LinkStatus {
            registered: state.registration.is_some(),
            up_bytes_left: state.end.left(PoolOwner::Client),
            down_bytes_left: state.end.left(PoolOwner::Hub),
            ..state.counters.clone()
        }
    }
}

impl State {
    /// Whether a message of this cost can be sent, and answered.
    fn is_ready_for(&self, cost: usize) -> bool {
        self.holds(cost) && self.blocks_wanted == 0
    }

    /// Whether there is PSRD for a message of this cost.
    fn holds(&self, cost: usize) -> bool {
        self.registration.is_some() && self.end.left(PoolOwner::Client) >= cost
    }

    fn reserve(&mut self, bytes: usize) -> Result<Reservation, LinkError> {
        let no_psrd = |reason: String| LinkError::NoPsrd(reason);
        let registration = self.registration;
        let registration = registration.ok_or_else(|| no_psrd("not registered".to_owned()))?;
        let spent = self.end.spend(bytes);
        let spent = spent.map_err(|e| no_psrd(e.to_string()))?;
        Ok(Reservation {
            registration,
            spent,
        })
    }

    /// Whether what is reserved goes with a message of this cost, and the hub still has it too.
    fn accepts(&self, reserved: &Reservation, cost: usize) -> bool {
        self.registration == Some(reserved.registration) && reserved.spent.size() == cost
    }

    fn needs_provisioning(&self, low_water_bytes: usize) -> bool {
        self.registration.is_none() || self.blocks_wanted > 0 || self.is_low(low_water_bytes)
    }

    fn is_low(&self, low_water_bytes: usize) -> bool {
        self.end.left(PoolOwner::Client) < low_water_bytes
            || self.end.left(PoolOwner::Hub) < low_water_bytes
    }

    /// Draws conclusions from a response that was not accepted. Hints may be forged: the worst that they can cause is a
    /// new registration, at most one an attempt, and a full pool.
    fn learn_from_error(&mut self, error: &OpenError, attempt: u32) {
        if canary(Canary::NoNewRegistration) {
            return;
        }
        match error {
            OpenError::Hint(Refusal::Unregistered { .. } | Refusal::UnknownPsrd { .. })
            | OpenError::Allocation(PoolError::UnknownBlock { .. }) => self.registration = None,
            OpenError::Hint(refusal) => self.learn_from(refusal, attempt),
            _ => {}
        }
    }

    /// More each time: other exchanges may spend what was brought for this one. Before its last attempt it brings as
    /// many as it may need alone, and so does every other, so that there is enough for all.
    fn learn_from(&mut self, refusal: &Refusal, attempt: u32) {
        if *refusal == Refusal::PsrdExhausted {
            self.blocks_wanted += attempt;
        }
    }
}
