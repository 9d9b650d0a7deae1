//! Exchanges: attempts, each with fresh PSRD, until one succeeds or the deadline has come.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix::Message;
use tokio::time::{Instant, timeout_at};

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::SaeId;
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::OpenError;
use crate::protocol::limits::{ATTEMPTS_MAX, NodeLimits};
use crate::protocol::message::Plain;

use super::super::workload::{Full, InFlight, Workload, WorkloadMax};
use super::carrier::Carrier;
use super::error::LinkError;
use super::outbox::{Load, Outbox};
use super::provisioning::Provisioning;
use super::supply::Reservation;

/// The pause before the second attempt, doubled for each further one: long enough for a hub that has just lost its
/// connection, short beside a call's deadline.
const RETRY_DELAY: Duration = Duration::from_millis(50);

const _: () = assert!(
    RETRY_DELAY.as_millis() * ((1 << (ATTEMPTS_MAX - 1)) - 1) < 1_000,
    "all pauses of an exchange together take less than a second"
);

/// Sets PSRD for a message aside. If the pool holds enough, the hub need not be in reach.
#[derive(Message)]
#[rtype(result = "Result<Reservation, LinkError>")]
pub struct Reserve {
    /// Bytes that the message will spend.
    pub bytes: usize,
    /// When to give up.
    pub deadline: Instant,
}

/// Asks the hub to do something. The reply is what the hub says, and never a refusal: that is an error.
#[derive(Message)]
#[rtype(result = "Result<Reply<Plain>, LinkError>")]
pub struct Exchange {
    /// What the hub is to do.
    pub operation: Operation<Plain>,
    /// PSRD for the first attempt, if it has been set aside.
    pub reserved: Option<Reservation>,
    /// When to give up.
    pub deadline: Instant,
}

/// Carries exchanges through.
pub(super) struct Exchanges {
    provisioning: Rc<Provisioning>,
    outbox: Rc<Outbox>,
    workload: Rc<Workload>,
    /// The account of each SAE in the workload.
    accounts: BTreeMap<SaeId, usize>,
    retries: Cell<u64>,
}

impl Exchanges {
    /// Exchanges of these SAEs. Each has an account, so that one that asks for very much leaves the others their part.
    pub(super) fn new(
        saes: impl IntoIterator<Item = SaeId>,
        limits: NodeLimits,
        provisioning: Rc<Provisioning>,
        carrier: Rc<Carrier>,
    ) -> Self {
        let accounts: BTreeMap<SaeId, usize> = saes.into_iter().zip(0..).collect();
        Self {
            provisioning,
            outbox: Rc::new(Outbox::new(carrier)),
            workload: Workload::new(
                WorkloadMax {
                    number: limits.exchanges_max,
                    bytes: limits.exchange_bytes_max,
                },
                accounts.len(),
            ),
            accounts,
            retries: Cell::new(0),
        }
    }

    /// Exchanges that have not ended, or whose shares something still holds.
    pub(super) fn in_flight(&self) -> usize {
        self.workload.number()
    }

    /// Attempts beyond the first since the start.
    pub(super) fn retries(&self) -> u64 {
        self.retries.get()
    }

    /// Sets PSRD aside, which is provisioned first if necessary.
    pub(super) async fn reserve(
        &self,
        Reserve { bytes, deadline }: Reserve,
    ) -> Result<Reservation, LinkError> {
        self.persist(deadline, async |_| {
            self.provisioning
                .make_ready(bytes, |supply| supply.holds(bytes))
                .await?;
            Ok(self.provisioning.supply().reserve(bytes)?)
        })
        .await
    }

    /// Asks until there is an answer. The first attempt spends what is reserved for it, each further one fresh PSRD.
    pub(super) async fn carry_through(
        &self,
        Exchange {
            operation,
            mut reserved,
            deadline,
        }: Exchange,
    ) -> Result<Reply<Plain>, LinkError> {
        let in_flight = self.admit(&operation);
        let load = Rc::new(Load {
            _in_flight: in_flight?,
            operation,
        });
        self.persist(deadline, async |number| {
            match self.outbox.ask(number, &load, reserved.take()).await? {
                Reply::Refused(refusal) => {
                    let mut supply = self.provisioning.supply();
                    supply.learn_from_refusal(&refusal, number);
                    Err(LinkError::Response(OpenError::Refused(refusal)))
                }
                reply => Ok(reply),
            }
        })
        .await
    }

    /// Admits an exchange to the account of the SAE whose call it belongs to.
    fn admit(&self, operation: &Operation<Plain>) -> Result<InFlight, LinkError> {
        let sae = match operation {
            Operation::Deposit(deposit) => &deposit.master_sae,
            Operation::Fetch(query) => &query.slave_sae,
            Operation::Withdraw(withdrawal) => &withdrawal.master_sae,
        };
        let account = self.accounts.get(sae).ok_or(LinkError::Busy)?;
        let admitted = self.workload.admit(*account, operation.share_bytes());
        admitted.map_err(|Full| {
            reached(Mark::ExchangesFull);
            LinkError::Busy
        })
    }

    /// Tries, and tries again with doubled pauses. Attempts are numbered from 1.
    async fn persist<T>(
        &self,
        deadline: Instant,
        mut attempt: impl AsyncFnMut(u32) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        let mut last = None;
        let (deadline, mut delay) = if canary(Canary::SentForNobody) {
            (deadline + Duration::from_secs(60), Duration::from_secs(10))
        } else {
            (deadline, RETRY_DELAY)
        };
        for number in 1..=ATTEMPTS_MAX + u32::from(canary(Canary::OneMoreAttempt)) {
            if number > 1 {
                self.retries.update(|retries| retries + 1);
                let pause = tokio::time::sleep(delay);
                if timeout_at(deadline, pause).await.is_err() {
                    return Err(LinkError::Deadline(last.map(Box::new)));
                }
                delay *= 2;
            }
            match timeout_at(deadline, attempt(number)).await {
                Ok(Ok(_)) if canary(Canary::RetryNeedless) && number == 1 => {}
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if error.is_final() => return Err(error),
                Ok(Err(error)) => last = Some(error),
                Err(_) => return Err(LinkError::Deadline(last.map(Box::new))),
            }
        }
        Err(last.unwrap_or(LinkError::Deadline(None)))
    }
}
