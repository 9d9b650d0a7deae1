//! The text of a topology file: what is read from it, and how what cannot be used is refused.

use std::path::Path;

use super::*;
use crate::protocol::initiator::KeySource;
use crate::protocol::limits::{SHARE_BYTES_MAX, SHARES_MAX};

const EXAMPLE: &str = include_str!("../../topology.toml");

fn parse(text: &str) -> Result<Topology, String> {
    Topology::parse("t.toml", text).map_err(|e| e.to_string())
}

fn with(from: &str, to: &str) -> Result<Topology, String> {
    assert!(EXAMPLE.contains(from), "the example has {from:?}");
    parse(&EXAMPLE.replacen(from, to, 1))
}

#[test]
fn the_example_has_five_hubs_and_five_clients_on_ports_in_order() {
    let topology = parse(EXAMPLE).unwrap();
    let nodes: Vec<_> = topology.hubs.iter().chain(&topology.clients).collect();
    assert_eq!(nodes.len(), 10);
    for (index, node) in nodes.iter().enumerate() {
        assert_eq!(node.address, format!("127.0.0.1:{}", 8100 + index));
    }
    let carol: NodeName = "carol".parse().unwrap();
    assert_eq!(topology.saes.get(&SaeId::from(&carol)), Some(&carol));
    assert_eq!(topology.hub(&"hugo".parse().unwrap()).unwrap().x.get(), 5);
    assert!(topology.hub(&carol).is_none());
    assert!(topology.client(&carol).is_some());
}

#[test]
fn what_cannot_be_is_refused_with_its_line() {
    let line_of = |text: &str| EXAMPLE.lines().position(|l| l.contains(text)).unwrap() + 1;
    let threshold = line_of("threshold = 3");
    let celia = line_of("\"celia\"");
    for (from, to, expected) in [
        (
            "threshold = 3",
            "threshold = 6",
            format!(
                "t.toml:{threshold}: threshold must be 1 to the number of hubs, which is 5; it is 6"
            ),
        ),
        (
            "threshold = 3",
            "threshold = 0",
            format!("t.toml:{threshold}: threshold must be"),
        ),
        (
            "threshold = 3",
            "threshold = 1",
            format!("t.toml:{threshold}: threshold 1 lets every single hub"),
        ),
        (
            "threshold = 3",
            "host_names = [\"kme.example.org:443\"]\nthreshold = 3",
            format!("t.toml:{threshold}: \"kme.example.org:443\" in host_names is not a host name"),
        ),
        (
            "threshold = 3",
            "threshhold = 3",
            format!("t.toml:{threshold}: unknown field"),
        ),
        (
            "threshold = 3",
            "threshold = ",
            format!("t.toml:{threshold}: "),
        ),
        (
            "\"celia\"",
            "\"carol\"",
            format!("t.toml:{celia}: the name carol is taken by the node on line"),
        ),
        (
            "\"celia\"",
            "\"hank\"",
            format!("t.toml:{celia}: the name hank is taken"),
        ),
        (
            "\"celia\"",
            "\"ce lia\"",
            format!("t.toml:{celia}: \"ce lia\": a name is made of"),
        ),
        (
            "\"celia\"",
            "\"celia\", saes = [\"carol\"]",
            format!("t.toml:{celia}: SAE carol is served by client carol already"),
        ),
        (
            "\"celia\"",
            "\"celia\", address = \"127.0.0.1:8100\"",
            format!("t.toml:{celia}: the address 127.0.0.1:8100 is taken"),
        ),
        (
            "\"celia\"",
            "\"celia\", address = \"10.0.0.7:8100\"",
            format!("t.toml:{celia}: 10.0.0.7:8100 can be reached by others"),
        ),
        (
            "\"celia\"",
            "\"celia\", saes = [\"sam\", { id = \"sue\", certificate = { cn = \"sam\" } }]",
            format!("t.toml:{celia}: SAE sam has the same certificate"),
        ),
        (
            "\"celia\"",
            "\"celia\", address = \"here\"",
            format!("t.toml:{celia}: \"here\" is not an address"),
        ),
    ] {
        let error = with(from, to).unwrap_err();
        assert!(error.starts_with(&expected), "{to}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn limits_of_the_sections_are_checked() {
    for (section, expected) in [
        ("[psrd]\nblock_bytes = 1", "psrd.block_bytes must be 64 to"),
        (
            "[psrd]\nblock_bytes = 67_108_864",
            "psrd.block_bytes must be 64 to 8388608, not 67108864",
        ),
        (
            "[psrd]\nblock_bytes = 256\nlow_water_bytes = 16129",
            "psrd.low_water_bytes must be 1 to 16128, not 16129",
        ),
        (
            "[keys]\nmax_bits = 9000000",
            "keys.max_bits must be 8 to 1048576",
        ),
        (
            "[keys]\ndefault_bits = 32",
            "keys.default_bits must be 64 to",
        ),
        (
            "[keys]\ndefault_bits = 257",
            "key sizes are multiples of 8 bits",
        ),
        (
            "[keys]\nper_request_max = 0",
            "keys.per_request_max must be 1 to 128",
        ),
        (
            "[timing]\nrequest_timeout_ms = 0",
            "timing.request_timeout_ms must be",
        ),
    ] {
        let text = format!("{EXAMPLE}\n{section}\n");
        let error = parse(&text).unwrap_err();
        assert!(error.contains(expected), "{section}: {error}");
    }
}

#[test]
fn what_a_hub_holds_is_bounded_by_number_and_bytes() {
    let limits = |lines: &str| {
        let topology = parse(&format!("{lines}\n{EXAMPLE}"))?;
        let hub = topology.hub(&"hank".parse().unwrap()).unwrap();
        Ok::<_, String>((hub.store.shares_max, hub.store.bytes_max))
    };
    assert_eq!(limits(""), Ok((SHARES_MAX, SHARE_BYTES_MAX)));
    let both = "shares_per_hub_max = 7\nshare_bytes_per_hub_max = 1_048_576";
    assert_eq!(limits(both), Ok((7, 1 << 20)));
    for (line, expected) in [
        ("shares_per_hub_max = 0", "must be 1 to 100000000, not 0"),
        ("share_bytes_per_hub_max = 1_048_575", "must be 1048576 to"),
        (
            "share_bytes_per_hub_max = 1_099_511_627_777",
            "to 1099511627776, not",
        ),
    ] {
        let error = limits(line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn keys_come_from_the_generator_unless_psrd_is_asked_for() {
    let source = |text: &str| {
        let topology = parse(text).unwrap();
        topology
            .client(&"carol".parse().unwrap())
            .unwrap()
            .key_source
    };
    assert_eq!(source(EXAMPLE), KeySource::Generator);
    for expected in [KeySource::Generator, KeySource::Psrd] {
        let text = format!("{EXAMPLE}\n[keys]\nsource = \"{}\"\n", expected.as_str());
        assert_eq!(source(&text), expected);
    }
    let text = format!("{EXAMPLE}\n[keys]\nmin_bits = 64\nsource = \"dice\"\n");
    let line = EXAMPLE.lines().count() + 4;
    let expected = format!("t.toml:{line}: unknown variant `dice`, expected `generator` or `psrd`");
    assert_eq!(parse(&text).unwrap_err(), expected);
}

#[test]
fn ports_have_to_be_ports_and_to_be_enough() {
    assert!(
        with("base_port = 8100", "base_port = 0")
            .unwrap_err()
            .contains("base_port must be 1 to 65535")
    );
    assert!(
        with("base_port = 8100", "base_port = 65530")
            .unwrap_err()
            .contains("leaves no port for this node")
    );
    assert!(with("base_port = 8100", "base_port = 70000").is_err());
}

#[test]
fn a_single_hub_is_enough_when_asked_for() {
    let text = "threshold = 1\nallow_threshold_one = true\nhubs = [{name = \"h\"}]\nclients = [{name = \"c\"}]";
    assert_eq!(parse(text).unwrap().sharing.shares(), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Topology::read(Path::new("/nonexistent/t.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/t.toml: cannot be read"),
        "{error}"
    );
}

#[test]
fn what_could_not_listen_or_be_named_is_refused() {
    let hank = "{ name = \"hank\" }";
    for (to, why) in [
        (
            "{ name = \"hank\", address = \"127.0.0.1:0\" }",
            "is not an address",
        ),
        (
            "{ name = \"hank\", address = \"localhost:8101\" }",
            "the address 127.0.0.1:8101 is taken by",
        ),
        ("{ name = \"-hank\" }", "does not begin with '-'"),
    ] {
        let error = with(hank, to).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let error = parse("threshold = 2\nhubs = []\nclients = []\n").unwrap_err();
    assert!(error.contains("there are no hubs"), "{error}");
}
