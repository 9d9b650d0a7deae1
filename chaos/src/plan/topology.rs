//! The cluster of a plan as the nodes know it.

use dske::topology::{
    ClientParts, HubParts, KeysSection, PsrdSection, TimingSection, Topology, TopologyError,
    TopologyParts,
};

use super::{CLIENT_NAMES, HUB_NAMES, Plan, ROGUE_NAME};

impl Plan {
    /// The topology of the cluster.
    ///
    /// # Errors
    /// If the nodes would refuse it.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let cluster = &self.cluster;
        let rogue = self.has_rogue().then_some(ROGUE_NAME);
        let clients = CLIENT_NAMES.iter().take(cluster.clients.into()).copied();
        let hubs = HUB_NAMES.iter().take(cluster.hubs.into());
        let hubs = hubs.map(|name| HubParts::named(name.parse().expect("a valid name")));
        let clients = clients
            .chain(rogue)
            .map(|name| ClientParts::named(name.parse().expect("a valid name")));
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let parts = TopologyParts {
            allow_threshold_one: true,
            psrd: PsrdSection {
                block_bytes: bytes(cluster.psrd_block_bytes),
                low_water_bytes: bytes(cluster.psrd_low_water_bytes),
            },
            keys: KeysSection {
                source: cluster.key_source,
                ..KeysSection::default()
            },
            timing: TimingSection {
                request_timeout_ms: cluster.request_timeout_ms,
                call_deadline_ms: cluster.call_deadline_ms,
                grace_ms: cluster.grace_ms,
                background_ms: 2 * cluster.call_deadline_ms,
                share_ttl_ms: cluster.share_ttl_ms,
                linger_ms: cluster.call_deadline_ms,
            },
            ..TopologyParts::new(cluster.threshold, hubs, clients)
        };
        parts.check("cluster")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{load, names};

    /// The same as the text of a file.
    fn text(plan: &Plan) -> String {
        let cluster = &plan.cluster;
        let nodes = |names: Vec<&str>| {
            let nodes = names.iter().map(|name| format!("{{ name = \"{name}\" }}"));
            nodes.collect::<Vec<_>>().join(", ")
        };
        let mut clients = CLIENT_NAMES[..usize::from(cluster.clients)].to_vec();
        clients.extend(plan.has_rogue().then_some(ROGUE_NAME));
        format!(
            "threshold = {}\nallow_threshold_one = true\nhubs = [{}]\nclients = [{}]\n\
             [psrd]\nblock_bytes = {}\nlow_water_bytes = {}\n\
             [keys]\nsource = \"{}\"\n\
             [timing]\nrequest_timeout_ms = {}\ncall_deadline_ms = {}\ngrace_ms = {}\nbackground_ms = {}\n\
             share_ttl_ms = {}\nlinger_ms = {}\n",
            cluster.threshold,
            nodes(HUB_NAMES[..usize::from(cluster.hubs)].to_vec()),
            nodes(clients),
            cluster.psrd_block_bytes,
            cluster.psrd_low_water_bytes,
            cluster.key_source.as_str(),
            cluster.request_timeout_ms,
            cluster.call_deadline_ms,
            cluster.grace_ms,
            cluster.call_deadline_ms * 2,
            cluster.share_ttl_ms,
            cluster.call_deadline_ms,
        )
    }

    #[test]
    fn a_file_that_says_the_same_gives_the_same_topology() {
        let mut rogues = 0;
        for name in names() {
            let campaign = load(name).unwrap();
            for seed in 1..=10 {
                let plan = campaign.plan(seed);
                let read = Topology::parse("cluster", &text(&plan)).unwrap();
                assert_eq!(plan.topology().unwrap(), read, "{name} {seed}");
                rogues += usize::from(plan.has_rogue());
            }
        }
        assert!(rogues > 0);
    }
}
