//! The client's hubs, each behind its link: asking one or all of them, and hearing what they say.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;

use actix::prelude::*;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, canary};
use crate::protocol::SaeId;
use crate::protocol::batch::Reply;
use crate::protocol::channel::{Malformed, OpenError};
use crate::protocol::message::Plain;

use super::super::link::{Exchange, GetLinkStatus, Link, LinkConfig, LinkError, LinkStatus};
use super::super::transport::Transport;
use super::config::{ClientConfig, HubPeer};

/// What a hub's link says.
pub(super) type Answer<T> = (ShareIndex, Result<T, LinkError>);

/// The links to all hubs.
pub(super) struct Hubs {
    links: BTreeMap<ShareIndex, Addr<Link>>,
    /// Hubs for which a call that had its K waited in vain, and which have not answered in time since.
    slow: RefCell<BTreeSet<ShareIndex>>,
}

impl Hubs {
    /// Starts the links.
    pub(super) fn start(
        config: &ClientConfig,
        start: Uuid,
        transport: impl Fn(&HubPeer) -> Rc<dyn Transport>,
    ) -> Self {
        let own = config.saes.iter().filter(|(_, home)| **home == config.name);
        let saes: Vec<SaeId> = own.map(|(sae, _)| sae.clone()).collect();
        let links = config.hubs.iter().map(|hub| {
            let link = LinkConfig {
                client: config.name.clone(),
                start,
                saes: saes.clone(),
                block_bytes: config.block_bytes,
                low_water_bytes: config.low_water_bytes,
                request_timeout: config.timing.request_timeout,
                limits: config.limits,
            };
            (hub.x, Link::new(link, transport(hub)).start())
        });
        Self {
            links: links.collect(),
            slow: RefCell::default(),
        }
    }

    pub(super) fn number(&self) -> usize {
        self.links.len()
    }

    /// The hubs that calls no longer wait for, once they have their K.
    pub(super) fn slow(&self) -> BTreeSet<ShareIndex> {
        if canary(Canary::SilentWaitedFor) {
            return BTreeSet::new();
        }
        self.slow.borrow().clone()
    }

    /// Notes hubs that have made a call wait in vain.
    pub(super) fn note_slow(&self, hubs: Vec<ShareIndex>) {
        self.slow.borrow_mut().extend(hubs);
    }

    /// Notes a hub that has answered within the time for which calls wait.
    pub(super) fn note_in_time(&self, hub: ShareIndex) {
        self.slow.borrow_mut().remove(&hub);
    }

    /// Asks the link to a hub.
    pub(super) fn ask<M, T>(
        &self,
        x: ShareIndex,
        message: M,
    ) -> impl Future<Output = Result<T, LinkError>> + use<M, T>
    where
        M: Message<Result = Result<T, LinkError>> + Send + 'static,
        T: Send + 'static,
        Link: Handler<M>,
    {
        let sent = self.links.get(&x).map(|link| link.send(message));
        async move {
            match sent {
                Some(sent) => sent.await.unwrap_or(Err(LinkError::Stopped)),
                None => Err(LinkError::Stopped),
            }
        }
    }

    /// Has a link ask its hub, whatever comes of it.
    pub(super) fn tell(&self, x: ShareIndex, message: Exchange) {
        if let Some(link) = self.links.get(&x) {
            link.do_send(message);
        }
    }

    /// Asks all links at once.
    pub(super) fn ask_all<M, T>(&self, message: impl Fn() -> M) -> Answers<T>
    where
        M: Message<Result = Result<T, LinkError>> + Send + 'static,
        T: Send + 'static,
        Link: Handler<M>,
    {
        let asked = self.links.keys().map(|&x| (x, self.ask(x, message())));
        Answers::gather(asked)
    }

    pub(super) async fn status(&self, x: ShareIndex) -> LinkStatus {
        match self.links.get(&x) {
            Some(link) => link.send(GetLinkStatus).await.unwrap_or_default(),
            None => LinkStatus::default(),
        }
    }
}

/// Answers as they come in, one from each hub. Once nobody listens any more, the links are asked for nothing: what has
/// not left for its hub never does.
pub(super) struct Answers<T>(FuturesUnordered<LocalBoxFuture<'static, Answer<T>>>);

impl<T: 'static> Answers<T> {
    pub(super) fn gather<F>(asked: impl Iterator<Item = (ShareIndex, F)>) -> Self
    where
        F: Future<Output = Result<T, LinkError>> + 'static,
    {
        let asked = asked.map(|(x, asked)| -> LocalBoxFuture<'static, Answer<T>> {
            Box::pin(async move { (x, asked.await) })
        });
        Self(asked.collect())
    }

    /// The next answer. `None` when the time has come or all hubs have answered: the next look at the progress of the
    /// call says what that means.
    pub(super) async fn next(&mut self, until: Instant) -> Option<Answer<T>> {
        let answer = timeout_at(until, self.0.next()).await;
        answer.ok().flatten()
    }

    /// Goes on listening in the background until all hubs have answered, however long that takes.
    pub(super) fn hear_in_background(mut self, mut hear: impl FnMut(Answer<T>) + 'static) {
        if self.0.is_empty() {
            return;
        }
        tokio::task::spawn_local(async move {
            while let Some(answer) = self.0.next().await {
                hear(answer);
            }
        });
    }
}

/// A reply of another kind than its operation asks for.
pub(super) fn answers_otherwise(reply: Reply<Plain>) -> LinkError {
    LinkError::Response(match reply {
        Reply::Refused(refusal) => OpenError::Refused(refusal),
        Reply::Deposit(_) | Reply::Fetch(_) | Reply::Withdraw => {
            OpenError::AuthenticMalformed(Malformed::OtherQuestion)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;
    use crate::protocol::message::{DepositReply, FetchReply};

    #[test]
    fn a_reply_of_another_kind_is_the_hubs_fault_and_a_refusal_is_what_it_says() {
        let replies = [
            Reply::Deposit(DepositReply { keys: Vec::new() }),
            Reply::Fetch(FetchReply { keys: Vec::new() }),
            Reply::Withdraw,
        ];
        for reply in replies {
            let error = answers_otherwise(reply);
            let LinkError::Response(OpenError::AuthenticMalformed(malformed)) = error else {
                panic!("{error}");
            };
            assert_eq!(malformed, Malformed::OtherQuestion);
        }
        let error = answers_otherwise(Reply::Refused(Refusal::TooMuchAtOnce));
        let LinkError::Response(OpenError::Refused(refusal)) = error else {
            panic!("{error}");
        };
        assert_eq!(refusal, Refusal::TooMuchAtOnce);
    }
}
