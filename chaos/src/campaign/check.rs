//! What a campaign must not say, each with its line.

use std::ops::Range as Span;

use crate::invariant;
use crate::plan::{CLIENT_NAMES, Fault, HUB_NAMES};

use super::value::Range;
use super::{Campaign, CampaignError};

/// Reads and checks the text of a campaign. `file` is its name, for errors.
///
/// # Errors
/// If it says something that cannot be.
pub fn parse(name: &str, file: &str, text: &str) -> Result<Campaign, CampaignError> {
    let checker = Checker { file, text };
    let mut campaign: Campaign =
        toml::from_str(text).map_err(|e| checker.error(e.span(), e.message()))?;
    name.clone_into(&mut campaign.name);
    checker.cluster(&campaign)?;
    checker.workload(&campaign)?;
    checker.faults(&campaign)?;
    checker.rest(&campaign)?;
    Ok(campaign)
}

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
}

impl Checker<'_> {
    fn cluster(&self, campaign: &Campaign) -> Result<(), CampaignError> {
        let span = campaign.cluster.span();
        let cluster = campaign.cluster.get_ref();
        let within = |what: &str, range: Range, min: u64, max: u64| {
            self.within(&span, what, range, min, max)
        };
        within("cluster.hubs", cluster.hubs, 1, HUB_NAMES.len() as u64)?;
        within("cluster.threshold", cluster.threshold, 1, u64::MAX)?;
        if cluster.threshold.from > cluster.hubs.from {
            return Err(self.error(
                Some(span),
                &format!(
                    "cluster.threshold is {} and cluster.hubs {}: the threshold cannot be larger than the number of hubs",
                    cluster.threshold, cluster.hubs
                ),
            ));
        }
        within(
            "cluster.clients",
            cluster.clients,
            2,
            CLIENT_NAMES.len() as u64,
        )?;
        within("cluster.latency_ms", cluster.latency_ms, 0, 1_000)?;
        within("cluster.tick_ms", Range::just(cluster.tick_ms), 1, 100)?;
        within(
            "cluster.psrd_block_bytes",
            cluster.psrd_block_bytes,
            256,
            1 << 24,
        )?;
        within(
            "cluster.psrd_low_water_bytes",
            cluster.psrd_low_water_bytes,
            1,
            1 << 24,
        )?;
        within(
            "cluster.request_timeout_ms",
            Range::just(cluster.request_timeout_ms),
            10,
            60_000,
        )?;
        within(
            "cluster.call_deadline_ms",
            Range::just(cluster.call_deadline_ms),
            100,
            60_000,
        )?;
        within("cluster.grace_ms", Range::just(cluster.grace_ms), 0, 60_000)?;
        within(
            "cluster.share_ttl_ms",
            Range::just(cluster.share_ttl_ms),
            1_000,
            600_000,
        )
    }

    fn workload(&self, campaign: &Campaign) -> Result<(), CampaignError> {
        let span = campaign.workload.span();
        let workload = campaign.workload.get_ref();
        let within = |what: &str, range: Range, min: u64, max: u64| {
            self.within(&span, what, range, min, max)
        };
        within(
            "workload.duration_s",
            Range::just(workload.duration_s),
            2,
            3_600,
        )?;
        within(
            "workload.calls_per_second",
            Range::just(workload.calls_per_second),
            1,
            200,
        )?;
        within("workload.number", workload.number, 1, 128)?;
        let ttl = campaign.cluster.get_ref().share_ttl_ms;
        within(
            "workload.fetch_after_ms",
            workload.fetch_after_ms,
            0,
            ttl / 2,
        )?;
        within(
            "workload.intruder_percent",
            Range::just(workload.intruder_percent.into()),
            0,
            100,
        )?;
        within(
            "workload.fetch_twice_percent",
            Range::just(workload.fetch_twice_percent.into()),
            0,
            100,
        )?;
        within(
            "workload.group_percent",
            Range::just(workload.group_percent.into()),
            0,
            100,
        )?;
        if workload.group_percent > 0 && campaign.cluster.get_ref().clients.from < 3 {
            let message =
                "workload.group_percent needs a third client; set cluster.clients to 3 or more";
            return Err(self.error(Some(span), message));
        }
        if workload.intruder_percent > 0 && campaign.cluster.get_ref().clients.from < 3 {
            let message =
                "workload.intruder_percent needs a third client; set cluster.clients to 3 or more";
            return Err(self.error(Some(span), message));
        }
        let bad = workload
            .bits
            .iter()
            .find(|bits| !(64..=65_536).contains(*bits) || *bits % 8 != 0);
        match bad {
            Some(bits) => Err(self.error(
                Some(span),
                &format!("workload.bits must be multiples of 8 from 64 to 65536, not {bits}"),
            )),
            None if workload.bits.is_empty() => {
                Err(self.error(Some(span), "workload.bits must name at least one key size"))
            }
            None => Ok(()),
        }
    }

    fn faults(&self, campaign: &Campaign) -> Result<(), CampaignError> {
        let heal_ms = campaign.workload.get_ref().duration_s * 1000;
        for fault in &campaign.faults {
            let span = fault.span();
            let fault = fault.get_ref();
            let kind = fault.kind.get_ref().as_str();
            if !Fault::KINDS.contains(&kind) {
                let message = format!(
                    "there is no fault {kind:?}; there are {}",
                    Fault::KINDS.join(", ")
                );
                return Err(self.error(Some(fault.kind.span()), &message));
            }
            let within = |what: &str, range: Range, min: u64, max: u64| {
                self.within(&span, what, range, min, max)
            };
            within("faults.duration_ms", fault.duration_ms, 1, heal_ms)?;
            within(
                "faults.clients",
                fault.clients,
                1,
                CLIENT_NAMES.len() as u64,
            )?;
            match (fault.per_minute, fault.at_ms) {
                (Some(per_minute), None) => {
                    within("faults.per_minute", Range::just(per_minute), 1, 6_000)?
                }
                (None, Some(at_ms)) => within("faults.at_ms", Range::just(at_ms), 0, heal_ms - 1)?,
                _ => return Err(self.error(Some(span), "a fault has either per_minute or at_ms")),
            }
            let needs_strength =
                matches!(kind, "slow-link" | "slow-hub" | "flood" | "rogue-client");
            match fault.strength {
                Some(strength) if needs_strength => within("faults.strength", strength, 1, 10_000)?,
                None if !needs_strength => {}
                Some(_) => return Err(self.error(Some(span), &format!("{kind} has no strength"))),
                None => {
                    let message = format!(
                        "{kind} needs a strength: latency or delay in milliseconds, or messages a second"
                    );
                    return Err(self.error(Some(span), &message));
                }
            }
        }
        Ok(())
    }

    fn rest(&self, campaign: &Campaign) -> Result<(), CampaignError> {
        let seeds = &campaign.seeds;
        self.within(
            &seeds.span(),
            "seeds",
            Range::just(*seeds.get_ref()),
            1,
            1_000_000,
        )?;
        if let Some(lies) = &campaign.lies {
            self.within(
                &lies.span(),
                "lies.rate_percent",
                lies.get_ref().rate_percent,
                1,
                100,
            )?;
            if lies.get_ref().kinds.as_ref().is_some_and(Vec::is_empty) {
                return Err(self.error(
                    Some(lies.span()),
                    "lies.kinds must name at least one lie, or be left out",
                ));
            }
        }
        if let Some(breaks) = &campaign.expect.breaks {
            let names = invariant::ALL.map(|(name, _)| name);
            if !names.contains(&breaks.get_ref().as_str()) {
                let message = format!(
                    "there is no invariant {:?}; there are {}",
                    breaks.get_ref(),
                    names.join(", ")
                );
                return Err(self.error(Some(breaks.span()), &message));
            }
        }
        Ok(())
    }

    fn within(
        &self,
        span: &Span<usize>,
        what: &str,
        range: Range,
        min: u64,
        max: u64,
    ) -> Result<(), CampaignError> {
        if range.from >= min && range.to <= max {
            return Ok(());
        }
        // The parser knows where the section begins; the field's line is looked for from there.
        let field = what.rsplit('.').next().unwrap_or(what);
        let section = self.text.get(span.start..).unwrap_or_default();
        let mut at = span.start;
        let mut found = None;
        for (index, line) in section.split_inclusive('\n').enumerate() {
            if index > 0 && line.starts_with('[') {
                break;
            }
            if line.starts_with(field) {
                found = Some(at);
            }
            at += line.len();
        }
        let at = found.unwrap_or(span.start);
        let allowed = if max == u64::MAX {
            format!("at least {min}")
        } else {
            format!("{min} to {max}")
        };
        Err(self.error(
            Some(at..at),
            &format!("{what} must be {allowed}, not {range}"),
        ))
    }

    fn error(&self, span: Option<Span<usize>>, message: &str) -> CampaignError {
        let line = |span: Span<usize>| {
            let before = self.text.get(..span.start).unwrap_or(self.text);
            before.matches('\n').count() + 1
        };
        CampaignError {
            file: self.file.to_owned(),
            line: span.map(line),
            // The parser's messages may have several lines.
            message: message.lines().collect::<Vec<_>>().join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "about = \"x\"\nseeds = 1\n[cluster]\nhubs = 5\nthreshold = 3\n[workload]\nduration_s = 5\ncalls_per_second = 1\n";

    fn error(text: &str) -> String {
        let error = parse("x", "x.toml", text).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }

    #[test]
    fn every_campaign_that_comes_with_the_command_is_valid() {
        for name in super::super::names() {
            super::super::load(name).unwrap_or_else(|e| panic!("{e}"));
        }
        assert!(parse("x", "x.toml", SMALL).is_ok());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line_and_what_is_allowed() {
        for (from, to, expected) in [
            (
                "threshold = 3",
                "threshold = 6",
                "x.toml:3: cluster.threshold is 6 and cluster.hubs 5: the threshold cannot be larger",
            ),
            ("seeds = 1", "seeds = 0", "x.toml:2: seeds must be 1 to"),
            (
                "hubs = 5",
                "hubs = [5, 4]",
                "x.toml:4: the range [5, 4] is the wrong way round",
            ),
            (
                "hubs = 5",
                "hubs = 99",
                "x.toml:4: cluster.hubs must be 1 to 16, not 99",
            ),
            (
                "hubs = 5",
                "hubs = \"many\"",
                "x.toml:4: expected a whole number, or a range such as [1, 5]",
            ),
            (
                "hubs = 5",
                "hubz = 5",
                "x.toml:4: unknown field `hubz`, expected one of `hubs`",
            ),
            (
                "hubs = 5",
                "hubs = 5\nkey_source = \"dice\"",
                "x.toml:5: expected \"generator\", \"psrd\", or a list of them",
            ),
            (
                "hubs = 5",
                "hubs = 5\nkey_source = []",
                "x.toml:5: the list is empty",
            ),
            (
                "duration_s = 5",
                "duration_s = 1",
                "x.toml:7: workload.duration_s must be 2 to 3600, not 1",
            ),
            (
                "calls_per_second = 1",
                "calls_per_second = 1\n[expect]\nbreaks = \"x\"",
                "x.toml:10: there is no invariant \"x\"; there are agreement",
            ),
            ("seeds = 1", "seeds = ", "x.toml:2: "),
        ] {
            assert!(SMALL.contains(from));
            let said = error(&SMALL.replacen(from, to, 1));
            assert!(said.starts_with(expected), "{to}: {said}");
        }
    }

    #[test]
    fn faults_and_lies_are_checked() {
        for (more, expected) in [
            (
                "[[faults]]\nkind = \"quake\"\nper_minute = 1\nduration_ms = 5",
                "x.toml:10: there is no fault \"quake\"; there are partition,",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nduration_ms = 5",
                "a fault has either per_minute or at_ms",
            ),
            (
                "[[faults]]\nkind = \"flood\"\nper_minute = 1\nduration_ms = 5",
                "flood needs a strength",
            ),
            (
                "[[faults]]\nkind = \"rogue-client\"\nper_minute = 1\nduration_ms = 5",
                "rogue-client needs a strength",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nper_minute = 1\nduration_ms = 5\nstrength = 1",
                "hold has no strength",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nper_minute = 1\nduration_ms = 99999",
                "faults.duration_ms must be 1 to 5000",
            ),
            (
                "[lies]\nliars = \"some\"\nrate_percent = 5",
                "or one of \"N\", \"N-K\", \"K\", \"K-1\"",
            ),
            (
                "[lies]\nliars = 1\nrate_percent = 101",
                "lies.rate_percent must be 1 to 100",
            ),
            (
                "[lies]\nliars = 1\nkinds = [\"fib\"]\nrate_percent = 5",
                "unknown variant `fib`, expected one of `corrupt-share`",
            ),
            (
                "[lies]\nliars = 1\nkinds = []\nrate_percent = 5",
                "lies.kinds must name at least one lie",
            ),
        ] {
            let said = error(&format!("{SMALL}{more}\n"));
            assert!(said.contains(expected), "{more}: {said}");
        }
    }

    #[test]
    fn a_third_client_is_needed_for_an_intruder_and_for_a_group() {
        for percent in ["intruder_percent", "group_percent"] {
            let text = SMALL.replacen("hubs = 5", "hubs = 5\nclients = 2", 1);
            let said = error(&format!("{text}{percent} = 5\n"));
            assert!(said.contains("needs a third client"), "{said}");
        }
    }
}
