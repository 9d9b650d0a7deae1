//! What the numbers mean: did everything hold, and did the campaigns test what they promise?

use std::collections::BTreeSet;

use dske_report::Tone;
use dske_report::text::{count, counted, list};
use maud::{Markup, html};

use crate::summary::{CampaignSummary, Resilience, Violation};

/// A judgement on all that ran.
pub(super) struct Verdict<'a> {
    /// The worst that applies. Broken: an invariant broke, or the check of a negative control saw nothing. Unknown: nothing ran
    /// or nothing was evaluated. Weak: some campaigns did not reach what they promise to reach.
    pub(super) tone: Tone,
    /// Campaigns with broken invariants, by index, and what broke.
    pub(super) broken: Vec<(usize, Vec<&'a Violation>)>,
    /// Negative controls whose break was never seen, by index.
    pub(super) blind: Vec<usize>,
    /// Negative controls whose break was seen, by index.
    pub(super) seen: Vec<usize>,
    /// Campaigns that prove less than they promise, by index.
    pub(super) weak: Vec<usize>,
    campaigns: &'a [CampaignSummary],
}

/// Judges all that ran.
pub(super) fn judge(summary: &Resilience) -> Verdict<'_> {
    let campaigns = &summary.campaigns;
    let indices = |wanted: &dyn Fn(&CampaignSummary) -> bool| -> Vec<usize> {
        (0..campaigns.len())
            .filter(|i| wanted(&campaigns[*i]))
            .collect()
    };
    let broken: Vec<_> = campaigns
        .iter()
        .enumerate()
        .map(|(i, campaign)| (i, unexpected(campaign)))
        .filter(|(_, violations)| !violations.is_empty())
        .collect();
    let blind = indices(&CampaignSummary::is_blind);
    let seen = indices(&|c| c.control.is_some() && !c.is_blind());
    let weak = indices(&|c| !c.weaknesses().is_empty());
    let tested = campaigns
        .iter()
        .any(|c| c.seeds > 0 && c.checked.values().any(|n| *n > 0));
    let tone = if !broken.is_empty() || !blind.is_empty() {
        Tone::Broken
    } else if !tested {
        Tone::Unknown
    } else if weak.is_empty() {
        Tone::Held
    } else {
        Tone::Weak
    };
    Verdict {
        tone,
        broken,
        blind,
        seen,
        weak,
        campaigns,
    }
}

/// The violations, without those that a negative control is meant to cause.
pub(super) fn unexpected(campaign: &CampaignSummary) -> Vec<&Violation> {
    let meant = campaign
        .control
        .as_ref()
        .map(|control| control.invariant.as_str());
    campaign
        .violations
        .iter()
        .filter(|violation| Some(violation.invariant.as_str()) != meant)
        .collect()
}

impl Verdict<'_> {
    /// The one sentence that everybody reads.
    pub(super) fn headline(&self) -> Markup {
        match self.tone {
            Tone::Broken => self.failures(),
            Tone::Unknown => html! { "Nothing was tested." },
            Tone::Weak | Tone::Held => match self.evaluated() {
                1 => html! { "The one invariant that was checked held." },
                n => html! { "All " (count(n)) " invariants held." },
            },
        }
    }

    fn failures(&self) -> Markup {
        let violations = self.broken.iter().flat_map(|(_, violations)| violations);
        let names: BTreeSet<&str> = violations.map(|v| v.invariant.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let blind = self.blind.len() as u64;
        html! {
            @if !names.is_empty() { (counted(names.len() as u64, "invariant")) " broke: " (list(&names)) "." }
            @if !names.is_empty() && blind > 0 { " " }
            @if blind > 0 { (counted(blind, "negative control")) " went unseen." }
        }
    }

    /// The sentences under the headline.
    pub(super) fn details(&self) -> Vec<Markup> {
        let runs: u64 = self.campaigns.iter().map(|c| c.seeds).sum();
        let ran = format!(
            "{} in {}",
            counted(runs, "simulated run"),
            counted(self.campaigns.len() as u64, "campaign")
        );
        let first = match self.tone {
            Tone::Broken => {
                html! { (ran) ". What broke is listed first; each entry can be replayed." }
            }
            Tone::Unknown => {
                html! { (ran) ", no invariant evaluated: this report shows nothing." }
            }
            Tone::Weak | Tone::Held => {
                html! { (ran) ", " (self.adversity()) ", and not one broken promise." }
            }
        };
        [Some(first), self.weaknesses(), self.controls()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What the nodes had to withstand.
    fn adversity(&self) -> &'static str {
        let any = |count: fn(&CampaignSummary) -> u64| self.campaigns.iter().any(|c| count(c) > 0);
        match (any(|c| c.faults), any(|c| c.lies)) {
            (true, true) => "with faults and lying hubs",
            (true, false) => "with faults",
            (false, true) => "with lying hubs",
            (false, false) => "in which nothing was done to the nodes",
        }
    }

    fn weaknesses(&self) -> Option<Markup> {
        let weak = self.names(&self.weak);
        let (verb, them) = match weak.len() {
            0 => return None,
            1 => ("is", "it"),
            _ => ("are", "they"),
        };
        Some(html! {
            (counted(weak.len() as u64, "campaign")) " " (verb) " weak and " (verb) " no evidence for what " (them)
            " did not reach: " (list(&weak)) "."
        })
    }

    fn controls(&self) -> Option<Markup> {
        let (seen, blind) = (self.names(&self.seen), self.names(&self.blind));
        if seen.is_empty() && blind.is_empty() {
            return None;
        }
        Some(html! {
            "Negative controls are meant to break, to prove that the checks can see."
            @if !seen.is_empty() { " Seen, as it should be: " (list(&seen)) "." }
            @if !blind.is_empty() {
                " " strong { "Not seen, which is a failure of the check" } ": " (list(&blind)) "."
            }
        })
    }

    fn names(&self, indices: &[usize]) -> Vec<&str> {
        indices
            .iter()
            .map(|i| self.campaigns[*i].name.as_str())
            .collect()
    }

    fn evaluated(&self) -> u64 {
        let checked = self.campaigns.iter().flat_map(|c| &c.checked);
        checked
            .filter(|(_, n)| **n > 0)
            .map(|(name, _)| name)
            .collect::<BTreeSet<_>>()
            .len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Control;

    fn campaign() -> CampaignSummary {
        CampaignSummary {
            name: "c".into(),
            seeds: 3,
            checked: [("agreement".into(), 9)].into(),
            ..Default::default()
        }
    }

    fn violation(invariant: &str) -> Violation {
        Violation {
            seed: 1,
            invariant: invariant.into(),
            at_ms: 5,
            ..Default::default()
        }
    }

    fn tone(campaigns: Vec<CampaignSummary>) -> Tone {
        judge(&Resilience {
            campaigns,
            ..Default::default()
        })
        .tone
    }

    #[test]
    fn no_evidence_is_not_success() {
        assert_eq!(tone(vec![]), Tone::Unknown);
        assert_eq!(
            tone(vec![CampaignSummary {
                checked: [].into(),
                ..campaign()
            }]),
            Tone::Unknown
        );
        assert_eq!(tone(vec![campaign()]), Tone::Held);
    }

    #[test]
    fn what_was_missed_or_never_evaluated_makes_a_campaign_weak() {
        let missed = CampaignSummary {
            missed: vec!["crash".into()],
            ..campaign()
        };
        let silent = CampaignSummary {
            checked: [("agreement".into(), 9), ("secrecy".into(), 0)].into(),
            ..campaign()
        };
        assert_eq!(tone(vec![campaign(), missed]), Tone::Weak);
        assert_eq!(silent.weaknesses(), ["never evaluated: secrecy"]);
        assert_eq!(
            tone(vec![
                campaign(),
                CampaignSummary {
                    seeds: 0,
                    ..campaign()
                }
            ]),
            Tone::Weak
        );
    }

    #[test]
    fn a_control_may_break_its_own_invariant_and_no_other() {
        let control = |caught, broken: &str| CampaignSummary {
            control: Some(Control {
                invariant: "no-false-key".into(),
                seeds_caught: caught,
                example: String::new(),
            }),
            violations: vec![violation(broken)],
            ..campaign()
        };
        assert_eq!(tone(vec![control(3, "no-false-key")]), Tone::Held);
        assert_eq!(tone(vec![control(3, "agreement")]), Tone::Broken);
        assert_eq!(tone(vec![control(0, "no-false-key")]), Tone::Broken);
    }

    #[test]
    fn what_the_nodes_withstood_is_what_there_was() {
        let says = |faults, lies| {
            let summary = Resilience {
                campaigns: vec![CampaignSummary {
                    faults,
                    lies,
                    ..campaign()
                }],
                ..Default::default()
            };
            judge(&summary).details()[0].0.clone()
        };
        let promise = |adversity| {
            format!("3 simulated runs in 1 campaign, {adversity}, and not one broken promise.")
        };
        assert_eq!(
            says(0, 0),
            promise("in which nothing was done to the nodes")
        );
        assert_eq!(says(2, 0), promise("with faults"));
        assert_eq!(says(0, 2), promise("with lying hubs"));
        assert_eq!(says(2, 2), promise("with faults and lying hubs"));
    }

    #[test]
    fn breaking_outranks_weakness_and_is_named() {
        let broken = CampaignSummary {
            missed: vec!["crash".into()],
            violations: vec![
                violation("<agreement>"),
                violation("bounds"),
                violation("bounds"),
            ],
            ..campaign()
        };
        let summary = Resilience {
            campaigns: vec![broken],
            ..Default::default()
        };
        let verdict = judge(&summary);
        assert_eq!(verdict.tone, Tone::Broken);
        assert_eq!(
            verdict.headline().into_string(),
            "2 invariants broke: <b>&lt;agreement&gt;</b> and <b>bounds</b>."
        );
        assert!(verdict.details()[1].0.starts_with("1 campaign is weak"));
    }
}
