//! Get key: drives an [`Initiator`] and the links.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::crypto::generator::for_one_task;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::initiator::{
    Deposits, EstablishError, EstablishRequest, EstablishedKey, Initiator, KeySource, Patience,
    Progress, Reserving,
};
use crate::protocol::limits::SLAVE_SAES_MAX;
use crate::protocol::message::DepositReply;

use super::super::link::{Deposit, Reservation, Reserve};
use super::{Answer, Core, GetKey, KmeError, check_distinct, check_range};

/// PSRD that is set aside for deposits.
type Reservations = BTreeMap<ShareIndex, Reservation>;

impl Core {
    pub(super) async fn get_key(
        self: Rc<Self>,
        message: GetKey,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let request = self.check_get_key(message)?;
        let _task = self.take(request.deposit_cost() * self.links.len())?;
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
        let (mut initiator, deposits, reserved) = match self.config.key_source {
            KeySource::Generator => {
                let mut rng = for_one_task(self.rng.borrow_mut().as_mut());
                let (initiator, deposits) =
                    Initiator::begin(request, self.config.sharing, patience, &mut rng);
                (initiator, deposits, Reservations::new())
            }
            KeySource::Psrd => self.begin_from_psrd(request, patience).await?,
        };
        initiator.do_not_wait_for(self.late.borrow().clone());
        let background = started + self.config.timing.background;
        let answers = self.deposit_at_all_hubs(deposits, reserved, background);
        let established = self.hear_answers(&mut initiator, answers).await;
        self.late.borrow_mut().extend(initiator.waited_in_vain());
        established
    }

    /// Makes keys of the PSRD that their deposits will spend. `docs/protocol.md` §5.
    async fn begin_from_psrd(
        self: &Rc<Self>,
        request: &EstablishRequest,
        patience: Patience,
    ) -> Result<(Initiator, Deposits, Reservations), EstablishError> {
        let reserved = self
            .reserve_at_all_hubs(request.deposit_cost(), patience.deadline)
            .await?;
        let spent = reserved
            .iter()
            .map(|(&x, reservation)| (x, reservation.spent()));
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
        deadline: Duration,
    ) -> Result<Reservations, EstablishError> {
        // A reservation that comes too late is dropped, and wiped.
        let mut answers = self.ask_all_links(|| Reserve {
            bytes,
            deadline: self.started + deadline,
        });
        let mut reserving = Reserving::begin(self.config.sharing, deadline);
        reserving.do_not_wait_for(self.late.borrow().clone());
        loop {
            match reserving.progress(self.now()) {
                Progress::Done(reserved) => return Ok(reserved),
                Progress::Failed(error) => return Err(error),
                Progress::WaitUntil(until) => match self.next(&mut answers, until).await {
                    Some((x, Ok(reservation))) => reserving.on_reserved(self.now(), x, reservation),
                    Some((x, Err(error))) => reserving.on_failure(x, error.to_string()),
                    None => {}
                },
            }
        }
    }

    /// Contacts all hubs at once. What has not arrived when the call returns keeps going out until `deadline`.
    fn deposit_at_all_hubs(
        self: &Rc<Self>,
        deposits: Deposits,
        mut reserved: Reservations,
        deadline: Duration,
    ) -> mpsc::UnboundedReceiver<Answer<DepositReply>> {
        // As many answers as there are hubs.
        let (sender, receiver) = mpsc::unbounded_channel();
        for (x, deposit) in deposits {
            let message = Deposit {
                deposit,
                reserved: reserved.remove(&x),
                deadline: self.started + deadline,
            };
            let asked = self.ask_link(x, message);
            let sender = sender.clone();
            let core = Rc::clone(self);
            let sent = self.now();
            tokio::task::spawn_local(async move {
                let answer = asked.await;
                let stored = answer.is_ok();
                if stored && core.now() <= sent + core.config.timing.grace {
                    core.late.borrow_mut().remove(&x);
                }
                if sender.send((x, answer)).is_err() && stored {
                    reached(Mark::LateShare);
                    core.counters.borrow_mut().late_shares += 1;
                }
            });
        }
        receiver
    }

    async fn hear_answers(
        &self,
        initiator: &mut Initiator,
        mut answers: mpsc::UnboundedReceiver<Answer<DepositReply>>,
    ) -> Result<Vec<EstablishedKey>, EstablishError> {
        loop {
            match initiator.progress(self.now()) {
                Progress::Done(keys) => return Ok(keys),
                Progress::Failed(error) => return Err(error),
                Progress::WaitUntil(until) => match self.next(&mut answers, until).await {
                    Some((x, Ok(reply))) => initiator.on_reply(self.now(), x, &reply),
                    Some((x, Err(error))) => initiator.on_failure(x, error.to_string()),
                    None => {}
                },
            }
        }
    }

    fn check_get_key(&self, message: GetKey) -> Result<EstablishRequest, KmeError> {
        let GetKey {
            caller,
            mut slave_saes,
            number,
            size_bits,
        } = message;
        self.check_caller(&caller)?;
        check_range("slave SAEs", slave_saes.len(), 1, SLAVE_SAES_MAX)?;
        for sae in &slave_saes {
            self.home_of(sae)?;
        }
        check_distinct(&slave_saes)?;
        if canary(Canary::GroupMemberDropped) {
            slave_saes.truncate(1);
        }
        let limits = self.config.keys;
        let number = number.unwrap_or(1);
        check_range("number", number, 1, limits.per_request_max)?;
        let bits = size_bits.unwrap_or(limits.default_bits);
        // Before the range: for whatever is no multiple of 8, clause 6.2 gives the words.
        if !bits.is_multiple_of(8) {
            return Err(KmeError::SizeNotMultipleOf8);
        }
        check_range("size", bits, limits.min_bits, limits.max_bits)?;
        let number_max = self.capacity.keys_max(bits / 8);
        if number > number_max {
            return Err(KmeError::TooMuch {
                number,
                bits,
                number_max,
            });
        }
        Ok(EstablishRequest {
            client: self.config.name.clone(),
            master_sae: caller,
            slave_saes,
            size: bits / 8,
            number,
        })
    }
}
