//! What makes a plan unusable. Drawn plans pass by construction; the check is for plans that people write and for those that
//! the shrinker derives.

use std::collections::BTreeSet;

use super::flaw::{Flaw, Part};
use super::limits;
use super::{Liar, Plan, PlannedCall, PlannedFault};

impl Plan {
    /// Checks that it can be run, and that its invariants then have a meaning.
    ///
    /// # Errors
    /// The first flaw.
    pub fn check(&self) -> Result<(), Flaw> {
        self.check_cluster()?;
        self.check_times()?;
        self.check_calls()?;
        self.check_faults()?;
        self.check_liars()
    }

    fn check_cluster(&self) -> Result<(), Flaw> {
        let (part, cluster) = (Part::Cluster, &self.cluster);
        let (hubs, threshold) = (u64::from(cluster.hubs), u64::from(cluster.threshold));
        part.within("hubs", hubs, limits::HUBS)?;
        part.within("threshold", threshold, 1..=hubs)?;
        part.within("clients", cluster.clients.into(), limits::CLIENTS)?;
        let saes = cluster.saes_per_client.into();
        part.within("saes_per_client", saes, limits::SAES_PER_CLIENT)?;
        let most = *limits::CLIENTS.end() * *limits::HUBS.end();
        let links = cluster.link_latency_ms.iter().flatten();
        let own = links.clone().count() as u64;
        part.within("link_latency_ms", own, 0..=most)?;
        // Where every link between a client and a hub has its own latency, only the SAEs are left, and an SAE may run on
        // the machine of its client.
        let at_least = match own == u64::from(cluster.clients) * hubs {
            true => 0,
            false => *limits::LATENCY_MS.start(),
        };
        let others = std::iter::once((at_least, &cluster.latency_ms));
        let links = links.map(|latency_ms| (*limits::LATENCY_MS.start(), latency_ms));
        for (at_least, &(shortest, longest)) in links.chain(others) {
            let limit = at_least..=*limits::LATENCY_MS.end();
            part.within("latency_ms", longest, limit)?;
            part.within("latency_ms", shortest, at_least..=longest)?;
        }
        for (field, value, limit) in [
            ("tick_ms", cluster.tick_ms, limits::TICK_MS),
            (
                "psrd_block_bytes",
                cluster.psrd_block_bytes,
                limits::PSRD_BLOCK_BYTES,
            ),
            (
                "psrd_low_water_bytes",
                cluster.psrd_low_water_bytes,
                limits::PSRD_LOW_WATER_BYTES,
            ),
            (
                "request_timeout_ms",
                cluster.request_timeout_ms,
                limits::REQUEST_TIMEOUT_MS,
            ),
            (
                "call_deadline_ms",
                cluster.call_deadline_ms,
                limits::CALL_DEADLINE_MS,
            ),
            ("grace_ms", cluster.grace_ms, limits::GRACE_MS),
            ("share_ttl_ms", cluster.share_ttl_ms, limits::SHARE_TTL_MS),
            ("coalition", cluster.coalition.into(), 0..=hubs),
            (
                "shares_per_hub_max",
                cluster.shares_per_hub_max,
                limits::SHARES_PER_HUB,
            ),
            (
                "share_bytes_per_hub_max",
                cluster.share_bytes_per_hub_max,
                limits::SHARE_BYTES_PER_HUB,
            ),
        ] {
            part.within(field, value, limit)?;
        }
        match self.topology() {
            Ok(_) => Ok(()),
            Err(why) => part.must(false, "", || format!("the nodes refuse the cluster: {why}")),
        }
    }

    fn check_times(&self) -> Result<(), Flaw> {
        let part = Part::Plan;
        part.within("heal_at_ms", self.heal_at_ms, limits::HEAL_AT_MS)?;
        part.within("recovery_ms", self.recovery_ms, limits::RECOVERY_MS)?;
        part.within("end_ms", self.end_ms, limits::END_MS)?;
        // Shares that are still held would break an invariant for no other reason than that the run is too short.
        let shortest = self.shortest_end_ms();
        part.must(self.end_ms >= shortest, "end_ms", || {
            format!(
                "schedule.end_ms must be at least {shortest}, not {}: the last share has to expire within the run",
                self.end_ms
            )
        })
    }

    fn check_calls(&self) -> Result<(), Flaw> {
        let mut ids = BTreeSet::new();
        for (index, call) in self.calls.iter().enumerate() {
            let part = Part::Call(index);
            self.check_call(part, call)?;
            in_order(part, "at_ms", index, |i| self.calls[i].at_ms)?;
            part.must(ids.insert(call.id), "id", || {
                format!("there are two calls of id {}", call.id)
            })?;
        }
        Ok(())
    }

    fn check_call(&self, part: Part, call: &PlannedCall) -> Result<(), Flaw> {
        let saes = u8::try_from(self.saes()).unwrap_or(u8::MAX);
        part.within("at_ms", call.at_ms, limits::FIRST_CALL_MS..=self.end_ms)?;
        part.below("master", call.master, saes)?;
        part.below("slave", call.slave, saes)?;
        // A master may name itself: it then fetches what it has.
        if let Some(also) = call.also {
            part.below("also", also, saes)?;
            part.must(also != call.master && also != call.slave, "also", || {
                "calls.also must be another SAE than the master and the slave".into()
            })?;
        }
        if let Some(intruder) = call.intruder {
            part.below("intruder", intruder, saes)?;
            part.must(
                intruder != call.master && call.slaves().all(|slave| slave != intruder),
                "intruder",
                || "calls.intruder must be another SAE than the master and the slaves".into(),
            )?;
        }
        part.within("bits", call.bits.into(), limits::BITS)?;
        part.must(call.bits.is_multiple_of(8), "bits", || {
            format!("calls.bits must be a multiple of 8, not {}", call.bits)
        })?;
        part.within("number", call.number.into(), limits::NUMBER)?;
        let most = self.cluster.keys_max(call.bits).into();
        part.must(u64::from(call.number) <= most, "number", || {
            format!(
                "calls.number must be at most {most} for keys of {} bits, not {}: blocks of {} bytes carry no more",
                call.bits, call.number, self.cluster.psrd_block_bytes
            )
        })?;
        // A slave that asks when the shares may have expired is no test of anything.
        let ttl_ms = self.cluster.share_ttl_ms;
        part.within("fetch_after_ms", call.fetch_after_ms, 0..=ttl_ms / 2)?;
        part.within(
            "again_after_ms",
            call.again_after_ms,
            limits::AGAIN_AFTER_MS,
        )?;
        part.within("also_after_ms", call.also_after_ms, limits::AGAIN_AFTER_MS)?;
        part.within("tries", call.tries.into(), limits::TRIES)?;
        part.within("together", call.together.into(), limits::TOGETHER)?;
        let most = *limits::NUMBER.end();
        part.must(call.keys() <= most, "together", || {
            format!(
                "calls.together must be at most {} with {} keys in a call, not {}: an SAE fetches {most} keys at once at most",
                most / u64::from(call.number), call.number, call.together
            )
        })
    }

    fn check_faults(&self) -> Result<(), Flaw> {
        for (index, planned) in self.faults.iter().enumerate() {
            let part = Part::Fault(index);
            let PlannedFault {
                at_ms,
                until_ms,
                fault,
            } = planned;
            self.check_period(part, "at_ms", *at_ms, *until_ms)?;
            in_order(part, "at_ms", index, |i| self.faults[i].at_ms)?;
            let limit = fault.kind().strength_limit();
            let mut fault = fault.clone();
            if let (Some((field, strength)), Some(limit)) = (fault.strength_mut(), limit) {
                part.within(field, *strength, limit)?;
            }
            check_indices(part, "hubs", &fault.hubs(), self.cluster.hubs)?;
            check_indices(part, "clients", &fault.clients(), self.cluster.clients)?;
            if let Some((clients, hubs)) = fault.groups_mut() {
                part.must(!clients.is_empty(), "clients", || {
                    "faults.clients must name at least one".into()
                })?;
                part.must(!hubs.is_empty(), "hubs", || {
                    "faults.hubs must name at least one".into()
                })?;
            }
        }
        Ok(())
    }

    fn check_liars(&self) -> Result<(), Flaw> {
        for (index, liar) in self.liars.iter().enumerate() {
            let part = Part::Liar(index);
            let Liar {
                hub,
                from_ms,
                until_ms,
                lies,
                rate_percent,
            } = liar;
            self.check_period(part, "from_ms", *from_ms, *until_ms)?;
            in_order(part, "from_ms", index, |i| self.liars[i].from_ms)?;
            part.below("hub", *hub, self.cluster.hubs)?;
            part.within("rate_percent", (*rate_percent).into(), limits::RATE_PERCENT)?;
            part.must(!lies.is_empty(), "lies", || {
                "liars.lies must name at least one".into()
            })?;
        }
        Ok(())
    }

    fn check_period(
        &self,
        part: Part,
        from: &'static str,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<(), Flaw> {
        part.within("until_ms", until_ms, 1..=self.heal_at_ms)?;
        part.within(from, from_ms, 0..=until_ms - 1)
    }
}

fn in_order(
    part: Part,
    field: &'static str,
    index: usize,
    at_ms: impl Fn(usize) -> u64,
) -> Result<(), Flaw> {
    let Some(before) = index.checked_sub(1).map(&at_ms) else {
        return Ok(());
    };
    part.must(before <= at_ms(index), field, || {
        let (name, at_ms) = (part.name(), at_ms(index));
        format!("{name} must be in order of time; {field} is {before} before, and {at_ms} here")
    })
}

fn check_indices(
    part: Part,
    field: &'static str,
    indices: &[usize],
    number: u8,
) -> Result<(), Flaw> {
    let mut met = BTreeSet::new();
    for index in indices {
        part.below(field, *index, number)?;
        part.must(met.insert(index), field, || {
            format!("{}.{field} names {index} twice", part.name())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, Lie};
    use super::*;
    use crate::campaign::{load, names};

    /// One call, one partition, one liar.
    fn plan() -> Plan {
        let mut plan = load("calm").unwrap().plan(1);
        plan.calls.truncate(2);
        plan.faults.push(PlannedFault {
            at_ms: 1_000,
            until_ms: 2_000,
            fault: Fault::Partition {
                clients: vec![0, 2],
                hubs: vec![1],
            },
        });
        plan.liars.push(Liar {
            hub: 4,
            from_ms: 0,
            until_ms: 9_000,
            lies: vec![Lie::WrongX],
            rate_percent: 50,
        });
        plan
    }

    #[test]
    fn what_is_drawn_has_no_flaw() {
        assert_eq!(plan().check(), Ok(()));
        for name in names() {
            let campaign = load(name).unwrap();
            for seed in 0..30 {
                assert_eq!(campaign.plan(seed).check(), Ok(()), "{name} {seed}");
            }
        }
    }

    #[test]
    fn every_flaw_is_seen_where_it_is() {
        type Spoil = fn(&mut Plan);
        let cases: [(Spoil, Part, &str); 27] = [
            (|p| p.cluster.hubs = 17, Part::Cluster, "must be 1 to 16"),
            (|p| p.cluster.threshold = 6, Part::Cluster, "must be 1 to 5"),
            (|p| p.cluster.clients = 1, Part::Cluster, "must be 2 to 5"),
            (|p| p.cluster.coalition = 6, Part::Cluster, "must be 0 to 5"),
            (
                |p| p.cluster.saes_per_client = 0,
                Part::Cluster,
                "must be 1 to 3",
            ),
            (
                |p| p.cluster.latency_ms = (3, 2),
                Part::Cluster,
                "must be 1 to 2",
            ),
            (|p| p.cluster.tick_ms = 0, Part::Cluster, "must be 1 to 100"),
            (|p| p.end_ms = 30_000, Part::Plan, "has to expire within"),
            (
                |p| p.recovery_ms = 600_001,
                Part::Plan,
                "must be 0 to 600000",
            ),
            (|p| p.calls[0].at_ms = 999, Part::Call(0), "must be 1000 to"),
            (|p| p.calls.swap(0, 1), Part::Call(1), "in order of time"),
            (|p| p.calls[1].id = 0, Part::Call(1), "two calls of id 0"),
            (|p| p.calls[1].master = 3, Part::Call(1), "must be 0 to 2"),
            (
                |p| p.calls[1].also = Some(p.calls[1].master),
                Part::Call(1),
                "another SAE",
            ),
            (|p| p.calls[1].tries = 0, Part::Call(1), "must be 1 to 8"),
            (
                |p| p.calls[0].intruder = Some(p.calls[0].slave),
                Part::Call(0),
                "another SAE",
            ),
            (|p| p.calls[0].bits = 100, Part::Call(0), "multiple of 8"),
            (|p| p.calls[0].number = 0, Part::Call(0), "must be 1 to 128"),
            (
                |p| (p.cluster.psrd_block_bytes, p.calls[0].number) = (256, 99),
                Part::Call(0),
                "blocks of 256 bytes carry no more",
            ),
            (
                |p| p.calls[0].fetch_after_ms = 4_001,
                Part::Call(0),
                "must be 0 to 4000",
            ),
            (
                |p| p.faults[0].at_ms = 2_000,
                Part::Fault(0),
                "must be 0 to 1999",
            ),
            (
                |p| p.faults[0].until_ms = 20_001,
                Part::Fault(0),
                "must be 1 to 20000",
            ),
            (
                |p| p.faults[0].fault = Fault::CrashHub { hub: 5 },
                Part::Fault(0),
                "must be 0 to 4",
            ),
            (
                |p| {
                    p.faults[0].fault = Fault::SlowHub {
                        hub: 0,
                        delay_ms: 0,
                    }
                },
                Part::Fault(0),
                "must be 1 to 10000",
            ),
            (
                |p| {
                    p.faults[0].fault = Fault::Partition {
                        clients: vec![1, 1],
                        hubs: vec![0],
                    }
                },
                Part::Fault(0),
                "names 1 twice",
            ),
            (|p| p.liars[0].lies.clear(), Part::Liar(0), "at least one"),
            (
                |p| p.liars[0].rate_percent = 101,
                Part::Liar(0),
                "must be 1 to 100",
            ),
        ];
        for (spoil, part, words) in cases {
            let mut plan = plan();
            spoil(&mut plan);
            let flaw = plan.check().unwrap_err();
            assert_eq!(flaw.part, part, "{flaw:?}");
            assert!(flaw.message.contains(words), "{flaw:?}");
        }
    }
}
