//! What the numbers mean: did everything hold, and did the campaigns test what they promise?

use std::collections::BTreeSet;

use dske_report::text::{count, counted, list};

use crate::summary::{CampaignSummary, Resilience, Violation};

/// All that ran in one word, the worst that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// An invariant broke, or the check of a negative control saw nothing.
    Broken,
    /// Nothing ran or nothing was evaluated, so nothing is shown.
    Empty,
    /// Nothing broke, but some campaigns did not reach what they promise to.
    Weak,
    /// Nothing broke and everything promised was reached.
    Held,
}

/// A judgement on all that ran.
pub(super) struct Verdict<'a> {
    pub(super) standing: Standing,
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
    let standing = if !broken.is_empty() || !blind.is_empty() {
        Standing::Broken
    } else if !tested {
        Standing::Empty
    } else if weak.is_empty() {
        Standing::Held
    } else {
        Standing::Weak
    };
    Verdict {
        standing,
        broken,
        blind,
        seen,
        weak,
        campaigns,
    }
}

/// The violations that are not the very ones a negative control is there to cause.
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
    /// The one sentence that everybody reads. HTML.
    pub(super) fn headline(&self) -> String {
        match self.standing {
            Standing::Broken => self.failures(),
            Standing::Empty => "Nothing was tested.".into(),
            Standing::Weak | Standing::Held => match self.evaluated() {
                1 => "The one invariant that was checked held.".into(),
                n => format!("All {} invariants held.", count(n)),
            },
        }
    }

    fn failures(&self) -> String {
        let names: BTreeSet<&str> = self
            .broken
            .iter()
            .flat_map(|(_, violations)| violations)
            .map(|v| v.invariant.as_str())
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let blind = match self.blind.len() as u64 {
            0 => String::new(),
            n => format!("{} went unseen.", counted(n, "negative control")),
        };
        if names.is_empty() {
            return blind;
        }
        let n = names.len() as u64;
        format!(
            "{} broke: {}. {blind}",
            counted(n, "invariant"),
            list(&names).0
        )
        .trim_end()
        .into()
    }

    /// The sentences under the headline. HTML.
    pub(super) fn details(&self) -> Vec<String> {
        let runs: u64 = self.campaigns.iter().map(|c| c.seeds).sum();
        let ran = format!(
            "{} in {}",
            counted(runs, "simulated run"),
            counted(self.campaigns.len() as u64, "campaign")
        );
        let mut lines = Vec::new();
        match self.standing {
            Standing::Broken => lines.push(format!(
                "{ran}. What broke is listed first; each entry can be replayed."
            )),
            Standing::Empty => lines.push(format!(
                "{ran}, no invariant evaluated: this report shows nothing."
            )),
            Standing::Weak | Standing::Held => {
                lines.push(format!(
                    "{ran} of crashes, cut networks and lying hubs, and not one broken promise."
                ));
            }
        }
        if !self.weak.is_empty() {
            let (verb, them) = if self.weak.len() == 1 {
                ("is", "it")
            } else {
                ("are", "they")
            };
            lines.push(format!(
                "{} {verb} weak and {verb} no evidence for what {them} did not reach: {}.",
                counted(self.weak.len() as u64, "campaign"),
                list(&self.names(&self.weak)).0,
            ));
        }
        lines.extend(self.controls());
        lines
    }

    fn controls(&self) -> Option<String> {
        let (seen, blind) = (self.names(&self.seen), self.names(&self.blind));
        if seen.is_empty() && blind.is_empty() {
            return None;
        }
        let mut line =
            "Negative controls are meant to break, to prove that the checks can see. ".to_owned();
        if !seen.is_empty() {
            line += &format!("Seen, as it should be: {}. ", list(&seen).0);
        }
        if !blind.is_empty() {
            line += &format!(
                "<strong>Not seen, which is a failure of the check</strong>: {}.",
                list(&blind).0
            );
        }
        Some(line.trim_end().into())
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

    fn standing(campaigns: Vec<CampaignSummary>) -> Standing {
        judge(&Resilience {
            campaigns,
            ..Default::default()
        })
        .standing
    }

    #[test]
    fn no_evidence_is_not_success() {
        assert_eq!(standing(vec![]), Standing::Empty);
        assert_eq!(
            standing(vec![CampaignSummary {
                checked: [].into(),
                ..campaign()
            }]),
            Standing::Empty
        );
        assert_eq!(standing(vec![campaign()]), Standing::Held);
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
        assert_eq!(standing(vec![campaign(), missed]), Standing::Weak);
        assert_eq!(silent.weaknesses(), ["never evaluated: secrecy"]);
        assert_eq!(
            standing(vec![
                campaign(),
                CampaignSummary {
                    seeds: 0,
                    ..campaign()
                }
            ]),
            Standing::Weak
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
        assert_eq!(standing(vec![control(3, "no-false-key")]), Standing::Held);
        assert_eq!(standing(vec![control(3, "agreement")]), Standing::Broken);
        assert_eq!(standing(vec![control(0, "no-false-key")]), Standing::Broken);
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
        assert_eq!(verdict.standing, Standing::Broken);
        assert_eq!(
            verdict.headline(),
            "2 invariants broke: <b>&lt;agreement&gt;</b> and <b>bounds</b>."
        );
        assert!(verdict.details()[1].starts_with("1 campaign is weak"));
    }
}
