//! What the distributions of a campaign must not say: numbers within their limits, and what has to go together.

use dske::protocol::limits::BLOCKS_MAX;
use toml::Spanned;

use super::CampaignError;
use super::checker::Checker;
use super::file::{CampaignFile, Distributions};
use super::value::{Count, Range, Swarm};
use crate::plan::limits::{self, Limit};

impl Checker<'_> {
    pub(super) fn distributions(&self, file: CampaignFile) -> Result<Distributions, CampaignError> {
        let missing = |what: &str| {
            let message = format!(
                "[{what}] is missing: a campaign has [cluster] and [workload], or a [schedule]"
            );
            self.error(None, &message)
        };
        if let Some(nemesis) = &file.nemesis {
            let recovery = Range::just(nemesis.get_ref().recovery_ms);
            self.within(
                &nemesis.span(),
                "nemesis.recovery_ms",
                recovery,
                limits::RECOVERY_MS,
            )?;
        }
        let distributions = Distributions {
            swarm: file.swarm.map(Spanned::into_inner).unwrap_or_default(),
            cluster: file.cluster.ok_or_else(|| missing("cluster"))?,
            workload: file.workload.ok_or_else(|| missing("workload"))?,
            faults: file.faults,
            nemesis: file.nemesis.map(Spanned::into_inner).unwrap_or_default(),
            lies: file.lies,
        };
        self.cluster(&distributions)?;
        self.workload(&distributions)?;
        self.faults(&distributions)?;
        self.lies(&distributions)?;
        Ok(distributions)
    }

    fn cluster(&self, campaign: &Distributions) -> Result<(), CampaignError> {
        let span = campaign.cluster.span();
        let cluster = campaign.cluster.get_ref();
        let within =
            |what: &str, range: Range, limit: Limit| self.within(&span, what, range, limit);
        within("cluster.hubs", cluster.hubs, limits::HUBS)?;
        within("cluster.threshold", cluster.threshold, limits::HUBS)?;
        if cluster.threshold.from > cluster.hubs.from {
            let (threshold, hubs) = (cluster.threshold, cluster.hubs);
            let message = format!(
                "cluster.threshold is {threshold} and cluster.hubs {hubs}: the threshold cannot be larger than the number of hubs"
            );
            return Err(self.error(Some(span), &message));
        }
        // A wide swarm draws no more than suits the blocks.
        let held_max = match campaign.swarm {
            Swarm::Wide => *limits::PSRD_LOW_WATER_BYTES.end(),
            _ => cluster.psrd_block_bytes.from * (BLOCKS_MAX as u64 - 1),
        };
        let tick_ms = Range::just(cluster.tick_ms);
        let (block_bytes, low_water) = (cluster.psrd_block_bytes, cluster.psrd_low_water_bytes);
        for (what, range, limit) in [
            ("clients", cluster.clients, limits::CLIENTS),
            (
                "saes_per_client",
                cluster.saes_per_client,
                limits::SAES_PER_CLIENT,
            ),
            ("latency_ms", cluster.latency_ms.all(), limits::LATENCY_MS),
            ("tick_ms", tick_ms, limits::TICK_MS),
            ("psrd_block_bytes", block_bytes, limits::PSRD_BLOCK_BYTES),
            (
                "psrd_low_water_bytes",
                low_water,
                limits::PSRD_LOW_WATER_BYTES,
            ),
            ("psrd_low_water_bytes", low_water, 1..=held_max),
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
            within(&format!("cluster.{what}"), range, limit)?;
        }
        Ok(())
    }

    fn workload(&self, campaign: &Distributions) -> Result<(), CampaignError> {
        let span = campaign.workload.span();
        let workload = campaign.workload.get_ref();
        let percent = |value: u32| Range::just(value.into());
        let durations = 2..=limits::HEAL_AT_MS.end() / 1000;
        let waits = 0..=campaign.cluster.get_ref().share_ttl_ms.from / 2;
        for (what, range, limit) in [
            ("duration_s", Range::just(workload.duration_s), durations),
            ("calls_per_second", workload.calls_per_second, 1..=200),
            ("number", workload.number, limits::NUMBER),
            ("fetch_after_ms", workload.fetch_after_ms, waits),
            (
                "again_after_ms",
                workload.again_after_ms,
                limits::AGAIN_AFTER_MS,
            ),
            (
                "also_after_ms",
                workload.also_after_ms,
                limits::AGAIN_AFTER_MS,
            ),
            ("tries", workload.tries, limits::TRIES),
            ("status_percent", percent(workload.status_percent), 0..=100),
            ("self_percent", percent(workload.self_percent), 0..=100),
            ("together", workload.together, limits::TOGETHER),
            ("burst_percent", percent(workload.burst_percent), 0..=100),
            (
                "intruder_percent",
                percent(workload.intruder_percent),
                0..=100,
            ),
            (
                "fetch_twice_percent",
                percent(workload.fetch_twice_percent),
                0..=100,
            ),
            ("group_percent", percent(workload.group_percent), 0..=100),
            (
                "mistake_percent",
                percent(workload.mistake_percent),
                0..=100,
            ),
        ] {
            self.within(&span, &format!("workload.{what}"), range, limit)?;
        }
        let cluster = campaign.cluster.get_ref();
        if cluster.clients.to * cluster.saes_per_client.to < 3 {
            for (what, percent) in [
                ("group_percent", workload.group_percent),
                ("intruder_percent", workload.intruder_percent),
            ] {
                if percent > 0 {
                    let message = format!(
                        "workload.{what} needs a third SAE; set cluster.clients to 3 or more"
                    );
                    return Err(self.error(Some(span), &message));
                }
            }
        }
        let bad = workload
            .bits
            .iter()
            .find(|bits| !limits::BITS.contains(&u64::from(**bits)) || *bits % 8 != 0);
        match bad {
            Some(bits) => Err(self.error(
                Some(span),
                &format!(
                    "workload.bits must be multiples of 8 from {} to {}, not {bits}",
                    limits::BITS.start(),
                    limits::BITS.end()
                ),
            )),
            None if workload.bits.is_empty() => {
                Err(self.error(Some(span), "workload.bits must name at least one key size"))
            }
            None => Ok(()),
        }
    }

    fn faults(&self, campaign: &Distributions) -> Result<(), CampaignError> {
        let heal_ms = campaign.workload.get_ref().duration_s * 1000;
        for fault in &campaign.faults {
            let span = fault.span();
            let fault = fault.get_ref();
            let kind = fault.kind;
            let within =
                |what: &str, range: Range, limit: Limit| self.within(&span, what, range, limit);
            within("faults.duration_ms", fault.duration_ms, 1..=heal_ms)?;
            within("faults.clients", fault.clients, 1..=*limits::CLIENTS.end())?;
            match (fault.per_minute, fault.at_ms) {
                (Some(per_minute), None) => {
                    within("faults.per_minute", Range::just(per_minute), 1..=6_000)?
                }
                (None, Some(at_ms)) => within("faults.at_ms", Range::just(at_ms), 0..=heal_ms - 1)?,
                _ => return Err(self.error(Some(span), "a fault has either per_minute or at_ms")),
            }
            match (fault.strength, kind.strength_limit()) {
                (Some(strength), Some(limit)) => within("faults.strength", strength, limit)?,
                (None, None) => {}
                (Some(_), None) => {
                    return Err(self.error(Some(span), &format!("{kind} has no strength")));
                }
                (None, Some(_)) => {
                    let message = format!(
                        "{kind} needs a strength: latency or delay in milliseconds, messages a second, or percent lost"
                    );
                    return Err(self.error(Some(span), &message));
                }
            }
        }
        Ok(())
    }

    fn lies(&self, campaign: &Distributions) -> Result<(), CampaignError> {
        if let Some(lies) = &campaign.lies {
            self.within(
                &lies.span(),
                "lies.rate_percent",
                lies.get_ref().rate_percent,
                limits::RATE_PERCENT,
            )?;
            // In a cluster whose size is drawn, fewer hubs lie where there are fewer.
            if let Count::Range(liars) = lies.get_ref().liars {
                let hubs = 0..=campaign.cluster.get_ref().hubs.to;
                self.within(&lies.span(), "lies.liars", liars, hubs)?;
            }
            let heal_ms = campaign.workload.get_ref().duration_s * 1000;
            let duration_ms = lies.get_ref().duration_ms.unwrap_or(Range::just(1));
            self.within(&lies.span(), "lies.duration_ms", duration_ms, 1..=heal_ms)?;
            if lies.get_ref().kinds.as_ref().is_some_and(Vec::is_empty) {
                return Err(self.error(
                    Some(lies.span()),
                    "lies.kinds must name at least one lie, or be left out",
                ));
            }
        }
        Ok(())
    }
}
