//! The cluster of a plan as the nodes know it.

use dske::protocol::SaeId;
use dske::topology::{
    ClientParts, HubParts, KeysSection, PsrdSection, SaeParts, TimingSection, Topology,
    TopologyError, TopologyParts,
};

use super::{HUB_NAMES, Plan};

/// What a client promises its SAEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// Size of a key if none is asked for.
    pub default_bits: usize,
    /// Smallest key.
    pub min_bits: usize,
    /// Largest key.
    pub max_bits: usize,
    /// Most keys in a call.
    pub per_request_max: usize,
    /// Most keys that it says it can deliver.
    pub stored_max: usize,
}

impl Plan {
    /// The topology of the cluster.
    ///
    /// # Errors
    /// If the nodes would refuse it.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let cluster = &self.cluster;
        let rogue = self.has_rogue().then_some(usize::from(cluster.clients));
        let hubs = HUB_NAMES.iter().take(cluster.hubs.into());
        let hubs = hubs.map(|name| HubParts::named(name.parse().expect("a valid name")));
        let named = |sae: String| SaeParts::from(sae.parse::<SaeId>().expect("a valid name"));
        let clients = (0..usize::from(cluster.clients))
            .chain(rogue)
            .map(|client| {
                let saes = self.saes_of(client).into_iter();
                ClientParts {
                    saes: Some(saes.map(named).collect()),
                    ..ClientParts::named(self.client_name(client).parse().expect("a valid name"))
                }
            });
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let parts = TopologyParts {
            allow_threshold_one: true,
            psrd: PsrdSection {
                block_bytes: bytes(cluster.psrd_block_bytes),
                low_water_bytes: bytes(cluster.psrd_low_water_bytes),
            },
            keys: KeysSection {
                source: cluster.key_source,
                max_bits: self.max_bits(),
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
            shares_per_hub_max: bytes(cluster.shares_per_hub_max),
            share_bytes_per_hub_max: bytes(cluster.share_bytes_per_hub_max),
            limits: cluster.limits,
            ..TopologyParts::new(cluster.threshold, hubs, clients)
        };
        parts.check("cluster")
    }

    /// What each client promises its SAEs: what is configured, as far as one message to a hub can carry it.
    ///
    /// # Errors
    /// If the nodes would refuse the cluster.
    pub fn promises(&self) -> Result<Promises, TopologyError> {
        let keys = self.topology()?.keys;
        let cluster = &self.cluster;
        let default_bits = u32::try_from(keys.default_bits).unwrap_or(u32::MAX);
        let most = usize::from(cluster.keys_max(default_bits));
        Ok(Promises {
            default_bits: keys.default_bits,
            min_bits: keys.min_bits,
            max_bits: keys.max_bits.min(cluster.bits_max()).max(keys.default_bits),
            per_request_max: keys.per_request_max.min(most).max(1),
            stored_max: keys.stored_max,
        })
    }

    /// The largest key that clients hand out: as usual, or larger where one is asked for.
    fn max_bits(&self) -> usize {
        let asked = self.calls.iter().map(|call| call.bits as usize).max();
        asked.unwrap_or(0).max(KeysSection::default().max_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{load, names};
    use crate::plan::{CLIENT_NAMES, ROGUE_NAME};

    /// The same as the text of a file.
    fn text(plan: &Plan) -> String {
        let cluster = &plan.cluster;
        let hubs = HUB_NAMES[..usize::from(cluster.hubs)].iter();
        let hubs = hubs.map(|name| format!("{{ name = \"{name}\" }}"));
        let clients = CLIENT_NAMES[..usize::from(cluster.clients)].iter();
        let clients = clients.enumerate().map(|(client, name)| {
            let others = (2..=cluster.saes_per_client).map(|nth| format!(", \"{name}-{nth}\""));
            let others: String = others.collect();
            let greedy = format!(", \"{name}-greedy\"");
            let greedy = if plan.has_greedy(client) {
                greedy
            } else {
                String::new()
            };
            format!("{{ name = \"{name}\", saes = [\"{name}\"{others}{greedy}] }}")
        });
        let rogue = plan
            .has_rogue()
            .then(|| format!("{{ name = \"{ROGUE_NAME}\" }}"));
        let list = |nodes: Vec<String>| nodes.join(", ");
        format!(
            "threshold = {}\nallow_threshold_one = true\nhubs = [{}]\nclients = [{}]\n\
             shares_per_hub_max = {}\nshare_bytes_per_hub_max = {}\n\
             [psrd]\nblock_bytes = {}\nlow_water_bytes = {}\n\
             [keys]\nsource = \"{}\"\nmax_bits = {}\n\
             [timing]\nrequest_timeout_ms = {}\ncall_deadline_ms = {}\ngrace_ms = {}\nbackground_ms = {}\n\
             share_ttl_ms = {}\nlinger_ms = {}\n",
            cluster.threshold,
            list(hubs.collect()),
            list(clients.chain(rogue).collect()),
            cluster.shares_per_hub_max,
            cluster.share_bytes_per_hub_max,
            cluster.psrd_block_bytes,
            cluster.psrd_low_water_bytes,
            cluster.key_source.as_str(),
            plan.max_bits(),
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
        let (mut rogues, mut shared) = (0, 0);
        for name in names() {
            let campaign = load(name).unwrap();
            for seed in 1..=10 {
                let plan = campaign.plan(seed);
                let mut read = Topology::parse("cluster", &text(&plan)).unwrap();
                // No file says them.
                read.limits = plan.cluster.limits;
                assert_eq!(plan.topology().unwrap(), read, "{name} {seed}");
                rogues += usize::from(plan.has_rogue());
                shared += usize::from(plan.cluster.saes_per_client > 1);
            }
        }
        assert!(rogues > 0 && shared > 0);
    }

    #[test]
    fn saes_are_numbered_round_by_round_and_have_the_names_of_their_clients() {
        let mut plan = load("calm").unwrap().plan(1);
        (plan.cluster.clients, plan.cluster.saes_per_client) = (3, 2);
        let names: Vec<String> = (0..plan.saes()).map(|sae| plan.sae_name(sae)).collect();
        let expected = ["carol", "celia", "cindy", "carol-2", "celia-2", "cindy-2"];
        assert_eq!(names, expected);
        for sae in 0..plan.saes() {
            let own = plan.saes_of(plan.client_of(sae));
            assert!(own.contains(&plan.sae_name(sae)), "{own:?}");
        }
        assert_eq!(plan.saes_of(3), [ROGUE_NAME]);
    }

    #[test]
    fn what_clients_promise_is_what_is_configured_as_far_as_blocks_carry_it() {
        let promises = |block_bytes: u64| {
            let mut plan = load("calm").unwrap().plan(1);
            plan.cluster.psrd_block_bytes = block_bytes;
            plan.promises().unwrap()
        };
        let usual = Promises {
            default_bits: 256,
            min_bits: 64,
            max_bits: 65_536,
            per_request_max: 128,
            stored_max: 100_000,
        };
        assert_eq!(promises(16_384), usual);
        // Four blocks: 4096 bytes, 32 of them for the MAC key, 48 for each key's tag.
        let lowered = Promises {
            max_bits: (4096 - 32 - 48) * 8,
            per_request_max: (4096 - 32) / (48 + 32),
            ..usual
        };
        assert_eq!(promises(1_024), lowered);
    }
}
