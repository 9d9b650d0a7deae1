//! What became of a message, and why, as far as the plan tells.

use super::exchange::{Exchange, Sender};
use super::schema::Fate;
use super::seconds;
use crate::plan::{Fault, Plan, PlannedFault};

/// A fate, with the reason where it is known.
pub(super) type Became = (Fate, Option<String>);

/// What became of a request.
pub(super) fn of_request(plan: &Plan, exchange: &Exchange<'_>) -> Became {
    let link = Link::of(plan, exchange);
    let (sent_us, gave_up_us) = (exchange.sent_us, gave_up_us(plan, exchange));
    match exchange.arrived_us {
        Some(at_us) if link.client.is_some() && at_us > gave_up_us => {
            (Fate::Late, link.slowed(sent_us, at_us))
        }
        Some(_) => (Fate::Delivered, None),
        None => (
            Fate::Lost,
            link.lost(Way::ToHub, sent_us, gave_up_us)
                .or(link.broken(sent_us)),
        ),
    }
}

/// What became of an answer.
pub(super) fn of_answer(plan: &Plan, exchange: &Exchange<'_>, said_us: u64) -> Became {
    let link = Link::of(plan, exchange);
    let Some(client) = link.client else {
        return (Fate::Ignored, None);
    };
    if exchange.heard.is_some() {
        return (Fate::Delivered, None);
    }
    let gave_up_us = gave_up_us(plan, exchange);
    let on_its_way_us = said_us + 1000 * plan.cluster.latency_ms.1;
    if let Some(why) = link.lost(Way::ToClient, said_us, on_its_way_us) {
        return (Fate::Lost, Some(why));
    }
    let slowed = link.slowed(said_us, on_its_way_us);
    if on_its_way_us >= gave_up_us || slowed.is_some() {
        let name = plan.client_name(client);
        let mut why = format!("{name} had given up waiting at {}", at(gave_up_us / 1000));
        let at_hub_us = exchange.arrived_us.unwrap_or(said_us);
        if let Some(slowed) = slowed.or_else(|| link.slow_hub(at_hub_us, said_us)) {
            why += &format!(", {slowed}");
        }
        return (Fate::Late, Some(why));
    }
    (Fate::Lost, link.broken(said_us))
}

/// Why a request that arrived was never answered.
pub(super) fn unanswered(plan: &Plan, exchange: &Exchange<'_>, arrived_us: u64) -> Option<String> {
    let link = Link::of(plan, exchange);
    let hub = |fault: &Fault| match fault {
        Fault::CrashHub { hub } | Fault::SlowHub { hub, .. } => *hub == link.hub,
        _ => false,
    };
    let until_us = arrived_us.max(gave_up_us(plan, exchange));
    let fault = link.active(arrived_us, until_us, hub);
    fault.map(until).or_else(|| link.end_of_run(until_us))
}

/// When the client stops waiting for the answer.
fn gave_up_us(plan: &Plan, exchange: &Exchange<'_>) -> u64 {
    exchange.sent_us + 1000 * plan.cluster.request_timeout_ms
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToHub,
    ToClient,
}

/// A client and a hub in a plan. The outsider is not a client: only what happens to the hub concerns it.
struct Link<'a> {
    plan: &'a Plan,
    client: Option<usize>,
    hub: usize,
}

impl<'a> Link<'a> {
    fn of(plan: &'a Plan, exchange: &Exchange<'_>) -> Self {
        let client = match exchange.by {
            Sender::Client(client) => Some(client),
            Sender::Outsider | Sender::Nobody => None,
        };
        Self {
            plan,
            client,
            hub: exchange.hub,
        }
    }

    /// What stopped a message that was under way during this time.
    fn lost(&self, way: Way, from_us: u64, until_us: u64) -> Option<String> {
        let find = |wanted: &dyn Fn(&Fault) -> bool| self.active(from_us, until_us, wanted);
        find(&|fault| self.cuts(fault, way))
            .or_else(|| find(&|fault| self.is_crash(fault)))
            .map(until)
            .or_else(|| {
                // Without a way back there is no connection either.
                let back = match way {
                    Way::ToHub => Way::ToClient,
                    Way::ToClient => Way::ToHub,
                };
                let fault = find(&|fault| self.cuts(fault, back))?;
                Some(format!("no way back, {}", until(fault)))
            })
            .or_else(|| self.end_of_run(until_us))
    }

    /// What slowed down a message that was under way during this time.
    fn slowed(&self, from_us: u64, until_us: u64) -> Option<String> {
        let slows = |fault: &Fault| match fault {
            Fault::Hold { client, hub }
            | Fault::SlowLink { client, hub, .. }
            | Fault::LossyLink { client, hub, .. }
            | Fault::SwapAnswers { client, hub } => {
                Some(*client) == self.client && *hub == self.hub
            }
            _ => false,
        };
        self.active(from_us, until_us, slows).map(until)
    }

    /// What made the hub slow during this time.
    fn slow_hub(&self, from_us: u64, until_us: u64) -> Option<String> {
        let slows = |fault: &Fault| matches!(fault, Fault::SlowHub { hub, .. } if *hub == self.hub);
        self.active(from_us, until_us, slows).map(until)
    }

    /// What may have broken the connection earlier. What a stream loses is never sent again.
    fn broken(&self, from_us: u64) -> Option<String> {
        let breaks = |fault: &Fault| {
            self.cuts(fault, Way::ToHub) || self.cuts(fault, Way::ToClient) || self.is_crash(fault)
        };
        let ended = |planned: &&PlannedFault| planned.until_ms * 1000 <= from_us;
        let faults = self.plan.faults.iter().filter(ended);
        let last = faults
            .filter(|planned| breaks(&planned.fault))
            .max_by_key(|planned| planned.until_ms)?;
        Some(format!(
            "perhaps the connection was broken by {} until {}",
            last.fault.kind(),
            at(last.until_ms)
        ))
    }

    fn end_of_run(&self, until_us: u64) -> Option<String> {
        (until_us >= self.plan.end_ms * 1000).then(|| "the run ended".to_owned())
    }

    fn cuts(&self, fault: &Fault, way: Way) -> bool {
        let (Fault::Partition { clients, hubs }
        | Fault::PartitionToHubs { clients, hubs }
        | Fault::PartitionToClients { clients, hubs }) = fault
        else {
            return false;
        };
        let open = match fault {
            Fault::PartitionToHubs { .. } => way == Way::ToClient,
            Fault::PartitionToClients { .. } => way == Way::ToHub,
            _ => false,
        };
        let here = self.client.is_some_and(|client| clients.contains(&client));
        here && hubs.contains(&self.hub) && !open
    }

    fn is_crash(&self, fault: &Fault) -> bool {
        match fault {
            Fault::CrashHub { hub } => *hub == self.hub,
            Fault::CrashClient { client } => Some(*client) == self.client,
            _ => false,
        }
    }

    fn active(
        &self,
        from_us: u64,
        until_us: u64,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<&'a PlannedFault> {
        let mut faults = self.plan.faults.iter();
        faults.find(|planned| {
            let overlaps = planned.at_ms * 1000 <= until_us && from_us < planned.until_ms * 1000;
            overlaps && wanted(&planned.fault)
        })
    }
}

fn until(planned: &PlannedFault) -> String {
    format!("{} until {}", planned.fault.kind(), at(planned.until_ms))
}

fn at(ms: u64) -> String {
    seconds(1000 * ms)
}

#[cfg(test)]
mod tests {
    use dske::protocol::{Method, Request, Response};

    use super::*;
    use crate::campaign::load;

    fn plan(fault: Fault) -> Plan {
        let mut plan = load("calm").unwrap().plan(1);
        assert_eq!(plan.cluster.request_timeout_ms, 500);
        plan.faults = vec![PlannedFault {
            at_ms: 1_000,
            until_ms: 2_000,
            fault,
        }];
        plan
    }

    /// A request of client 0 to hub 1.
    fn exchange(request: &Request, sent_ms: u64, arrived_ms: Option<u64>) -> Exchange<'_> {
        Exchange {
            by: Sender::Client(0),
            hub: 1,
            request,
            sent_us: sent_ms * 1000,
            arrived_us: arrived_ms.map(|ms| ms * 1000),
            said: None,
            heard: None,
            attack: None,
        }
    }

    fn request() -> Request {
        Request {
            method: Method::Get,
            target: String::new(),
            signature: None,
            body: Vec::new().into(),
        }
    }

    fn why(became: Became) -> String {
        became.1.unwrap_or_default()
    }

    #[test]
    fn a_partition_is_the_reason_while_it_lasts_and_perhaps_afterwards() {
        let (clients, hubs) = (vec![0], vec![1, 2]);
        let plan = plan(Fault::Partition { clients, hubs });
        let request = request();
        let of = |sent_ms| of_request(&plan, &exchange(&request, sent_ms, None));
        assert_eq!(of(1_500).0, Fate::Lost);
        assert_eq!(why(of(1_500)), "partition until 2.000 s");
        // It began while the client waited.
        assert_eq!(why(of(600)), "partition until 2.000 s");
        assert_eq!(why(of(400)), "");
        let broken = "perhaps the connection was broken by partition until 2.000 s";
        assert_eq!(why(of(2_000)), broken);
        let mut other = exchange(&request, 1_500, None);
        other.hub = 0;
        assert_eq!(of_request(&plan, &other), (Fate::Lost, None));
    }

    #[test]
    fn one_way_is_cut_and_the_other_is_named_as_the_way_back() {
        let (clients, hubs) = (vec![0], vec![1]);
        let plan = plan(Fault::PartitionToClients { clients, hubs });
        let request = request();
        let lost = of_request(&plan, &exchange(&request, 1_500, None));
        assert_eq!(why(lost), "no way back, partition-to-clients until 2.000 s");
        let lost = of_answer(&plan, &exchange(&request, 1_500, Some(1_504)), 1_505_000);
        assert_eq!(lost.0, Fate::Lost);
        assert_eq!(why(lost), "partition-to-clients until 2.000 s");
    }

    #[test]
    fn what_comes_after_the_client_gave_up_is_late() {
        let plan = plan(Fault::Hold { client: 0, hub: 1 });
        let request = request();
        let held = of_request(&plan, &exchange(&request, 1_400, Some(2_001)));
        assert_eq!(held, (Fate::Late, Some("hold until 2.000 s".to_owned())));
        let in_time = of_request(&plan, &exchange(&request, 1_600, Some(2_001)));
        assert_eq!(in_time, (Fate::Delivered, None));
        let answer = of_answer(&plan, &exchange(&request, 1_400, Some(2_001)), 2_001_000);
        assert_eq!(answer.0, Fate::Late);
        assert!(why(answer).ends_with("had given up waiting at 1.900 s"));
    }

    #[test]
    fn nobody_listens_to_what_the_outsider_is_told() {
        let plan = plan(Fault::CrashHub { hub: 1 });
        let request = request();
        let response = Response {
            status: 400,
            signature: None,
            body: Vec::new().into(),
        };
        let mut flood = exchange(&request, 900, Some(901));
        flood.by = Sender::Outsider;
        flood.said = Some((902_000, &response));
        assert_eq!(of_answer(&plan, &flood, 902_000), (Fate::Ignored, None));
        flood.sent_us = 1_500_000;
        flood.arrived_us = None;
        assert_eq!(why(of_request(&plan, &flood)), "crash-hub until 2.000 s");
    }

    #[test]
    fn a_hub_that_crashes_answers_nothing() {
        let plan = plan(Fault::CrashHub { hub: 1 });
        let request = request();
        let exchange = exchange(&request, 900, Some(999));
        let why = unanswered(&plan, &exchange, 999_000);
        assert_eq!(why.as_deref(), Some("crash-hub until 2.000 s"));
    }
}
