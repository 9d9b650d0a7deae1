//! A client's metrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::family::{Families, only};
use crate::harness::{Canary, canary};
use crate::node::client::ClientStatus;
use crate::node::link::LinkStatus;

#[derive(Debug)]
pub(super) struct Metrics(pub(super) ClientStatus);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        families.uptime(self.0.uptime_ms)?;
        self.keys(&mut families)?;
        self.hubs(&mut families)?;
        self.links(&mut families)
    }
}

impl Metrics {
    fn keys(&self, families: &mut Families<'_>) -> fmt::Result {
        let counters = &self.0.counters;
        let fetched = match canary(Canary::MetricOfAnother) {
            true => counters.keys_established,
            false => counters.keys_fetched,
        };
        #[rustfmt::skip]
        let alone = [
            ("keys_requested", "Keys that master SAEs asked for", counters.keys_requested),
            ("keys_established", "Keys that master SAEs were given", counters.keys_established),
            ("keys_fetched", "Keys that slave SAEs were given", fetched),
            ("late_shares", "Shares that reached their hub after the call had returned", counters.late_shares),
            ("subsets_tried", "Subsets of shares that were tried in search of a key", counters.subsets_tried),
            ("search_bytes", "Bytes of shares that were put together for these subsets", counters.search_bytes),
            ("alarms", "Keys for which two different values both fitted", counters.alarms),
        ];
        for (name, help, count) in alone {
            families.counter(name, help, only(count))?;
        }
        families.counter(
            "calls_failed",
            "Calls by SAEs that failed, by API method",
            [
                ([("method", "enc_keys")], counters.establish_failures),
                ([("method", "dec_keys")], counters.fetch_failures),
            ],
        )?;
        families.counter(
            "keys_corrected",
            "Keys that were reconstructed in spite of wrong shares, by method",
            [
                ([("method", "error-correction")], counters.error_corrections),
                ([("method", "subset-search")], counters.subset_searches),
            ],
        )
    }

    fn hubs(&self, families: &mut Families<'_>) -> fmt::Result {
        families.gauge(
            "claims",
            None,
            "Keys that the client remembers as handed out",
            only(self.0.claims),
        )?;
        families.gauge(
            "calls_in_flight",
            None,
            "Calls of SAEs that have not ended",
            only(self.0.calls_in_flight),
        )?;
        let hubs = &self.0.hubs;
        families.gauge(
            "link_in_flight",
            None,
            "Exchanges with the hub that have not ended, or whose shares something still holds",
            hubs.iter()
                .map(|hub| ([("hub", hub.name.as_str())], hub.link.in_flight)),
        )?;
        let registered = hubs.iter().filter(|hub| hub.link.registered).count();
        families.gauge("hubs", None, "Hubs of the topology", only(hubs.len()))?;
        families.gauge(
            "registered_hubs",
            None,
            "Hubs at which the client is registered",
            only(registered),
        )?;
        families.psrd_left(
            "hub",
            hubs.iter().map(|hub| {
                let (name, link) = (hub.name.as_str(), &hub.link);
                (name, link.up_bytes_left, link.down_bytes_left)
            }),
        )?;
        families.counter(
            "blame",
            "Lies that hubs were caught at, by hub and kind",
            hubs.iter().flat_map(|hub| {
                let kinds = hub.blame.iter();
                kinds.map(|(kind, count)| {
                    let labels = [("hub", hub.name.as_str()), ("kind", kind.as_str())];
                    (labels, *count)
                })
            }),
        )
    }

    fn links(&self, families: &mut Families<'_>) -> fmt::Result {
        type Count = fn(&LinkStatus) -> u64;
        #[rustfmt::skip]
        let counters: [(&str, &str, Count); 5] = [
            ("link_registrations", "Registrations at the hub", |link| link.registrations),
            ("link_refills", "Blocks of pre-shared random data that the hub delivered", |link| link.refills),
            ("link_retries", "Attempts beyond the first to exchange messages with the hub", |link| link.retries),
            ("link_unverified_responses", "Responses in the hub's name that could not be verified", |link| link.unverified),
            ("link_psrd_exhausted", "Attempts that found no pre-shared random data to spend", |link| link.psrd_exhausted),
        ];
        for (name, help, count) in counters {
            let hubs = self.0.hubs.iter();
            let by_hub = hubs.map(|hub| ([("hub", hub.name.as_str())], count(&hub.link)));
            families.counter(name, help, by_hub)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::of_client;
    use super::*;

    fn status() -> ClientStatus {
        // All numbers are different, so that none can be mistaken for another.
        let status = json!({
            "name": "carol", "uptime_ms": 1, "saes": ["secret-sae"], "claims": 20, "calls_in_flight": 23,
            "hubs": [{
                "name": "hank", "x": 1, "blame": {"wrong-share": 2, "malformed": 3}, "registered": true,
                "up_bytes_left": 4, "down_bytes_left": 5, "in_flight": 24, "registrations": 6, "refills": 7, "retries": 8,
                "unverified": 9, "psrd_exhausted": 10
            }, {
                "name": "helen", "x": 2, "blame": {}, "registered": false, "up_bytes_left": 0, "down_bytes_left": 0, "in_flight": 0,
                "registrations": 0, "refills": 0, "retries": 0, "unverified": 0, "psrd_exhausted": 0
            }],
            "keys_requested": 11, "keys_established": 12, "keys_fetched": 13, "establish_failures": 14,
            "fetch_failures": 15, "late_shares": 16, "error_corrections": 17, "subset_searches": 18, "alarms": 19,
            "subsets_tried": 21, "search_bytes": 22
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn every_number_of_the_status_is_a_metric() {
        let text = of_client(status()).unwrap();
        for line in [
            "dske_client_uptime_seconds 0.001",
            "dske_client_blame_total{hub=\"hank\",kind=\"wrong-share\"} 2",
            "dske_client_blame_total{hub=\"hank\",kind=\"malformed\"} 3",
            "dske_client_psrd_left_bytes{hub=\"hank\",pool=\"up\"} 4",
            "dske_client_psrd_left_bytes{hub=\"hank\",pool=\"down\"} 5",
            "dske_client_link_registrations_total{hub=\"hank\"} 6",
            "dske_client_link_refills_total{hub=\"hank\"} 7",
            "dske_client_link_retries_total{hub=\"hank\"} 8",
            "dske_client_link_unverified_responses_total{hub=\"hank\"} 9",
            "dske_client_link_psrd_exhausted_total{hub=\"hank\"} 10",
            "dske_client_keys_requested_total 11",
            "dske_client_keys_established_total 12",
            "dske_client_keys_fetched_total 13",
            "dske_client_calls_failed_total{method=\"enc_keys\"} 14",
            "dske_client_calls_failed_total{method=\"dec_keys\"} 15",
            "dske_client_late_shares_total 16",
            "dske_client_keys_corrected_total{method=\"error-correction\"} 17",
            "dske_client_keys_corrected_total{method=\"subset-search\"} 18",
            "dske_client_alarms_total 19",
            "dske_client_claims 20",
            "dske_client_calls_in_flight 23",
            "dske_client_link_in_flight{hub=\"hank\"} 24",
            "dske_client_subsets_tried_total 21",
            "dske_client_search_bytes_total 22",
            "dske_client_hubs 2",
            "dske_client_registered_hubs 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn no_sae_is_a_label() {
        let text = of_client(status()).unwrap();
        assert!(!text.contains("secret-sae"), "{text}");
    }
}
