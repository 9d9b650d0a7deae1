//! Faults of the network, which may overlap.
//!
//! A simulated link has one state for each direction, not a count: the first repair would heal every partition that
//! shares the link, and a repair does not release what is held. So the state of each link is derived from the set of
//! faults that are active, and only changes are applied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A fault of the network between sets of hosts, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetFault {
    /// Everything sent from the first to the second is lost, including what is in flight.
    Cut {
        /// Senders.
        from: Vec<String>,
        /// Receivers.
        to: Vec<String>,
    },
    /// Everything sent between the two is held back, and delivered when the fault is over.
    Hold {
        /// One side.
        a: Vec<String>,
        /// The other side.
        b: Vec<String>,
    },
    /// Everything sent between the two takes this long.
    Slow {
        /// One side.
        a: Vec<String>,
        /// The other side.
        b: Vec<String>,
        /// One way.
        latency: Duration,
    },
}

/// Names a fault that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

/// What a link between two hosts does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LinkState {
    cut_there: bool,
    cut_back: bool,
    held: bool,
    latency: Option<Duration>,
}

/// Shortest and longest latency, one way.
pub type Latency = (Duration, Duration);

/// The faults that are active, and the link states that follow from them.
#[derive(Debug)]
pub struct Network {
    latency: Latency,
    /// The latencies of links that have their own.
    own_latency: BTreeMap<(String, String), Latency>,
    next: u64,
    active: BTreeMap<FaultId, NetFault>,
    /// The states that have been applied. Links that are not listed are healthy.
    applied: BTreeMap<(String, String), LinkState>,
}

impl Network {
    /// A healthy network with the latencies of the world.
    #[must_use]
    pub fn new(latency: Latency) -> Self {
        Self {
            latency,
            own_latency: BTreeMap::new(),
            next: 0,
            active: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    /// Gives the link between two hosts a latency of its own, to which it returns after faults. The shortest and the longest
    /// are a whole number of milliseconds apart.
    pub fn set_latency(&mut self, sim: &turmoil::Sim<'_>, a: &str, b: &str, latency: Latency) {
        set_latency(sim, (a, b), latency);
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        let link = (first.to_owned(), second.to_owned());
        self.own_latency.insert(link, latency);
    }

    /// Starts a fault.
    pub fn start(&mut self, sim: &turmoil::Sim<'_>, fault: NetFault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.active.insert(id, fault);
        self.apply(sim);
        id
    }

    /// Ends a fault. Other faults on the same links stay active.
    pub fn stop(&mut self, sim: &turmoil::Sim<'_>, id: FaultId) {
        self.active.remove(&id);
        self.apply(sim);
    }

    fn apply(&mut self, sim: &turmoil::Sim<'_>) {
        let wanted = self.wanted();
        let mut links: BTreeSet<(String, String)> = wanted.keys().cloned().collect();
        links.extend(self.applied.keys().cloned());
        for link in links {
            let old = self.applied.get(&link).copied().unwrap_or_default();
            let new = wanted.get(&link).copied().unwrap_or_default();
            if old != new {
                let normal = self.own_latency.get(&link).unwrap_or(&self.latency);
                change(sim, &link, old, new, *normal);
            }
        }
        self.applied = wanted;
    }

    fn wanted(&self) -> BTreeMap<(String, String), LinkState> {
        let mut links: BTreeMap<(String, String), LinkState> = BTreeMap::new();
        for fault in self.active.values() {
            let (a, b) = match fault {
                NetFault::Cut { from, to } => (from, to),
                NetFault::Hold { a, b } | NetFault::Slow { a, b, .. } => (a, b),
            };
            for (a, b) in a.iter().flat_map(|a| b.iter().map(move |b| (a, b))) {
                let there = a < b;
                let (first, second) = if there { (a, b) } else { (b, a) };
                let link = links.entry((first.clone(), second.clone())).or_default();
                match fault {
                    NetFault::Cut { .. } if there => link.cut_there = true,
                    NetFault::Cut { .. } => link.cut_back = true,
                    NetFault::Hold { .. } => link.held = true,
                    NetFault::Slow { latency, .. } => {
                        link.latency = Some(link.latency.map_or(*latency, |l| l.max(*latency)));
                    }
                }
            }
        }
        links
    }
}

/// Sets both bounds of a link. The first call sets both to the lower one, the second raises the upper one.
fn set_latency(sim: &turmoil::Sim<'_>, (a, b): (&str, &str), (shortest, longest): Latency) {
    sim.set_link_latency(a, b, shortest);
    sim.set_link_max_message_latency(a, b, longest);
}

fn change(
    sim: &turmoil::Sim<'_>,
    (a, b): &(String, String),
    old: LinkState,
    new: LinkState,
    normal: Latency,
) {
    let (a, b) = (a.as_str(), b.as_str());
    if old.latency != new.latency {
        match new.latency {
            Some(latency) => sim.set_link_latency(a, b, latency),
            None => set_latency(sim, (a, b), normal),
        }
    }
    let flow = |state: LinkState| (state.cut_there, state.cut_back, state.held);
    if flow(old) == flow(new) {
        return;
    }
    // To the healthy state first, which is also where held messages are let go. The simulator's documentation says that
    // holds and one-way partitions are not to be combined, since a hold sets both directions; but a one-way partition
    // *after* it changes and drops its own direction only, and nothing moves before the next step.
    if old.held {
        sim.release(a, b);
    } else {
        sim.repair(a, b);
    }
    if new.held {
        sim.hold(a, b);
    }
    if new.cut_there {
        sim.partition_oneway(a, b);
    }
    if new.cut_back {
        sim.partition_oneway(b, a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn with(faults: Vec<NetFault>) -> BTreeMap<(String, String), LinkState> {
        let mut network = Network::new((Duration::ZERO, Duration::ZERO));
        for (id, fault) in faults.into_iter().enumerate() {
            network.active.insert(FaultId(id as u64), fault);
        }
        network.wanted()
    }

    fn cut(from: &[&str], to: &[&str]) -> NetFault {
        NetFault::Cut {
            from: names(from),
            to: names(to),
        }
    }

    #[test]
    fn overlapping_faults_add_up_and_directions_are_kept_apart() {
        let links = with(vec![
            cut(&["a"], &["x", "y"]),
            cut(&["y"], &["a"]),
            NetFault::Hold {
                a: names(&["a"]),
                b: names(&["y", "z"]),
            },
            NetFault::Slow {
                a: names(&["z"]),
                b: names(&["a"]),
                latency: Duration::from_millis(3),
            },
            NetFault::Slow {
                a: names(&["a"]),
                b: names(&["z"]),
                latency: Duration::from_millis(9),
            },
        ]);
        let link = |a: &str, b: &str| links[&(a.to_owned(), b.to_owned())];
        assert_eq!(
            link("a", "x"),
            LinkState {
                cut_there: true,
                ..LinkState::default()
            }
        );
        assert_eq!(
            link("a", "y"),
            LinkState {
                cut_there: true,
                cut_back: true,
                held: true,
                ..LinkState::default()
            }
        );
        assert_eq!(
            link("a", "z"),
            LinkState {
                held: true,
                latency: Some(Duration::from_millis(9)),
                ..LinkState::default()
            }
        );
        assert_eq!(links.len(), 3);
    }

    /// Sends back what it is sent.
    async fn echo() -> turmoil::Result {
        let socket = turmoil::net::UdpSocket::bind("0.0.0.0:9").await?;
        let mut buf = [0; 8];
        loop {
            let (n, from) = socket.recv_from(&mut buf).await?;
            socket.send_to(&buf[..n], from).await?;
        }
    }

    /// Pings of a real simulated link under the faults that `steps` start and stop, one second each.
    fn pings(steps: Vec<(Vec<NetFault>, &'static [usize])>) -> Vec<bool> {
        use std::cell::RefCell;
        use std::rc::Rc;
        let mut sim = super::super::WorldOptions::with_seed(1).build();
        sim.host("server", echo);
        let answered = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&answered);
        let count = steps.len();
        sim.client("client", async move {
            let socket = turmoil::net::UdpSocket::bind("0.0.0.0:0").await?;
            for i in 0..count {
                tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(100))
                    .await;
                socket.send_to(&[i as u8], "server:9").await?;
                let mut buf = [0; 8];
                let wait =
                    tokio::time::timeout(Duration::from_millis(400), socket.recv_from(&mut buf));
                let answered = wait.await.is_ok();
                seen.borrow_mut().push(answered);
                tokio::time::sleep(Duration::from_millis(2)).await;
                let until = Duration::from_secs(i as u64 + 1);
                tokio::time::sleep(until.saturating_sub(turmoil::elapsed())).await;
            }
            Ok(())
        });
        let mut network = Network::new((Duration::from_millis(1), Duration::from_millis(5)));
        let mut ids = Vec::new();
        for (i, (start, stop)) in steps.into_iter().enumerate() {
            for fault in start {
                ids.push(network.start(&sim, fault));
            }
            for &index in stop {
                network.stop(&sim, ids[index]);
            }
            while sim.elapsed() < Duration::from_secs(i as u64 + 1) {
                let _ = sim.step();
            }
        }
        answered.take()
    }

    #[test]
    fn a_link_with_a_latency_of_its_own_comes_back_to_it() {
        use std::cell::RefCell;
        use std::rc::Rc;
        let mut sim = super::super::WorldOptions::with_seed(1).build();
        sim.host("server", echo);
        let took = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&took);
        sim.client("client", async move {
            let socket = turmoil::net::UdpSocket::bind("0.0.0.0:0").await?;
            for second in 1..=3 {
                let sent = turmoil::elapsed();
                socket.send_to(&[0], "server:9").await?;
                socket.recv_from(&mut [0; 8]).await?;
                let ms = (turmoil::elapsed() - sent).as_millis();
                seen.borrow_mut().push(ms);
                tokio::time::sleep(Duration::from_secs(second) - turmoil::elapsed()).await;
            }
            Ok(())
        });
        let ms = Duration::from_millis;
        let mut network = Network::new((ms(1), ms(5)));
        network.set_latency(&sim, "server", "client", (ms(50), ms(50)));
        let step_until = |sim: &mut turmoil::Sim<'_>, second| {
            while sim.elapsed() < Duration::from_secs(second) {
                let _ = sim.step();
            }
        };
        step_until(&mut sim, 1);
        let slow = NetFault::Slow {
            a: names(&["client"]),
            b: names(&["server"]),
            latency: ms(200),
        };
        let slow = network.start(&sim, slow);
        step_until(&mut sim, 2);
        network.stop(&sim, slow);
        step_until(&mut sim, 3);
        let took = took.take();
        // Messages arrive at ticks of 2 ms.
        let near = |ms: u128, expected: u128| (expected..expected + 8).contains(&ms);
        assert!(
            near(took[0], 100) && near(took[1], 400) && near(took[2], 100),
            "{took:?}"
        );
    }

    #[test]
    fn a_link_heals_only_when_the_last_of_its_faults_is_over() {
        let answered = pings(vec![
            (vec![], &[]),
            (
                vec![cut(&["client"], &["server"]), cut(&["server"], &["client"])],
                &[],
            ),
            (vec![], &[0]),
            (vec![], &[1]),
        ]);
        assert_eq!(answered, [true, false, false, true]);
    }

    #[test]
    fn a_one_way_cut_and_a_hold_on_one_link_end_one_by_one() {
        let hold = || NetFault::Hold {
            a: names(&["client"]),
            b: names(&["server"]),
        };
        let answered = pings(vec![
            (vec![cut(&["server"], &["client"])], &[]),
            (vec![hold()], &[]),
            (vec![], &[0]),
            (vec![], &[1]),
        ]);
        assert_eq!(answered, [false, false, false, true]);
        let answered = pings(vec![
            (vec![hold(), cut(&["client"], &["server"])], &[]),
            (vec![], &[0]),
            (vec![], &[1]),
        ]);
        assert_eq!(answered, [false, false, true]);
    }
}
