//! Work that ends when nobody waits for its result any more.

use std::pin::pin;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Message};
use futures_util::future::{Either, LocalBoxFuture, select};

/// What a handler returns whose work is in vain once its caller is gone: the future is dropped then.
///
/// Whoever sends a message without waiting for its result is no caller that could go: that work is done to its end.
pub struct WhileHeard<T>(LocalBoxFuture<'static, T>);

impl<T> WhileHeard<T> {
    pub(super) fn new(work: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(work))
    }
}

impl<A, M, T> MessageResponse<A, M> for WhileHeard<T>
where
    A: Actor,
    M: Message<Result = T>,
    T: 'static,
{
    fn handle(self, _: &mut A::Context, caller: Option<OneshotSender<T>>) {
        tokio::task::spawn_local(async move {
            let Some(mut caller) = caller else {
                self.0.await;
                return;
            };
            // The caller first: so no result is made for one that is gone.
            let done = match select(pin!(caller.closed()), self.0).await {
                Either::Left(_) => return,
                Either::Right((result, _)) => result,
            };
            // It listened just now, and nothing has happened since.
            let _ = caller.send(done);
        });
    }
}
