//! Get key: drives an [`Initiator`] and the links.

use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::time::timeout_at;

use crate::crypto::shamir::ShareIndex;
use crate::protocol::initiator::{EstablishRequest, EstablishedKey, Initiator, Patience, Progress};
use crate::protocol::limits::SLAVE_SAES_MAX;
use crate::protocol::message::{DepositBody, DepositReply, Plain};

use super::super::link::{Deposit, LinkError};
use super::{Core, GetKey, KmeError, check_distinct, check_range};

type Answer = (ShareIndex, Result<DepositReply, LinkError>);

impl Core {
    pub(super) async fn get_key(
        self: Rc<Self>,
        message: GetKey,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let request = self.check_get_key(message)?;
        let number = request.number;
        self.counters.borrow_mut().keys_requested += number as u64;
        let now = self.now();
        let patience = Patience {
            deadline: now + self.config.timing.call_deadline,
            grace: self.config.timing.grace,
        };
        let (mut initiator, deposits) = {
            let mut rng = self.rng.borrow_mut();
            Initiator::begin(&request, self.config.sharing, patience, rng.as_mut())
        };
        let mut answers = self.deposit_at_all_hubs(deposits);
        loop {
            match initiator.progress(self.now()) {
                Progress::Done(keys) => {
                    self.counters.borrow_mut().keys_established += number as u64;
                    return Ok(keys);
                }
                Progress::Failed(error) => {
                    self.counters.borrow_mut().establish_failures += 1;
                    return Err(error.into());
                }
                Progress::WaitUntil(until) => {
                    match timeout_at(self.started + until, answers.recv()).await {
                        Ok(Some((x, Ok(reply)))) => initiator.on_reply(self.now(), x, &reply),
                        Ok(Some((x, Err(error)))) => initiator.on_failure(x, error.to_string()),
                        // The time has come, or all hubs have answered: the next look at the progress says what.
                        Ok(None) | Err(_) => {}
                    }
                }
            }
        }
    }

    fn check_get_key(&self, message: GetKey) -> Result<EstablishRequest, KmeError> {
        let GetKey {
            caller,
            slave_saes,
            number,
            size_bits,
        } = message;
        self.check_caller(&caller)?;
        check_range("slave SAEs", slave_saes.len(), 1, SLAVE_SAES_MAX)?;
        for sae in &slave_saes {
            self.home_of(sae)?;
        }
        check_distinct(&slave_saes)?;
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

    /// Contacts all hubs at once. What has not arrived when the call returns keeps going out in the background.
    fn deposit_at_all_hubs(
        self: &Rc<Self>,
        deposits: std::collections::BTreeMap<ShareIndex, DepositBody<Plain>>,
    ) -> mpsc::UnboundedReceiver<Answer> {
        // As many answers as there are hubs.
        let (sender, receiver) = mpsc::unbounded_channel();
        let deadline = self.started + self.now() + self.config.timing.background;
        for (x, deposit) in deposits {
            let Some(link) = self.links.get(&x) else {
                continue;
            };
            let sent = link.send(Deposit { deposit, deadline });
            let sender = sender.clone();
            let core = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let answer = match sent.await {
                    Ok(answer) => answer,
                    Err(_) => Err(LinkError::Unreachable("the link has stopped".to_owned())),
                };
                let stored = answer.is_ok();
                if sender.send((x, answer)).is_err() && stored {
                    core.counters.borrow_mut().late_shares += 1;
                }
            });
        }
        receiver
    }
}
