//! A client's link to one hub: registers, keeps the pools filled, and carries exchanges through.
//!
//! An exchange that fails is tried again with fresh PSRD until its deadline, so that no byte is used twice even
//! when nobody knows whether the first message arrived. Whatever a response shows of a hub that has forgotten the
//! client (a restart, a lost delivery) ends in a new registration with new PSRD. Between exchanges the link looks
//! after itself: it registers and refills when it has to, also where nobody asks for keys.

use std::cell::RefCell;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::channel::{ClientEnd, OpenError, PoolOwner, Sent, seal_deposit, seal_fetch};
use crate::protocol::hub::{OobError, PsrdRequest, RegistrationRequest};
use crate::protocol::limits::{ATTEMPTS_MAX, BLOCKS_MAX};
use crate::protocol::message::{DepositBody, DepositReply, FetchQuery, FetchReply, Plain};
use crate::protocol::{NodeName, Refusal, Request, Response};
use crate::psrd::{PoolError, Spent};

use super::transport::Transport;

/// How often a link looks after itself. Often enough that a hub which starts after its clients serves them within a
/// second or two; seldom enough to cost nothing beside a single exchange.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause between two vain attempts to reach a hub, to which [`UPKEEP_INTERVAL`] is doubled: a hub that is
/// away for long is not bothered more often, and is back in use this soon.
const UPKEEP_PAUSE_MAX: Duration = Duration::from_secs(8);

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
    /// The deadline came before an attempt succeeded.
    #[error("gave up at the deadline{}", .0.as_ref().map(|e| format!("; last attempt: {e}")).unwrap_or_default())]
    Deadline(Option<Box<LinkError>>),
}

impl LinkError {
    /// Whether trying again is pointless: the hub has answered, and it was the hub.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Response(OpenError::Refused(_) | OpenError::AuthenticMalformed(_))
        )
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
                provisioning: tokio::sync::Mutex::new(()),
            }),
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    /// Gets PSRD at once, so that the first key does not have to wait for it, and looks after it from then on.
    fn started(&mut self, _: &mut Self::Context) {
        tokio::task::spawn_local(upkeep(Rc::downgrade(&self.core)));
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
            let exchange = Exchange {
                cost: ClientEnd::deposit_cost(&deposit),
                seal: |spent| seal_deposit(spent, &deposit),
                open: ClientEnd::open_deposit_reply,
            };
            core.exchange(deadline, reserved, exchange).await
        })
    }
}

impl Handler<Fetch> for Link {
    type Result = ResponseFuture<Result<FetchReply<Plain>, LinkError>>;

    fn handle(&mut self, message: Fetch, _: &mut Self::Context) -> Self::Result {
        let core = Rc::clone(&self.core);
        Box::pin(async move {
            let Fetch { query, deadline } = message;
            let exchange = Exchange {
                cost: ClientEnd::FETCH_COST,
                seal: |spent| seal_fetch(spent, &query),
                open: ClientEnd::open_fetch_reply,
            };
            core.exchange(deadline, None, exchange).await
        })
    }
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

/// A question to the hub: what it spends, how it is asked, and how the answer is read.
struct Exchange<S, O> {
    cost: usize,
    seal: S,
    open: O,
}

/// Keeps a link registered and its pools filled, for as long as there is a link: without this, a hub that starts after
/// its clients would have to wait for a call. What an exchange needs at once it gets by itself.
async fn upkeep(link: Weak<Core>) {
    let mut in_vain = UPKEEP_INTERVAL;
    while let Some(core) = link.upgrade() {
        let mut pause = UPKEEP_INTERVAL;
        match core.provision_if_needed().await {
            Err(LinkError::Unreachable(_) | LinkError::Timeout(_)) => {
                pause = in_vain;
                in_vain = (in_vain * 2).min(UPKEEP_PAUSE_MAX);
            }
            // Also a hub that refuses is there: one that has restarted is to be registered with as soon as possible.
            Ok(()) | Err(_) => in_vain = UPKEEP_INTERVAL,
        }
        // The link may be gone by the next time.
        drop(core);
        tokio::time::sleep(pause).await;
    }
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
    async fn exchange<T>(
        self: &Rc<Self>,
        deadline: Instant,
        mut reserved: Option<Reservation>,
        exchange: Exchange<
            impl Fn(Spent) -> (Request, Sent),
            impl Fn(&mut ClientEnd, &Sent, &Response) -> Result<T, OpenError>,
        >,
    ) -> Result<T, LinkError> {
        self.persist(deadline, async |number| {
            self.attempt(number, reserved.take(), &exchange).await
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

    /// Provisions unless that is not necessary. `needed` are the bytes that have to be in the client's pool.
    async fn make_ready(
        self: &Rc<Self>,
        needed: usize,
        is_ready: impl Fn(&State) -> bool,
    ) -> Result<(), LinkError> {
        if is_ready(&self.state.borrow()) {
            return Ok(());
        }
        // Before the first registration there is no pool that could be exhausted.
        let registered = self.state.borrow().registration.is_some();
        self.state.borrow_mut().counters.psrd_exhausted += u64::from(registered);
        let provisioned = self.provision(needed).await;
        if !registered && self.state.borrow().counters.registrations > 1 {
            reached(Mark::RegisteredAgain);
        }
        // One pool may have been refilled before the other failed, and that may do.
        if is_ready(&self.state.borrow()) {
            return Ok(());
        }
        provisioned
    }

    async fn attempt<T>(
        self: &Rc<Self>,
        number: u32,
        reserved: Option<Reservation>,
        exchange: &Exchange<
            impl Fn(Spent) -> (Request, Sent),
            impl Fn(&mut ClientEnd, &Sent, &Response) -> Result<T, OpenError>,
        >,
    ) -> Result<T, LinkError> {
        let Exchange { cost, seal, open } = exchange;
        let is_good = |reserved: &Reservation| self.state.borrow().accepts(reserved, *cost);
        let reserved = reserved.filter(is_good);
        let needed = if reserved.is_some() { 0 } else { *cost };
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
        let (epoch, (request, sent)) = {
            let mut state = self.state.borrow_mut();
            let reservation = match reserved {
                Some(reservation) => reservation,
                None => state.reserve(*cost)?,
            };
            (state.epoch, seal(reservation.spent))
        };
        let again = canary(Canary::RetrySameMessage).then(|| request.clone());
        let request_timeout = self.config.request_timeout;
        let mut response = timeout(request_timeout, self.transport.ask(request)).await;
        if let Some(request) = again.filter(|_| !matches!(response, Ok(Ok(_)))) {
            response = timeout(request_timeout, self.transport.ask(request)).await;
        }
        let response = response
            .map_err(|_| LinkError::Timeout(request_timeout))?
            .map_err(|e| LinkError::Unreachable(e.to_string()))?;
        let mut state = self.state.borrow_mut();
        let opened = open(&mut state.end, &sent, &response);
        if let Err(error) = &opened {
            state.counters.unverified += u64::from(!matches!(
                error,
                OpenError::Refused(_) | OpenError::AuthenticMalformed(_)
            ));
            if state.epoch == epoch {
                state.learn_from(error, number);
            } else {
                reached(Mark::StaleAnswer);
            }
        }
        let low = state.is_low(self.config.low_water_bytes);
        drop(state);
        if low {
            self.provision_in_background();
        }
        opened.map_err(LinkError::Response)
    }

    fn provision_in_background(self: &Rc<Self>) {
        if self.provisioning.try_lock().is_ok() {
            drop(self.spawn_provisioning(0));
        }
    }

    /// Provisions unless there is no need, or it is being done.
    async fn provision_if_needed(self: &Rc<Self>) -> Result<(), LinkError> {
        let needed = self
            .state
            .borrow()
            .needs_provisioning(self.config.low_water_bytes);
        if needed && self.provisioning.try_lock().is_ok() {
            return self.provision(0).await;
        }
        Ok(())
    }

    async fn provision(self: &Rc<Self>, cost: usize) -> Result<(), LinkError> {
        // In a task of its own: the caller may give up at its deadline, but a delivery must not be left half done.
        self.spawn_provisioning(cost)
            .await
            .map_err(|e| LinkError::NoPsrd(e.to_string()))?
            .map_err(|e| match e {
                Provisioning::Refused(e) => LinkError::NoPsrd(e.to_string()),
                Provisioning::Failed(e) => e,
            })
    }

    fn spawn_provisioning(
        self: &Rc<Self>,
        cost: usize,
    ) -> impl Future<Output = Result<Result<(), Provisioning>, tokio::task::JoinError>> + use<>
    {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _one_at_a_time = core.provisioning.lock().await;
            core.register_if_needed().await?;
            core.refill(PoolOwner::Client, cost).await?;
            core.refill(PoolOwner::Hub, 0).await
        })
    }

    async fn register_if_needed(&self) -> Result<(), Provisioning> {
        if self.state.borrow().registration.is_some() {
            return Ok(());
        }
        let request = RegistrationRequest {
            client: self.config.client.clone(),
        };
        let registration = self.out_of_band(self.transport.register(request)).await?;
        let mut state = self.state.borrow_mut();
        state.end = ClientEnd::default();
        state.registration = Some(registration.registration);
        state.blocks_wanted = 0;
        state.epoch += 1;
        state.counters.registrations += 1;
        Ok(())
    }

    /// Fetches blocks until a pool is above its low-water mark and holds `cost` bytes, and as many as the hub lacks.
    async fn refill(&self, owner: PoolOwner, cost: usize) -> Result<(), Provisioning> {
        loop {
            let (left, wanted, registration) = {
                let mut state = self.state.borrow_mut();
                let left = state.end.left(owner);
                if owner == PoolOwner::Hub && left > self.config.block_bytes * (BLOCKS_MAX - 2) {
                    // One more may not fit. So nearly full a pool has enough for any answer.
                    state.blocks_wanted = 0;
                }
                let wanted = owner == PoolOwner::Hub && state.blocks_wanted > 0;
                (left, wanted, state.registration)
            };
            if left >= self.config.low_water_bytes && left >= cost && !wanted {
                return Ok(());
            }
            if canary(Canary::RefillForgotten) && self.state.borrow().counters.refills >= 2 {
                return Ok(());
            }
            let Some(registration) = registration else {
                return Ok(());
            };
            let request = PsrdRequest {
                client: self.config.client.clone(),
                registration,
                owner,
                size: self.config.block_bytes,
            };
            let delivered = self.out_of_band(self.transport.deliver_psrd(request)).await;
            let mut state = self.state.borrow_mut();
            match delivered {
                Ok(block) => {
                    state
                        .end
                        .add(owner, block)
                        .map_err(|e| Provisioning::Failed(LinkError::NoPsrd(e.to_string())))?;
                    state.counters.refills += 1;
                    if owner == PoolOwner::Hub {
                        state.blocks_wanted = state.blocks_wanted.saturating_sub(1);
                    }
                }
                Err(error) => {
                    if let Provisioning::Refused(OobError::StaleRegistration) = &error {
                        reached(Mark::RefillStale);
                    }
                    // A lost block of the hub's own pool would be spent by the hub on answers that nobody can
                    // verify: start over.
                    let lost = matches!(error, Provisioning::Failed(_)) && owner == PoolOwner::Hub;
                    // A hub that says that the pool is full holds blocks that never arrived here: the same.
                    let stale = matches!(
                        error,
                        Provisioning::Refused(
                            OobError::StaleRegistration | OobError::PoolFull { .. }
                        )
                    );
                    if lost || stale {
                        state.registration = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn out_of_band<T, E>(
        &self,
        call: impl Future<Output = Result<Result<T, OobError>, E>>,
    ) -> Result<T, Provisioning>
    where
        E: std::fmt::Display,
    {
        let timeout_after = self.config.request_timeout;
        timeout(timeout_after, call)
            .await
            .map_err(|_| Provisioning::Failed(LinkError::Timeout(timeout_after)))?
            .map_err(|e| Provisioning::Failed(LinkError::Unreachable(e.to_string())))?
            .map_err(Provisioning::Refused)
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

/// Why PSRD could not be got.
#[derive(Debug)]
enum Provisioning {
    /// The hub refused: nothing was delivered.
    Refused(OobError),
    /// Nobody knows whether something was delivered.
    Failed(LinkError),
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
        self.registration == Some(reserved.registration) && reserved.spent.bytes.len() == cost
    }

    fn needs_provisioning(&self, low_water_bytes: usize) -> bool {
        self.registration.is_none() || self.blocks_wanted > 0 || self.is_low(low_water_bytes)
    }

    fn is_low(&self, low_water_bytes: usize) -> bool {
        self.end.left(PoolOwner::Client) < low_water_bytes
            || self.end.left(PoolOwner::Hub) < low_water_bytes
    }

    /// Draws conclusions from the response to an attempt that was not accepted. Hints may be forged: the worst that they
    /// can cause is a new registration, at most one an attempt, and a full pool.
    fn learn_from(&mut self, error: &OpenError, attempt: u32) {
        if canary(Canary::NoNewRegistration) {
            return;
        }
        match error {
            OpenError::Hint(Refusal::Unregistered { .. } | Refusal::UnknownPsrd { .. })
            | OpenError::Allocation(PoolError::UnknownBlock { .. }) => self.registration = None,
            // More each time: other exchanges may spend what was brought for this one. Before its last attempt it
            // brings as many as it may need alone, and so does every other, so that there is enough for all.
            OpenError::Hint(Refusal::PsrdExhausted) => self.blocks_wanted += attempt,
            _ => {}
        }
    }
}
