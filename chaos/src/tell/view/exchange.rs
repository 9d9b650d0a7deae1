//! Puts together what was seen of a request and its answer at four places: sent, arrived, said, heard.
//!
//! Each place is observed on its own, and messages carry no numbers. Their bytes tell them apart, because the bytes depend
//! on the PSRD that the message uses. If somebody sends the same bytes twice, the copy is taken to which the hub said what
//! its sender heard. If that does not decide, the first copy is taken.

use std::collections::BTreeMap;

use dske::protocol::{Request, Response};

use crate::world::observer::Observation;
use crate::world::observer::record::{Attack, Seen, Tried};

/// A request and its answer.
pub(super) struct Exchange<'a> {
    pub(super) by: Sender,
    pub(super) hub: usize,
    pub(super) request: &'a Request,
    pub(super) sent_us: u64,
    pub(super) arrived_us: Option<u64>,
    pub(super) said: Option<(u64, &'a Response)>,
    pub(super) heard: Option<(u64, &'a Response)>,
    pub(super) attack: Option<Tried>,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client(usize),
    Outsider,
    /// It arrived, but nobody was seen to send it: the harness has missed something.
    Nobody,
}

/// What tells a request from others.
type Bytes<'a> = (usize, Option<&'a str>, &'a str, &'a [u8]);

fn bytes(hub: usize, request: &Request) -> Bytes<'_> {
    let signature = request.signature.as_deref();
    (hub, signature, &request.target, &request.body)
}

/// All exchanges of a run, in the order in which they began.
pub(super) fn exchanges(seen: &Observation) -> Vec<Exchange<'_>> {
    let mut all = sent(seen);
    let mut same: BTreeMap<Bytes<'_>, Vec<usize>> = BTreeMap::new();
    for (index, exchange) in all.iter().enumerate() {
        let key = bytes(exchange.hub, exchange.request);
        same.entry(key).or_default().push(index);
    }
    for visit in visits(seen) {
        let same = same.get(&bytes(visit.hub, visit.request));
        match which(&all, same.map_or(&[], Vec::as_slice), &visit) {
            Some(index) => {
                all[index].arrived_us = Some(visit.at_us);
                all[index].said = visit.said;
            }
            None => all.push(Exchange {
                arrived_us: Some(visit.at_us),
                said: visit.said,
                ..unanswered(Sender::Nobody, visit.hub, visit.request, visit.at_us)
            }),
        }
    }
    all.sort_by_key(|exchange| exchange.sent_us);
    all
}

/// Which of the requests with the same bytes arrived in this visit.
fn which(all: &[Exchange<'_>], same: &[usize], visit: &Visit<'_>) -> Option<usize> {
    let heard_otherwise = |exchange: &Exchange<'_>| match (exchange.heard, visit.said) {
        (Some((_, heard)), Some((_, said))) => heard != said,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let possible = same.iter().copied().filter(|&index| {
        let exchange = &all[index];
        exchange.arrived_us.is_none() && exchange.sent_us <= visit.at_us
    });
    possible.min_by_key(|&index| (heard_otherwise(&all[index]), all[index].sent_us))
}

fn unanswered(by: Sender, hub: usize, request: &Request, sent_us: u64) -> Exchange<'_> {
    Exchange {
        by,
        hub,
        request,
        sent_us,
        arrived_us: None,
        said: None,
        heard: None,
        attack: None,
    }
}

/// What clients and the outsider sent, with what clients heard.
fn sent(seen: &Observation) -> Vec<Exchange<'_>> {
    let tried: BTreeMap<Bytes<'_>, Tried> = seen
        .attacks
        .iter()
        .filter(|attack| !attack.is_flood())
        .map(|attack| (bytes(attack.hub, &attack.request), attack.what))
        .collect();
    let mut all: Vec<Exchange<'_>> = Vec::new();
    let mut waiting: BTreeMap<Bytes<'_>, Vec<usize>> = BTreeMap::new();
    for message in &seen.messages {
        let Some(client) = message.client else {
            continue;
        };
        match &message.what {
            Seen::Sent(request) => {
                let key = bytes(message.hub, request);
                waiting.entry(key).or_default().push(all.len());
                let by_rogue = !seen.plan.is_honest(client);
                all.push(Exchange {
                    attack: tried.get(&key).copied().filter(|_| by_rogue),
                    ..unanswered(Sender::Client(client), message.hub, request, message.at_us)
                });
            }
            Seen::Heard { to, response } => {
                let sent = waiting.get(&bytes(message.hub, to));
                let mut sent = sent.into_iter().flatten().copied();
                let first = sent.find(|&index| {
                    all[index].by == Sender::Client(client) && all[index].heard.is_none()
                });
                if let Some(index) = first {
                    all[index].heard = Some((message.at_us, response));
                }
            }
            Seen::Arrived(_) | Seen::Said { .. } => {}
        }
    }
    let floods = seen.attacks.iter().filter(|attack| attack.is_flood());
    all.extend(floods.map(|attack: &Attack| Exchange {
        attack: Some(attack.what),
        ..unanswered(Sender::Outsider, attack.hub, &attack.request, attack.at_us)
    }));
    all
}

/// A request at a hub.
struct Visit<'a> {
    hub: usize,
    request: &'a Request,
    at_us: u64,
    said: Option<(u64, &'a Response)>,
}

fn visits(seen: &Observation) -> Vec<Visit<'_>> {
    let mut visits: Vec<Visit<'_>> = Vec::new();
    let mut open: BTreeMap<Bytes<'_>, Vec<usize>> = BTreeMap::new();
    for message in &seen.messages {
        match &message.what {
            Seen::Arrived(request) => {
                let key = bytes(message.hub, request);
                open.entry(key).or_default().push(visits.len());
                visits.push(Visit {
                    hub: message.hub,
                    request,
                    at_us: message.at_us,
                    said: None,
                });
            }
            Seen::Said { to, response } => {
                let open = open.get(&bytes(message.hub, to));
                let mut open = open.into_iter().flatten().copied();
                if let Some(index) = open.find(|&index| visits[index].said.is_none()) {
                    visits[index].said = Some((message.at_us, response));
                }
            }
            Seen::Sent(_) | Seen::Heard { .. } => {}
        }
    }
    visits
}

#[cfg(test)]
mod tests {
    use dske::protocol::Method;

    use super::*;
    use crate::campaign::load;
    use crate::world::observer::Observer;
    use crate::world::observer::record::Message;

    fn request(signature: &str) -> Request {
        Request {
            method: Method::Get,
            target: "/x".to_owned(),
            signature: Some(signature.to_owned()),
            body: Vec::new().into(),
        }
    }

    fn response(status: u16) -> Response {
        Response {
            status,
            signature: None,
            body: Vec::new().into(),
        }
    }

    /// What was seen, when, in order: client 0 and hub 1.
    fn seen(messages: Vec<(u64, Seen)>, floods: &[u64]) -> Observer {
        let plan = load("calm").unwrap().plan(1);
        let observer = Observer::new(&plan, false);
        for (at_us, what) in messages {
            observer.see().messages.push(Message {
                at_us,
                client: Some(0),
                hub: 1,
                what,
            });
        }
        for &at_us in floods {
            observer.attack(Attack {
                at_us,
                hub: 1,
                what: Attack::REPLAY,
                request: request("a"),
            });
        }
        observer
    }

    fn said(status: u16) -> Seen {
        Seen::Said {
            to: request("a"),
            response: response(status),
        }
    }

    #[test]
    fn a_request_that_is_answered_has_all_four_places_and_another_has_none_of_them() {
        let heard = Seen::Heard {
            to: request("a"),
            response: response(200),
        };
        let observer = seen(
            vec![
                (1, Seen::Sent(request("a"))),
                (2, Seen::Sent(request("b"))),
                (3, Seen::Arrived(request("a"))),
                (4, said(200)),
                (5, heard),
            ],
            &[],
        );
        let seen = observer.seen();
        let all = exchanges(&seen);
        let [a, b] = all.as_slice() else { panic!() };
        assert_eq!((a.sent_us, a.arrived_us), (1, Some(3)));
        assert_eq!((a.said.unwrap().0, a.heard.unwrap().0), (4, 5));
        assert_eq!((b.sent_us, b.arrived_us), (2, None));
        assert!(b.said.is_none() && b.heard.is_none());
    }

    #[test]
    fn a_replay_that_overtakes_the_message_is_told_by_what_its_sender_heard() {
        let heard = Seen::Heard {
            to: request("a"),
            response: response(409),
        };
        let observer = seen(
            vec![
                (1, Seen::Sent(request("a"))),
                (3, Seen::Arrived(request("a"))),
                (3, said(200)),
                (4, Seen::Arrived(request("a"))),
                (4, said(409)),
                (5, heard),
            ],
            &[2],
        );
        let seen = observer.seen();
        let all = exchanges(&seen);
        let [honest, replay] = all.as_slice() else {
            panic!()
        };
        assert_eq!((honest.by, honest.arrived_us), (Sender::Client(0), Some(4)));
        assert_eq!((replay.by, replay.arrived_us), (Sender::Outsider, Some(3)));
        assert_eq!(replay.attack, Some(Attack::REPLAY));
    }

    #[test]
    fn what_arrives_and_was_never_sent_is_shown_as_such() {
        let observer = seen(vec![(3, Seen::Arrived(request("a")))], &[]);
        let seen = observer.seen();
        let all = exchanges(&seen);
        assert_eq!((all.len(), all[0].by), (1, Sender::Nobody));
    }
}
