//! Get key: drives an [`Initiator`] and the links.

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::Instant;

use crate::crypto::generator::for_one_task;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::SaeId;
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::initiator::{
    Deposits, EstablishError, EstablishRequest, EstablishedKey, Initiator, KeySource, Patience,
    Progress, Reserving,
};
use crate::protocol::message::{DepositReply, Withdrawal};

use super::super::link::{Exchange, Reservation, Reserve};
use super::error::KmeError;
use super::hubs::{Answers, answers_otherwise};
use super::kme::Kme;
use super::message::GetKey;

/// PSRD that is set aside for deposits.
type Reservations = BTreeMap<ShareIndex, Reservation>;

/// A call under way. It has failed, or its caller has gone, if this is dropped before it is done: then the shares that may
/// have reached hubs are taken back.
struct Call {
    kme: Rc<Kme>,
    master_sae: SaeId,
    initiator: Initiator,
    /// Until when there is time for what goes on in the background.
    background: Instant,
    is_done: bool,
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let (key_ids, hubs) = self.initiator.to_withdraw();
        for x in hubs {
            let withdrawal = Withdrawal {
                client: self.kme.config.name.clone(),
                master_sae: self.master_sae.clone(),
                key_ids: key_ids.clone(),
            };
            let exchange = Exchange {
                operation: Operation::Withdraw(withdrawal),
                reserved: None,
                deadline: self.background,
            };
            self.kme.hubs.tell(x, exchange);
        }
    }
}

impl Kme {
    pub(super) async fn get_key(
        self: Rc<Self>,
        message: GetKey,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let request = self.config.check_get_key(message)?;
        let bytes = request.deposit_cost() * self.hubs.number();
        let _in_flight = self.admit(&request.master_sae, bytes)?;
        self.counters.borrow_mut().keys_requested += request.number as u64;
        let mut established = self.establish(&request).await;
        if let Err(error) = &mut established {
            error.reasons.name_hubs(|x| self.name_of(x));
        }
        let mut counters = self.counters.borrow_mut();
        match &established {
            Ok(keys) => counters.keys_established += keys.len() as u64,
            Err(_) => counters.establish_failures += 1,
        }
        Ok(established?)
    }

    async fn establish(
        self: &Rc<Self>,
        request: &EstablishRequest,
    ) -> Result<Vec<EstablishedKey>, EstablishError> {
        let started = self.now();
        let mut call_deadline = self.config.timing.call_deadline;
        if canary(Canary::DeadlineIgnored) {
            call_deadline *= 3;
        }
        let patience = Patience {
            deadline: started + call_deadline,
            grace: self.config.timing.grace,
        };
        let (initiator, deposits, reserved) = match self.config.key_source {
            KeySource::Generator => {
                let mut rng = for_one_task(self.rng.borrow_mut().as_mut());
                let (initiator, deposits) =
                    Initiator::begin(request, self.config.sharing, patience, &mut rng);
                (initiator, deposits, Reservations::new())
            }
            KeySource::Psrd => self.begin_from_psrd(request, patience).await?,
        };
        let background = self.clock(started + self.config.timing.background);
        let mut call = Call {
            kme: Rc::clone(self),
            master_sae: request.master_sae.clone(),
            initiator,
            background,
            is_done: false,
        };
        call.initiator.do_not_wait_for(self.hubs.slow());
        let answers = self.deposit_at_all_hubs(deposits, reserved, background);
        let established = self.hear_answers(&mut call.initiator, answers).await;
        self.hubs.note_slow(call.initiator.waited_in_vain());
        call.is_done = established.is_ok();
        established
    }

    /// Makes keys of the PSRD that their deposits will spend. `docs/protocol.md` §5.
    async fn begin_from_psrd(
        self: &Rc<Self>,
        request: &EstablishRequest,
        patience: Patience,
    ) -> Result<(Initiator, Deposits, Reservations), EstablishError> {
        let reserved = self
            .reserve_at_all_hubs(request.deposit_cost(), patience)
            .await?;
        let spent = reserved.iter().map(|(&x, reserved)| (x, reserved.spent()));
        let spent = spent.collect();
        let mut rng = for_one_task(self.rng.borrow_mut().as_mut());
        let sharing = self.config.sharing;
        let (initiator, deposits) =
            Initiator::begin_from_psrd(request, sharing, patience, &spent, &mut rng)
                .expect("K hubs or more have reserved just what this request needs");
        Ok((initiator, deposits, reserved))
    }

    /// Asks all links at once for the PSRD of a message.
    async fn reserve_at_all_hubs(
        self: &Rc<Self>,
        bytes: usize,
        Patience { deadline, .. }: Patience,
    ) -> Result<Reservations, EstablishError> {
        // A reservation that comes after this has returned is dropped, and wiped.
        let mut answers = self.hubs.ask_all(|| Reserve {
            bytes,
            deadline: self.clock(deadline),
        });
        let mut reserving = Reserving::begin(self.config.sharing, deadline);
        reserving.do_not_wait_for(self.hubs.slow());
        loop {
            match reserving.progress(self.now()) {
                Progress::Done(reserved) => return Ok(reserved),
                Progress::Failed(error) => return Err(error),
                Progress::WaitUntil(until) => match answers.next(self.clock(until)).await {
                    Some((x, Ok(reservation))) => reserving.on_reserved(self.now(), x, reservation),
                    Some((x, Err(error))) => reserving.on_failure(x, error.to_string()),
                    None => {}
                },
            }
        }
    }

    /// Contacts all hubs at once. Shares that have not arrived when the call returns are late: they keep going out until
    /// `deadline`.
    fn deposit_at_all_hubs(
        self: &Rc<Self>,
        deposits: Deposits,
        mut reserved: Reservations,
        deadline: Instant,
    ) -> Answers<DepositReply> {
        let in_time_until = self.now() + self.config.timing.grace;
        let asked = deposits.into_iter().map(|(x, deposit)| {
            let exchange = Exchange {
                operation: Operation::Deposit(deposit),
                reserved: reserved.remove(&x),
                deadline,
            };
            let asked = self.hubs.ask(x, exchange);
            let kme = Rc::clone(self);
            let stored = async move {
                let stored = match asked.await? {
                    Reply::Deposit(reply) => Ok(reply),
                    other => Err(answers_otherwise(other)),
                };
                if stored.is_ok() && kme.now() <= in_time_until {
                    kme.hubs.note_in_time(x);
                }
                stored
            };
            (x, stored)
        });
        Answers::gather(asked)
    }

    async fn hear_answers(
        self: &Rc<Self>,
        initiator: &mut Initiator,
        mut answers: Answers<DepositReply>,
    ) -> Result<Vec<EstablishedKey>, EstablishError> {
        loop {
            match initiator.progress(self.now()) {
                Progress::Done(keys) if canary(Canary::BackgroundDropped) => return Ok(keys),
                Progress::Done(keys) => {
                    let kme = Rc::clone(self);
                    answers.hear_in_background(move |(_, late)| {
                        if late.is_ok() {
                            reached(Mark::LateShare);
                            kme.counters.borrow_mut().late_shares += 1;
                        }
                    });
                    return Ok(keys);
                }
                Progress::Failed(error) => return Err(error),
                Progress::WaitUntil(until) => match answers.next(self.clock(until)).await {
                    Some((x, Ok(reply))) => initiator.on_reply(self.now(), x, &reply),
                    Some((x, Err(error))) => initiator.on_failure(x, error.to_string()),
                    None => {}
                },
            }
        }
    }
}
