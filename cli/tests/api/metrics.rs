//! Metrics say the same as the management status, in the text format of Prometheus.

use dske::http::paths;
use dske_testbed::Cluster;

use crate::MANUAL;
use crate::served::Nodes;

pub(crate) async fn metrics_say_what_the_status_says(nodes: &Nodes) {
    let carol = nodes.text("carol", paths::METRICS).await;
    let hank = nodes.text("hank", paths::METRICS).await;
    let status = nodes
        .cluster
        .client_status(&"carol".parse().unwrap())
        .await
        .unwrap();
    assert!(status.counters.keys_established > 0);
    let established = status.counters.keys_established;
    let line = format!("dske_client_keys_established_total {established}");
    assert!(carol.lines().any(|l| l == line), "{line} is not in {carol}");
    let status = nodes
        .cluster
        .hub_status(&"hank".parse().unwrap())
        .await
        .unwrap();
    assert!(status.shares_held > 0 && status.refused["unknown-psrd"] > 0);
    for line in [
        format!("dske_hub_shares {}", status.shares_held),
        format!(
            "dske_hub_messages_served_total{{kind=\"deposit\"}} {}",
            status.served["deposit"]
        ),
        format!("dske_hub_registered_clients {}", status.peers.len()),
    ] {
        assert!(hank.lines().any(|l| l == line), "{line} is not in {hank}");
    }
    for (text, prefix) in [(&carol, "dske_client_"), (&hank, "dske_hub_")] {
        let mut family = String::new();
        for line in text.lines() {
            let mut words = line.split([' ', '{']);
            match (words.next(), words.next()) {
                (Some("#"), Some("HELP")) => family = words.next().unwrap().to_owned(),
                (Some("#"), Some("TYPE")) => {
                    assert_eq!(
                        words.next(),
                        Some(family.as_str()),
                        "HELP comes before TYPE"
                    );
                    let total = family.ends_with("_total");
                    assert_eq!(words.next() == Some("counter"), total, "{family}");
                    assert!(
                        MANUAL.contains(&format!("`{family}`")),
                        "{family} is not in docs/http.md"
                    );
                }
                (Some(name), Some(_)) => assert_eq!(name, family),
                _ => panic!("{line}"),
            }
        }
        assert!(family.starts_with(prefix), "{family}");
    }
}
