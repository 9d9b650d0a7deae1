//! Get key with key IDs: drives a [`Responder`] and the links.

use std::rc::Rc;

use tokio::sync::mpsc;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::robust::Method;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::channel::OpenError;
use crate::protocol::initiator::{EstablishedKey, Progress};
use crate::protocol::limits::KEYS_PER_MESSAGE_MAX;
use crate::protocol::message::{FetchQuery, FetchReply, Plain};
use crate::protocol::responder::{Event, FetchError, Responder};

use super::super::link::{Fetch, LinkError};
use super::{Answer, Core, GetKeyWithIds, KmeError, check_distinct, check_range};

type Answers = mpsc::UnboundedReceiver<Answer<FetchReply<Plain>>>;

impl Core {
    pub(super) async fn get_key_with_ids(
        self: Rc<Self>,
        message: GetKeyWithIds,
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let GetKeyWithIds {
            caller,
            master_sae,
            key_ids,
        } = message;
        self.check_caller(&caller)?;
        self.home_of(&master_sae)?;
        check_range("key IDs", key_ids.len(), 1, KEYS_PER_MESSAGE_MAX)?;
        check_distinct(&key_ids)?;
        // How large the shares will be, the hubs know: for a key of default size.
        let share_bytes = TAG_SECRET_BYTES + self.config.keys.default_bits / 8;
        let bytes = key_ids.len() * share_bytes * self.links.len();
        let _task = self.take(bytes)?;
        self.handed_out
            .borrow_mut()
            .claim(self.now(), &caller, &master_sae, &key_ids)
            .map_err(KmeError::HandedOut)?;
        let fetched = self.fetch(&caller, &master_sae, &key_ids).await;
        let mut counters = self.counters.borrow_mut();
        match &fetched {
            Ok(keys) => counters.keys_fetched += keys.len() as u64,
            Err(_) => {
                counters.fetch_failures += 1;
                let mut handed_out = self.handed_out.borrow_mut();
                handed_out.give_back(&caller, &master_sae, &key_ids);
            }
        }
        fetched
    }

    async fn fetch(
        self: &Rc<Self>,
        caller: &crate::protocol::SaeId,
        master_sae: &crate::protocol::SaeId,
        key_ids: &[crate::protocol::KeyId],
    ) -> Result<Vec<EstablishedKey>, KmeError> {
        let query = FetchQuery {
            client: self.config.name.clone(),
            slave_sae: caller.clone(),
            master_sae: master_sae.clone(),
            key_ids: key_ids.to_vec(),
        };
        let deadline = self.now() + self.config.timing.call_deadline;
        let mut answers = self.ask_all_links(|| Fetch {
            query: query.clone(),
            deadline: self.started + deadline,
        });
        let mut responder = Responder::begin(query, self.config.sharing, deadline);
        loop {
            match responder.progress(self.now()) {
                Progress::Done(keys) => {
                    tokio::task::spawn_local(Rc::clone(self).audit(responder, answers));
                    return Ok(keys);
                }
                Progress::Failed(mut error) => {
                    if let FetchError::Unavailable { reasons, .. } = &mut error {
                        reasons.name_hubs(|x| self.name_of(x));
                    }
                    return Err(error.into());
                }
                Progress::WaitUntil(until) => {
                    if let Some(answer) = self.next(&mut answers, until).await {
                        self.hear(&mut responder, answer);
                    }
                }
            }
        }
    }

    /// Checks the answers that come after the key was delivered: a late lie is a lie.
    async fn audit(self: Rc<Self>, mut responder: Responder, mut answers: Answers) {
        while !responder.is_settled() && !canary(Canary::LateLieIgnored) {
            match answers.recv().await {
                Some(answer) => {
                    reached(Mark::AnswerAfterKey);
                    self.hear(&mut responder, answer);
                }
                None => return,
            }
        }
    }

    fn hear(&self, responder: &mut Responder, (mut x, answer): Answer<FetchReply<Plain>>) {
        if canary(Canary::HubsSwapped) {
            let last = self.links.keys().next_back();
            x = last
                .and_then(|last| ShareIndex::new(last.get() + 1 - x.get()))
                .unwrap_or(x);
        }
        match answer {
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
