//! A made-up summary with everything that a report must be able to show.

use dske_chaos::summary::{
    BoundaryPoint, CampaignSummary, Control, CoveragePoint, Distribution, Mark, MarkKind,
    Resilience, ShrunkFile, Size, Timeline, Violation,
};

/// Two honest campaigns and a negative control whose break was seen. Nothing broke, nothing is weak.
pub(crate) fn held() -> Resilience {
    Resilience {
        version: "0.1.0".into(),
        command: "cargo chaos --seeds 200".into(),
        campaigns: vec![
            campaign(
                "crash-and-restart",
                "Hubs crash, lose what they had not written, and come back; clients keep asking for keys meanwhile.",
                0,
            ),
            campaign(
                "byzantine-minority",
                "Two of five hubs corrupt shares, swap them, replay old answers and forge MACs, as the seed draws.",
                5_214,
            ),
            CampaignSummary {
                violations: vec![violation(
                    "no-false-key",
                    "celia accepted a key that carol never drew",
                )],
                control: Some(Control {
                    invariant: "no-false-key".into(),
                    seeds_caught: 200,
                    example: "carol drew 3f…, celia accepted 91… (key 7 of seed 1)".into(),
                }),
                ..campaign(
                    "control-colluding-threshold",
                    "Three of five hubs forge together, which no protocol of this kind withstands.",
                    600,
                )
            },
        ],
        boundary: boundary(),
        wall_seconds: 83.4,
        is_interrupted: false,
    }
}

/// The same with text that tries to become markup, an invariant broken, a weak campaign and a blind control.
pub(crate) fn broken() -> Resilience {
    let mut summary = held();
    summary.campaigns[0].violations = vec![
        violation(
            "availability",
            "carol's call failed after 2,000 ms although <script>alert('hank')</script>, helen and holly answered",
        ),
        violation(
            "one-time",
            "bytes 64..96 of block 0192… were used by two messages",
        ),
    ];
    summary.campaigns[0].violations[0].shrunk = Some(ShrunkFile {
        file: "reports/failures/<b>crash</b>-42.toml".into(),
        view: "reports/failures/<b>crash #42.html".into(),
        replay: "cargo chaos replay 'reports/failures/<b>crash</b>-42.toml'".into(),
        before: Size {
            faults: 31,
            liars: 2,
            calls: 208,
        },
        after: Size {
            faults: 1,
            liars: 0,
            calls: 3,
        },
        runs: 77,
    });
    summary.campaigns[0].timeline.marks.push(mark(
        5,
        21_000,
        None,
        MarkKind::Violation,
        "availability",
    ));
    summary.campaigns[1].missed = vec!["lie: replay & <b>swap</b>".into()];
    if let Some(control) = &mut summary.campaigns[2].control {
        control.seeds_caught = 0;
    }
    summary.campaigns[2].violations.clear();
    summary
}

fn violation(invariant: &str, detail: &str) -> Violation {
    Violation {
        seed: 42,
        invariant: invariant.into(),
        at_ms: 21_000,
        detail: detail.into(),
        replay: "cargo chaos --campaign crash-and-restart --seed 42".into(),
        shrunk: None,
    }
}

fn campaign(name: &str, about: &str, lies: u64) -> CampaignSummary {
    CampaignSummary {
        name: name.into(),
        about: about.into(),
        seeds: 200,
        first_seed: 1,
        hubs: "5".into(),
        threshold: "3".into(),
        clients: "2".into(),
        keys_requested: 12_000,
        keys_established: 11_950,
        keys_failed: 64,
        keys_fetched: 11_936,
        faults: 1_834,
        lies,
        reached: [
            ("crash", 640),
            ("restart", 633),
            ("one-way partition", 212),
            ("subset search", 18),
        ]
        .map(|(what, n)| (what.to_owned(), n))
        .into(),
        checked: [
            ("agreement", 11_936),
            ("no-false-key", 11_936),
            ("secrecy", 200),
            ("one-time", 96_412),
            ("availability", 11_702),
            ("blame", 5_118),
            ("access", 23_886),
            ("recovery", 200),
            ("bounds", 8_000),
        ]
        .map(|(what, n)| (what.to_owned(), n))
        .into(),
        establish_ms: latencies(11_950, 9.0),
        fetch_ms: latencies(11_936, 14.0),
        timeline: timeline(lies > 0),
        simulated_seconds: 7_200.0,
        wall_seconds: 52.1,
        digest: "5f1d8c".repeat(10) + "ab12",
        coverage: coverage(lies > 0),
        ..CampaignSummary::default()
    }
}

/// Situations become fewer, and with lies there are ever new mixtures.
fn coverage(lying: bool) -> Vec<CoveragePoint> {
    let points = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 200];
    let point = |runs: u64| CoveragePoint {
        runs,
        names: 38 - 24 / runs,
        sets: if lying { runs - runs / 5 } else { 9 - 8 / runs },
    };
    points.map(point).into()
}

/// A skewed sample with a long tail, as bucket counts.
fn latencies(count: u64, scale: f64) -> Distribution {
    let edges: Vec<f64> = (0..40).map(|i| 1.25_f64.powi(i)).collect();
    let weights: Vec<f64> = edges
        .iter()
        .map(|edge| {
            let x = (edge / scale).ln();
            if x < -0.6 {
                0.0
            } else {
                (-x * x * 3.0).exp() + 0.004 * (-x).exp()
            }
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let buckets: Vec<u64> = weights
        .iter()
        .map(|w| (w / total * count as f64).round() as u64)
        .collect();
    Distribution {
        count,
        p50: scale * 1.1,
        p90: scale * 2.1,
        p99: scale * 9.0,
        max: scale * 410.0,
        buckets,
        edges,
    }
}

fn mark(node: usize, at_ms: u64, until_ms: Option<u64>, kind: MarkKind, label: &str) -> Mark {
    Mark {
        node,
        at_ms,
        until_ms,
        kind,
        label: label.into(),
    }
}

fn timeline(lying: bool) -> Timeline {
    let nodes = [
        "hank",
        "helen",
        "hilary",
        "holly",
        "hugo",
        "carol",
        "celia-the-client-with-a-long-name",
    ];
    let mut marks = vec![
        mark(0, 3_000, Some(9_500), MarkKind::Fault, "crash"),
        mark(
            1,
            8_000,
            Some(14_000),
            MarkKind::Fault,
            "partition from carol",
        ),
        mark(1, 11_000, Some(17_500), MarkKind::Fault, "slow ×20"),
        mark(
            3,
            15_000,
            Some(23_000),
            MarkKind::Fault,
            "one-way cut to celia",
        ),
        mark(5, 18_000, Some(18_900), MarkKind::Fault, "restart"),
        mark(4, 20_000, Some(24_000), MarkKind::Fault, "crash"),
    ];
    for second in 1..36 {
        marks.push(mark(5, second * 1_000, None, MarkKind::Delivered, "key"));
        let kind = if second % 17 == 4 {
            MarkKind::Failed
        } else {
            MarkKind::Delivered
        };
        marks.push(mark(6, second * 1_000 + 240, None, kind, "key"));
        if lying && second % 3 == 0 && second < 24 {
            marks.push(mark(
                2,
                second * 1_000 + 200,
                None,
                MarkKind::Lie,
                "wrong share value",
            ));
            marks.push(mark(
                2,
                second * 1_000 + 260,
                None,
                MarkKind::Blame,
                "off the polynomial",
            ));
        }
    }
    marks.sort_by_key(|mark| mark.at_ms);
    Timeline {
        seed: 1,
        end_ms: 36_000,
        heal_ms: 24_000,
        nodes: nodes.map(ToOwned::to_owned).into(),
        marks,
        replay: "cargo chaos --campaign crash-and-restart --seed 1".into(),
    }
}

fn boundary() -> Vec<BoundaryPoint> {
    let mut points = Vec::new();
    for (hubs, threshold, scale) in [(5_u8, 3_u8, 40_u64), (4, 2, 3), (7, 4, 9)] {
        for down in 0..=hubs {
            for lying in 0..=(hubs - down).min(threshold) {
                let tried = scale * (90 - 8 * u64::from(down) - 10 * u64::from(lying)).max(4);
                let within = down + lying <= hubs - threshold;
                let succeeded = if within {
                    tried
                } else {
                    u64::from(down + lying == hubs - threshold + 1) * tried / 60
                };
                points.push(BoundaryPoint {
                    hubs,
                    threshold,
                    down,
                    lying,
                    tried,
                    succeeded,
                });
            }
        }
    }
    points
}
