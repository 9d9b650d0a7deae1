//! A first look: a cluster in this process, keys with what goes to which hub, and hubs that fail.

mod wire;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Addr};
use anstream::println;
use anstyle::{AnsiColor, Style};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use dske::crypto::generator::os_rng;
use dske::node::client::{ClientNode, GetKey, GetKeyWithIds, HubPeer, KmeError};
use dske::node::hub::HubNode;
use dske::node::switch::Switch;
use dske::node::transport::Transport;
use dske::protocol::hub::Hub;
use dske::protocol::initiator::EstablishedKey;
use dske::protocol::{NodeName, SaeId};
use dske::topology::Topology;

use super::CliError;
use super::print::{BAD, FAINT, GOOD};
use wire::{Ladder, Wire};

const TOPOLOGY: &str = include_str!("../../topology.toml");

/// The cluster's own time-outs are made for networks; in one process nobody has to wait that long.
const TIMING: &str = "\n[timing]\ncall_deadline_ms = 1500\n";

/// The clients start with the demonstration, and have to register first.
const SETTLE: Duration = Duration::from_millis(300);

const TITLE: Style = AnsiColor::Cyan.on_default().bold();

pub(super) fn demo() -> Result<(), CliError> {
    actix_rt::System::new().block_on(async {
        let cluster = Cluster::start()?;
        tokio::time::sleep(SETTLE).await;
        cluster.play().await
    })
}

struct Cluster {
    topology: Topology,
    hubs: BTreeMap<NodeName, Switch>,
    carol: Party,
    celia: Party,
}

/// A client with the SAE that it serves, and what went between it and the hubs.
struct Party {
    sae: SaeId,
    client: Addr<ClientNode>,
    ladder: Ladder,
}

impl Cluster {
    fn start() -> Result<Self, CliError> {
        let topology = Topology::parse("the demonstration", &format!("{TOPOLOGY}{TIMING}"))?;
        let mut hubs = BTreeMap::new();
        for hub in &topology.hubs {
            let switch = Switch::default();
            if let Some(config) = topology.hub(&hub.name) {
                switch.on(HubNode::new(Hub::new(config, os_rng())).start().into());
            }
            hubs.insert(hub.name.clone(), switch);
        }
        Ok(Self {
            carol: Party::start(&topology, &hubs, "carol")?,
            celia: Party::start(&topology, &hubs, "celia")?,
            topology,
            hubs,
        })
    }

    async fn play(&self) -> Result<(), CliError> {
        title("1. Five hubs, any three of which are enough for a key");
        println!(
            "SAE carol asks its client for a key with SAE celia. The client splits the key into five shares, one for\n\
             each hub, and encrypts each with random data that only it and that hub have."
        );
        self.exchange().await?;
        title("2. Two hubs are stopped");
        self.stop(&["hank", "hugo"]);
        println!("Three are left, which is enough.");
        self.exchange().await?;
        title("3. One more is stopped");
        self.stop(&["holly"]);
        println!("Two are left. What two hubs hold says nothing about a key, not even to celia.");
        match self.get_key().await {
            Err(error) => println!("   {BAD}no key for carol{BAD:#}: {error}"),
            Ok(_) => return Err(CliError::Demo("two hubs were enough for a key".to_owned())),
        }
        println!(
            "\nThat was all in one process. `dske start` starts the same nodes as a process each, over HTTP; `cargo chaos`\n\
             shows what they stand."
        );
        Ok(())
    }

    /// A key for carol, then the same for celia.
    async fn exchange(&self) -> Result<(), CliError> {
        let given = self.get_key().await.map_err(failed)?;
        println!("   {GOOD}carol has key{GOOD:#} {}", shown(&given));
        let fetched = self.fetch(&given).await.map_err(failed)?;
        println!("   {GOOD}celia has key{GOOD:#} {}", shown(&fetched));
        if given.bytes == fetched.bytes {
            Ok(())
        } else {
            Err(CliError::Demo("the keys differ".to_owned()))
        }
    }

    async fn get_key(&self) -> Result<EstablishedKey, KmeError> {
        let message = GetKey {
            caller: self.carol.sae.clone(),
            slave_saes: vec![self.celia.sae.clone()],
            number: None,
            size_bits: None,
        };
        let answer = self.carol.client.send(message).await;
        self.carol.ladder.print(&self.topology);
        one(answer)
    }

    async fn fetch(&self, key: &EstablishedKey) -> Result<EstablishedKey, KmeError> {
        let message = GetKeyWithIds {
            caller: self.celia.sae.clone(),
            master_sae: self.carol.sae.clone(),
            key_ids: vec![key.key_id],
        };
        let answer = self.celia.client.send(message).await;
        // Answers beyond the third are on their way still.
        tokio::time::sleep(SETTLE).await;
        self.celia.ladder.print(&self.topology);
        one(answer)
    }

    fn stop(&self, names: &[&str]) {
        for (name, switch) in &self.hubs {
            if names.contains(&name.as_str()) {
                switch.off();
            }
        }
    }
}

impl Party {
    fn start(
        topology: &Topology,
        hubs: &BTreeMap<NodeName, Switch>,
        name: &str,
    ) -> Result<Self, CliError> {
        let unknown = || CliError::Demo(format!("there is no client {name}"));
        let name: NodeName = name.parse().map_err(|_| unknown())?;
        let config = topology.client(&name).ok_or_else(unknown)?;
        let ladder = Ladder::new(name.to_string());
        let reach = |hub: &HubPeer| -> Rc<dyn Transport> {
            let switch = hubs.get(&hub.name).cloned().unwrap_or_default();
            Rc::new(Wire::new(switch, hub.name.clone(), ladder.clone()))
        };
        Ok(Self {
            sae: SaeId::from(&name),
            client: ClientNode::start(config, os_rng(), reach),
            ladder,
        })
    }
}

/// The one key that was asked for.
fn one(
    answer: Result<Result<Vec<EstablishedKey>, KmeError>, actix::MailboxError>,
) -> Result<EstablishedKey, KmeError> {
    let mut keys = answer.expect("the client lives as long as the demonstration")?;
    Ok(keys.pop().expect("one key was asked for"))
}

fn failed(error: KmeError) -> CliError {
    CliError::Demo(error.to_string())
}

fn title(text: &str) {
    println!("\n{TITLE}{text}{TITLE:#}");
}

/// A key of the demonstration protects nothing: it may be shown.
fn shown(key: &EstablishedKey) -> String {
    let id = key.key_id;
    let bytes = STANDARD.encode(&*key.bytes);
    format!("{bytes} {FAINT}(ID {id}){FAINT:#}")
}
