//! Get key with key IDs: drives a [`Responder`] and the links.
//!
//! Keys that hubs refuse as too long for one answer are asked for in parts, one after the other. So the call fails before
//! the next part is touched. The parts before it count as fetched, like all keys of a call that fails after hubs have
//! answered: the SAE may ask for them again within the linger time.

use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::robust::{Method, Work};
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::Refusal;
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::OpenError;
use crate::protocol::initiator::{EstablishedKey, Progress};
use crate::protocol::limits::keys_per_answer;
use crate::protocol::message::{FetchQuery, Plain};
use crate::protocol::responder::{Event, FetchError, Responder};

use super::super::link::{Exchange, LinkError};
use super::error::KmeError;
use super::hubs::{Answer, Answers, answers_otherwise};
use super::kme::Kme;
use super::message::GetKeyWithIds;

/// Why keys asked for at once could not be had.
struct Unfetched {
    error: FetchError,
    /// Whether a hub has refused to answer for so many keys at once.
    are_too_many: bool,
}

impl Kme {
    pub(super) async fn get_key_with_ids(
        self: Rc<Self>,
        message: GetKeyWithIds,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let query = self.config.check_get_key_with_ids(message)?;
        // Only the hubs know how large the shares will be. This is for keys of default size.
        let share_bytes = TAG_SECRET_BYTES + self.config.keys.default_bits / 8;
        let bytes = query.key_ids.len() * share_bytes * self.hubs.number();
        let _in_flight = self.admit(&query.slave_sae, bytes)?;
        let claimed = self.claim(query)?;
        let fetched = self.fetch(claimed.query()).await;
        let mut counters = self.counters.borrow_mut();
        match &fetched {
            Ok(keys) => {
                counters.keys_fetched += keys.len() as u64;
                claimed.are_handed_out();
            }
            Err(_) => counters.fetch_failures += 1,
        }
        Ok(fetched?)
    }

    async fn fetch(self: &Rc<Self>, query: &FetchQuery) -> Result<Vec<EstablishedKey>, FetchError> {
        let deadline = self.now() + self.config.timing.call_deadline;
        let fetched = self.fetch_at_once(query.clone(), deadline).await;
        // Only the hubs know how large the keys are. As many as this always fit.
        let at_once = keys_per_answer(self.config.keys.max_bits / 8);
        match fetched {
            Err(Unfetched { are_too_many, .. })
                if are_too_many
                    && query.key_ids.len() > at_once
                    && !canary(Canary::FetchUnsplit) => {}
            fetched => return fetched.map_err(|unfetched| unfetched.error),
        }
        let mut keys = Vec::with_capacity(query.key_ids.len());
        for key_ids in query.key_ids.chunks(at_once) {
            let part = FetchQuery {
                key_ids: key_ids.to_vec(),
                ..query.clone()
            };
            let fetched = self.fetch_at_once(part, deadline).await;
            keys.extend(fetched.map_err(|unfetched| unfetched.error)?);
        }
        Ok(keys)
    }

    async fn fetch_at_once(
        self: &Rc<Self>,
        query: FetchQuery,
        deadline: Duration,
    ) -> Result<Vec<EstablishedKey>, Unfetched> {
        let mut answers = self.hubs.ask_all(|| Exchange {
            operation: Operation::Fetch(query.clone()),
            reserved: None,
            deadline: self.clock(deadline),
        });
        let limits = self.config.limits;
        let mut responder = Responder::begin(query.clone(), self.config.sharing, deadline)
            .need(self.hubs_needed())
            .search_at_most(Work {
                subsets: limits.subsets_max,
                bytes: limits.search_bytes_max,
            });
        let mut are_too_many = false;
        loop {
            match responder.progress(self.now()) {
                Progress::Done(keys) => {
                    self.settle(&responder);
                    self.audit(responder, answers);
                    return Ok(keys);
                }
                Progress::Failed(mut error) => {
                    if let FetchError::Unavailable { reasons, .. } = &mut error {
                        reasons.name_hubs(|x| self.name_of(x));
                    }
                    return Err(Unfetched {
                        error,
                        are_too_many,
                    });
                }
                Progress::WaitUntil(until) => {
                    let next = answers.next(self.clock(until));
                    let answer = if self.work(&mut responder) {
                        // Others have their turn, and an answer that has come in the meantime may save the rest.
                        tokio::task::yield_now().await;
                        next.now_or_never().flatten()
                    } else {
                        next.await
                    };
                    if let Some(answer) = answer {
                        are_too_many |= matches!(
                            &answer.1,
                            Err(LinkError::Response(OpenError::Refused(
                                Refusal::OutOfLimits { .. }
                            )))
                        );
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
                // All keys are known, so that nothing is searched any more.
                while kme.work(&mut responder) {}
                kme.settle(&responder);
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
        self.count(responder);
    }

    /// Does a slice of the responder's work. Returns whether there is more.
    fn work(&self, responder: &mut Responder) -> bool {
        let has_more = responder.work(self.rng.borrow_mut().as_mut());
        self.count(responder);
        has_more
    }

    /// Keys whose shares all hubs have handed out need not be remembered for long.
    fn settle(&self, responder: &Responder) {
        if responder.has_all_shares() {
            let mut handed_out = self.handed_out.borrow_mut();
            handed_out.settle(self.now(), responder.query());
        }
    }

    fn count(&self, responder: &mut Responder) {
        let mut counters = self.counters.borrow_mut();
        counters.add_work(responder.take_worked());
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
