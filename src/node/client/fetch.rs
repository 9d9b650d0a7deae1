//! Get key with key IDs: drives a [`Responder`] and the links.

use std::rc::Rc;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::robust::Method;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::OpenError;
use crate::protocol::initiator::{EstablishedKey, Progress};
use crate::protocol::message::{FetchQuery, Plain};
use crate::protocol::responder::{Event, FetchError, Responder};

use super::super::link::{Exchange, LinkError};
use super::error::KmeError;
use super::hubs::{Answer, Answers, answers_otherwise};
use super::kme::Kme;
use super::message::GetKeyWithIds;

impl Kme {
    pub(super) async fn get_key_with_ids(
        self: Rc<Self>,
        message: GetKeyWithIds,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let query = self.config.check_get_key_with_ids(message)?;
        // Only the hubs know how large the shares will be. This is for keys of default size.
        let share_bytes = TAG_SECRET_BYTES + self.config.keys.default_bits / 8;
        let bytes = query.key_ids.len() * share_bytes * self.hubs.number();
        let _in_flight = self.admit(bytes)?;
        self.handed_out
            .borrow_mut()
            .claim(self.now(), &query)
            .map_err(KmeError::HandedOut)?;
        let fetched = self.fetch(&query).await;
        let mut counters = self.counters.borrow_mut();
        match &fetched {
            Ok(keys) => counters.keys_fetched += keys.len() as u64,
            Err(_) => {
                counters.fetch_failures += 1;
                self.handed_out.borrow_mut().give_back(&query);
            }
        }
        Ok(fetched?)
    }

    async fn fetch(self: &Rc<Self>, query: &FetchQuery) -> Result<Vec<EstablishedKey>, FetchError> {
        let deadline = self.now() + self.config.timing.call_deadline;
        let mut answers = self.hubs.ask_all(|| Exchange {
            operation: Operation::Fetch(query.clone()),
            reserved: None,
            deadline: self.clock(deadline),
        });
        let mut responder = Responder::begin(query.clone(), self.config.sharing, deadline);
        loop {
            match responder.progress(self.now()) {
                Progress::Done(keys) => {
                    self.audit(responder, answers);
                    return Ok(keys);
                }
                Progress::Failed(mut error) => {
                    if let FetchError::Unavailable { reasons, .. } = &mut error {
                        reasons.name_hubs(|x| self.name_of(x));
                    }
                    return Err(error);
                }
                Progress::WaitUntil(until) => {
                    if let Some(answer) = answers.next(self.clock(until)).await {
                        self.hear(&mut responder, answer);
                    }
                }
            }
        }
    }

    /// Checks the answers that come after the key was delivered: a lie is a lie also if it is late. All hubs are asked
    /// until the deadline, so that they erase what has been fetched.
    fn audit(self: &Rc<Self>, mut responder: Responder, answers: Answers<Reply<Plain>>) {
        let kme = Rc::clone(self);
        answers.hear_in_background(move |answer| {
            if !canary(Canary::LateLieIgnored) {
                reached(Mark::AnswerAfterKey);
                kme.hear(&mut responder, answer);
            }
        });
    }

    fn hear(&self, responder: &mut Responder, (mut x, answer): Answer<Reply<Plain>>) {
        if canary(Canary::HubsSwapped) {
            let last = self.config.sharing.shares();
            x = ShareIndex::new(last + 1 - x.get()).unwrap_or(x);
        }
        let fetched = answer.and_then(|reply| match reply {
            Reply::Fetch(reply) => Ok(reply),
            other => Err(answers_otherwise(other)),
        });
        match fetched {
            Ok(reply) => {
                let mut rng = self.rng.borrow_mut();
                responder.on_reply(x, reply, rng.as_mut());
            }
            Err(LinkError::Response(OpenError::AuthenticMalformed(reason))) => {
                responder.on_malformed(x, reason.to_string());
            }
            Err(error) => responder.on_failure(x, error.to_string()),
        }
        let mut counters = self.counters.borrow_mut();
        for event in responder.take_events() {
            match event {
                Event::Blamed(blame) => counters.blame(blame),
                Event::Corrected(Method::ErrorCorrection) => counters.error_corrections += 1,
                Event::Corrected(_) => counters.subset_searches += 1,
                Event::TwoKeysFit(_) => counters.alarms += 1,
            }
        }
    }
}
