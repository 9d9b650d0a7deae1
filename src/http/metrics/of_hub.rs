//! A hub's metrics.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::family::{Families, Labels, only};
use crate::protocol::hub::{Holding, HubStatus};

#[derive(Debug)]
pub(super) struct Metrics(pub(super) HubStatus);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(status) = self;
        let mut families = Families(encoder);
        families.uptime(status.uptime_ms)?;
        families.gauge(
            "registered_clients",
            None,
            "Clients that are registered",
            only(status.peers.len()),
        )?;
        families.psrd_left(
            "client",
            status.peers.iter().map(|peer| {
                let client = peer.client.as_str();
                (client, peer.up_bytes_left, peer.down_bytes_left)
            }),
        )?;
        #[rustfmt::skip]
        let store = [
            ("shares", "Shares held", status.shares_held),
            ("shares_limit", "Shares that are held at most", status.shares_max),
            ("share_bytes", "Bytes of the shares held", status.share_bytes_held),
            ("share_bytes_limit", "Bytes of shares that are held at most", status.share_bytes_max),
        ];
        for (name, help, value) in store {
            families.gauge(name, None, help, only(value))?;
        }
        type Value = fn(&Holding) -> usize;
        #[rustfmt::skip]
        let by_client: [(&str, &str, Value); 4] = [
            ("client_shares", "Shares held of a client's keys", |held| held.shares_held),
            ("client_shares_guaranteed", "Shares that are held for a client whatever others do",
                |held| held.shares_guaranteed),
            ("client_share_bytes", "Bytes of the shares held of a client's keys", |held| held.share_bytes_held),
            ("client_share_bytes_guaranteed", "Bytes of shares that are held for a client whatever others do",
                |held| held.share_bytes_guaranteed),
        ];
        for (name, help, value) in by_client {
            let values = status.holdings.iter();
            let values = values.map(|held| ([("client", held.client.as_str())], value(held)));
            families.gauge(name, None, help, values)?;
        }
        families.counter(
            "messages_served",
            "Messages served, by kind",
            by_kind(&status.served),
        )?;
        families.counter(
            "messages_refused",
            "Messages refused, by the code of the refusal",
            by_kind(&status.refused),
        )
    }
}

fn by_kind(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (Labels<'_, 1>, u64)> {
    counts
        .iter()
        .map(|(kind, count)| ([("kind", kind.as_str())], *count))
}

#[cfg(test)]
mod tests {
    use super::super::of_hub;
    use super::*;
    use crate::crypto::shamir::ShareIndex;
    use crate::protocol::hub::PeerStatus;

    fn status() -> HubStatus {
        HubStatus {
            name: "hank".parse().unwrap(),
            x: ShareIndex::new(1).unwrap(),
            uptime_ms: 61_500,
            shares_held: 7,
            shares_max: 100_000,
            share_bytes_held: 560,
            share_bytes_max: 1 << 30,
            holdings: vec![Holding {
                client: "carol".parse().unwrap(),
                shares_held: 7,
                shares_guaranteed: 50_000,
                share_bytes_held: 560,
                share_bytes_guaranteed: 1 << 29,
            }],
            peers: vec![PeerStatus {
                client: "carol".parse().unwrap(),
                up_bytes_left: 65_536,
                down_bytes_left: 0,
            }],
            served: BTreeMap::from([("deposit".to_owned(), 3), ("fetch".to_owned(), 2)]),
            refused: BTreeMap::from([("bad-mac".to_owned(), 1)]),
        }
    }

    #[test]
    fn a_hub_is_written_in_the_text_format() {
        let wanted = "\
# HELP dske_hub_uptime_seconds Time since the start of the node
# TYPE dske_hub_uptime_seconds gauge
dske_hub_uptime_seconds 61.5
# HELP dske_hub_registered_clients Clients that are registered
# TYPE dske_hub_registered_clients gauge
dske_hub_registered_clients 1
# HELP dske_hub_psrd_left_bytes Pre-shared random data left, by client, and pool: up for requests, down for responses
# TYPE dske_hub_psrd_left_bytes gauge
dske_hub_psrd_left_bytes{client=\"carol\",pool=\"up\"} 65536
dske_hub_psrd_left_bytes{client=\"carol\",pool=\"down\"} 0
# HELP dske_hub_shares Shares held
# TYPE dske_hub_shares gauge
dske_hub_shares 7
# HELP dske_hub_shares_limit Shares that are held at most
# TYPE dske_hub_shares_limit gauge
dske_hub_shares_limit 100000
# HELP dske_hub_share_bytes Bytes of the shares held
# TYPE dske_hub_share_bytes gauge
dske_hub_share_bytes 560
# HELP dske_hub_share_bytes_limit Bytes of shares that are held at most
# TYPE dske_hub_share_bytes_limit gauge
dske_hub_share_bytes_limit 1073741824
# HELP dske_hub_client_shares Shares held of a client's keys
# TYPE dske_hub_client_shares gauge
dske_hub_client_shares{client=\"carol\"} 7
# HELP dske_hub_client_shares_guaranteed Shares that are held for a client whatever others do
# TYPE dske_hub_client_shares_guaranteed gauge
dske_hub_client_shares_guaranteed{client=\"carol\"} 50000
# HELP dske_hub_client_share_bytes Bytes of the shares held of a client's keys
# TYPE dske_hub_client_share_bytes gauge
dske_hub_client_share_bytes{client=\"carol\"} 560
# HELP dske_hub_client_share_bytes_guaranteed Bytes of shares that are held for a client whatever others do
# TYPE dske_hub_client_share_bytes_guaranteed gauge
dske_hub_client_share_bytes_guaranteed{client=\"carol\"} 536870912
# HELP dske_hub_messages_served_total Messages served, by kind
# TYPE dske_hub_messages_served_total counter
dske_hub_messages_served_total{kind=\"deposit\"} 3
dske_hub_messages_served_total{kind=\"fetch\"} 2
# HELP dske_hub_messages_refused_total Messages refused, by the code of the refusal
# TYPE dske_hub_messages_refused_total counter
dske_hub_messages_refused_total{kind=\"bad-mac\"} 1
";
        assert_eq!(of_hub(status()).unwrap(), wanted);
    }

    #[test]
    fn labels_are_escaped() {
        let mut status = status();
        status.refused = BTreeMap::from([("a\"b\\c\nd".to_owned(), 1)]);
        let text = of_hub(status).unwrap();
        assert!(text.contains(r#"{kind="a\"b\\c\nd"} 1"#), "{text}");
    }
}
