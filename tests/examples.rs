//! What users copy from `examples/` is accepted.
#![allow(clippy::unwrap_used)]

use dske::topology::Topology;

#[test]
fn the_topology_over_two_machines_is_accepted() {
    let text = include_str!("../examples/two-machines.toml");
    let topology = Topology::parse("examples/two-machines.toml", text).unwrap();
    let hosts = ["10.0.0.1:", "10.0.0.2:"];
    for nodes in [&topology.hubs, &topology.clients] {
        for host in hosts {
            assert!(nodes.iter().any(|node| node.address.starts_with(host)));
        }
        let elsewhere = |address: &str| !hosts.iter().any(|host| address.starts_with(host));
        assert!(!nodes.iter().any(|node| elsewhere(&node.address)));
    }
    assert_eq!(topology.saes.len(), 3);
}
