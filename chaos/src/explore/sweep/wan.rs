//! How long a key takes between cities: with all hubs up, and with the one nearest to the clients down, slow or lying.

use serde::Serialize;

use super::cities::{self, CONTINENTAL, City, INTERCONTINENTAL, METRO};
use super::exchange::{Exchange, Rate, exchanges, quantile_ms};
use super::lab::Lab;
use super::setup::{Setup, ask, close, liar, throughout};
use crate::plan::{Fault, Lie, Plan};

/// N and K.
pub(crate) const CLUSTER: (u8, u8) = (5, 3);

/// A part of the world. Milliseconds are real ones.
struct Profile {
    name: &'static str,
    cities: ([City; 2], [City; 5]),
    /// The simulator cuts time into milliseconds, which is too coarse for short ways. So simulated time is stretched: so
    /// many simulated milliseconds are a real one. Every latency, time-out and delay is, so that nothing else changes.
    stretch: u64,
    /// Between two calls: longer than a key takes, so that one does not wait for another.
    every_ms: u64,
    request_timeout_ms: u64,
    call_deadline_ms: u64,
}

const PROFILES: [Profile; 3] = [
    Profile {
        name: "metro",
        cities: METRO,
        stretch: 20,
        every_ms: 4,
        request_timeout_ms: 300,
        call_deadline_ms: 400,
    },
    Profile {
        name: "continental",
        cities: CONTINENTAL,
        stretch: 4,
        every_ms: 200,
        request_timeout_ms: 600,
        call_deadline_ms: 1_000,
    },
    Profile {
        name: "intercontinental",
        cities: INTERCONTINENTAL,
        stretch: 1,
        every_ms: 800,
        request_timeout_ms: 1_000,
        call_deadline_ms: 2_000,
    },
];

/// What is wrong with the hub that is nearest to both clients together.
const CONDITIONS: [&str; 4] = ["all-up", "one-down", "one-slow", "one-lying"];

/// How late the slow hub is.
pub(crate) const SLOW_MS: u64 = 100;

/// Grace periods: none, and the one that campaigns have.
const GRACE_MS: [u64; 2] = [0, 200];

/// A 99th percentile needs more keys than a rate does.
const KEYS_A_SAMPLE: usize = 5;

/// Keys of a run at most.
const KEYS_MAX: usize = 50;

/// Keys under the same conditions. Times are those of keys that arrived, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The part of the world.
    pub profile: String,
    /// What is wrong with the nearest hub.
    pub condition: String,
    /// How long the master waits for the other hubs once K have its shares.
    pub grace_ms: u64,
    /// How finely time was cut.
    pub resolution_ms: f64,
    /// Keys that both sides got, of those that were asked for.
    #[serde(flatten)]
    pub arrived: Rate,
    /// Median of the master's call.
    pub establish_p50_ms: f64,
    /// 99th percentile of the master's call.
    pub establish_p99_ms: f64,
    /// Median of the slave's call.
    pub fetch_p50_ms: f64,
    /// 99th percentile of the slave's call.
    pub fetch_p99_ms: f64,
    /// Median of both together.
    pub both_p50_ms: f64,
    /// 99th percentile of both together.
    pub both_p99_ms: f64,
}

/// How far a hub is away from a client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// The part of the world.
    pub profile: String,
    /// Whose client it is: the master's or the slave's.
    pub role: String,
    /// City of the client.
    pub client: String,
    /// City of the hub.
    pub hub: String,
    /// Along a great circle.
    pub distance_km: f64,
    /// What light takes.
    pub one_way_ms: f64,
    /// Mean of what comes on top of it.
    pub jitter_ms: f64,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> (Vec<Point>, Vec<Link>) {
    let mut setup = Setup::new(lab, "cities");
    let keys = (KEYS_A_SAMPLE * lab.samples(), KEYS_MAX);
    let mut conditions = Vec::new();
    for profile in &PROFILES {
        for condition in CONDITIONS {
            for grace_ms in GRACE_MS {
                conditions.push((profile, condition, grace_ms));
            }
        }
    }
    let plan = |(profile, condition, grace_ms): (&Profile, _, _), keys| {
        let plan = setup.plan(CLUSTER.0, CLUSTER.1);
        profile.plan(plan, keys, condition, grace_ms)
    };
    // The first call of a run opens the connections of the SAEs, and is left out.
    let found = lab.run_each(&conditions, keys, plan, |facts| {
        exchanges(facts).split_off(1)
    });
    let points = conditions.iter().zip(found);
    let points = points.map(|(&(profile, condition, grace_ms), found)| {
        profile.point(condition, grace_ms, &found.concat())
    });
    (
        points.collect(),
        PROFILES.iter().flat_map(Profile::links).collect(),
    )
}

impl Profile {
    fn plan(&self, mut plan: Plan, keys: usize, condition: &str, grace_ms: u64) -> Plan {
        let cluster = &mut plan.cluster;
        // SAEs run on the machines of their clients.
        cluster.latency_ms = (0, 0);
        cluster.tick_ms = 1;
        cluster.link_latency_ms = self.latencies();
        cluster.request_timeout_ms = self.stretch * self.request_timeout_ms;
        cluster.call_deadline_ms = self.stretch * self.call_deadline_ms;
        cluster.grace_ms = self.stretch * grace_ms;
        // Longer than a master may wait before its slave asks.
        cluster.share_ttl_ms = (cluster.call_deadline_ms + cluster.grace_ms).max(3_000);
        let hub = self.nearest();
        match condition {
            "one-down" => plan.faults = vec![throughout(Fault::CrashHub { hub })],
            "one-slow" => {
                let delay_ms = self.stretch * SLOW_MS;
                plan.faults = vec![throughout(Fault::SlowHub { hub, delay_ms })];
            }
            "one-lying" => plan.liars = vec![liar(hub, &[Lie::CorruptShare])],
            _ => {}
        }
        ask(&mut plan, keys + 1, 4_000, self.stretch * self.every_ms);
        close(&mut plan);
        plan
    }

    /// In simulated milliseconds: from what light takes to five times the mean jitter more, between which the simulator
    /// draws from an exponential distribution of that mean.
    fn latencies(&self) -> Vec<Vec<(u64, u64)>> {
        let (clients, hubs) = &self.cities;
        let stretched = |ms: f64| (ms * self.stretch as f64).round() as u64;
        let link = |client: City, hub: City| {
            let way_ms = cities::one_way_ms(client, hub);
            let most_ms = way_ms + 5.0 * cities::jitter_ms(way_ms);
            (stretched(way_ms), stretched(most_ms))
        };
        let row = |&client: &City| hubs.iter().map(|&hub| link(client, hub)).collect();
        clients.iter().map(row).collect()
    }

    fn nearest(&self) -> usize {
        let ([master, slave], hubs) = self.cities;
        let ways = hubs
            .iter()
            .map(|&hub| cities::one_way_ms(master, hub) + cities::one_way_ms(slave, hub));
        let nearest = ways.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.map_or(0, |(hub, _)| hub)
    }

    fn links(&self) -> Vec<Link> {
        let (clients, hubs) = self.cities;
        let pairs = ["master", "slave"].into_iter().zip(clients);
        let pairs = pairs.flat_map(|client| hubs.map(|hub| (client, hub)));
        pairs
            .map(|((role, client), hub)| {
                let one_way_ms = cities::one_way_ms(client, hub);
                Link {
                    profile: self.name.to_owned(),
                    role: role.to_owned(),
                    client: client.name.to_owned(),
                    hub: hub.name.to_owned(),
                    distance_km: rounded(cities::distance_km(client, hub)),
                    one_way_ms: rounded(one_way_ms),
                    jitter_ms: rounded(cities::jitter_ms(one_way_ms)),
                }
            })
            .collect()
    }

    fn point(&self, condition: &str, grace_ms: u64, keys: &[Exchange]) -> Point {
        let arrived = keys.iter().filter(|key| key.fetch_us.is_some());
        let real_ms = |of: fn(Exchange) -> Option<u64>, quantile: f64| {
            let mut values: Vec<u64> = arrived.clone().filter_map(|&key| of(key)).collect();
            quantile_ms(&mut values, quantile) / self.stretch as f64
        };
        Point {
            profile: self.name.to_owned(),
            condition: condition.to_owned(),
            grace_ms,
            resolution_ms: 1.0 / self.stretch as f64,
            arrived: Rate::count(keys.iter().map(|key| key.fetch_us.is_some())),
            establish_p50_ms: real_ms(|key| key.establish_us, 0.5),
            establish_p99_ms: real_ms(|key| key.establish_us, 0.99),
            fetch_p50_ms: real_ms(|key| key.fetch_us, 0.5),
            fetch_p99_ms: real_ms(|key| key.fetch_us, 0.99),
            both_p50_ms: real_ms(Exchange::both_us, 0.5),
            both_p99_ms: real_ms(Exchange::both_us, 0.99),
        }
    }
}

/// To a thousandth: more digits would pretend more than is known, and may differ between machines.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_makes_plans_that_can_be_run() {
        let base = crate::campaign::load("calm").unwrap().plan(1);
        for profile in &PROFILES {
            for condition in CONDITIONS {
                let mut plan = base.clone();
                (plan.calls, plan.cluster.clients) = (Vec::new(), 2);
                let plan = profile.plan(plan, 10, condition, 200);
                assert_eq!(plan.check(), Ok(()), "{} {condition}", profile.name);
                let troubles = plan.faults.len() + plan.liars.len();
                assert_eq!(troubles, usize::from(condition != "all-up"));
            }
        }
    }

    #[test]
    fn latencies_are_stretched_light_and_jitter() {
        let [_, continental, _] = &PROFILES;
        let latencies = continental.latencies();
        // Toronto to San Francisco: 3,640 km, 27.3 ms, and five times 0.57 ms of jitter.
        let (shortest, longest) = latencies[0][3];
        assert!((108..=110).contains(&shortest), "{shortest}");
        assert!((119..=122).contains(&longest), "{longest}");
        assert_eq!((latencies.len(), latencies[0].len()), (2, 5));
    }
}
