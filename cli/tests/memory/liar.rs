//! A hub that hands out wrong shares from some moment on, properly signed.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use dske::node::hub::{Ask, DeliverPsrd, GetHubStatus, Register};
use dske::protocol::Response;
use dske::protocol::batch::Reply;
use dske::protocol::channel::unsigned_refusal;
use dske::protocol::hub::{Hub, OobError, Registration};
use dske::protocol::message::{FetchAnswer, Plain};
use dske::psrd::Block;

/// The hub of production, but for what it says.
pub(super) struct Liar {
    pub(super) hub: Hub,
    pub(super) is_lying: Rc<Cell<bool>>,
}

impl Actor for Liar {
    type Context = Context<Self>;
}

impl Handler<Ask> for Liar {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, Ask(request): Ask, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.answer(&request))
    }
}

impl Liar {
    fn answer(&mut self, request: &dske::protocol::Request) -> Response {
        let opened = match self.hub.open(request) {
            Ok(opened) => opened,
            Err(refusal) => return unsigned_refusal(&refusal),
        };
        let (client, bound) = (opened.client, opened.bound);
        let replies = opened.operations.map(|operations| {
            let mut replies = self.hub.execute(Duration::ZERO, &client, operations);
            if self.is_lying.get() {
                replies.iter_mut().for_each(falsify);
            }
            replies
        });
        self.hub.seal(&client, &bound, replies)
    }
}

fn falsify(reply: &mut Reply<Plain>) {
    let Reply::Fetch(fetch) = reply else { return };
    for key in &mut fetch.keys {
        if let FetchAnswer::Found(found) = &mut key.answer {
            found.share.0[3] ^= 1;
        }
    }
}

impl Handler<Register> for Liar {
    type Result = Result<Registration, OobError>;

    fn handle(&mut self, Register(request): Register, _: &mut Self::Context) -> Self::Result {
        self.hub.register(&request)
    }
}

impl Handler<DeliverPsrd> for Liar {
    type Result = Result<Block, OobError>;

    fn handle(&mut self, DeliverPsrd(request): DeliverPsrd, _: &mut Self::Context) -> Self::Result {
        self.hub.deliver_psrd(&request)
    }
}

impl Handler<GetHubStatus> for Liar {
    type Result = MessageResult<GetHubStatus>;

    fn handle(&mut self, _: GetHubStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.hub.status(Duration::ZERO))
    }
}
