//! A first look: a cluster in this process, keys with what goes to which hub, and hubs that fail.

mod wire;

use std::rc::Rc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use dske::crypto::generator::os_rng;
use dske::http::etsi::{ContainedKey, KeyContainer};
use dske::node::transport::Transport;
use dske::protocol::names::NameError;
use dske::protocol::{NodeName, SaeId};
use dske::topology::Topology;
use dske_testbed::local::LocalCluster;
use dske_testbed::println;
use dske_testbed::{CallError, Cluster, KeyRequest};

use super::CliError;
use super::print::{BAD, FAINT, GOOD};
use wire::{Ladder, Wire};

const TOPOLOGY: &str = include_str!("../../topology.toml");

/// The time-outs of the example are made for networks. In one process nobody has to wait that long.
const TIMING: &str = "\n[timing]\ncall_deadline_ms = 1500\n";

/// The clients start with the demonstration, and have to register first.
const SETTLE: Duration = Duration::from_millis(300);

const TITLE: Style = AnsiColor::Cyan.on_default().bold();

pub(super) fn demo() -> Result<(), CliError> {
    actix_rt::System::new().block_on(async {
        let demo = Demo::start()?;
        tokio::time::sleep(SETTLE).await;
        demo.play().await
    })
}

struct Demo {
    cluster: LocalCluster,
    carol: Party,
    celia: Party,
}

/// An SAE that takes part, and what went between its client and the hubs.
struct Party {
    sae: SaeId,
    ladder: Ladder,
}

impl Demo {
    fn start() -> Result<Self, CliError> {
        let topology = Topology::parse("the demonstration", &format!("{TOPOLOGY}{TIMING}"))?;
        let (carol, celia) = (Party::new("carol")?, Party::new("celia")?);
        let tap =
            |client: &NodeName, hub: &NodeName, way: Rc<dyn Transport>| -> Rc<dyn Transport> {
                let mut parties = [&carol, &celia].into_iter();
                match parties.find(|party| party.sae == SaeId::from(client)) {
                    Some(party) => Rc::new(Wire::new(way, hub.clone(), party.ladder.clone())),
                    None => way,
                }
            };
        let cluster = LocalCluster::start_tapped(topology, |_, _| os_rng(), tap);
        Ok(Self {
            cluster,
            carol,
            celia,
        })
    }

    async fn play(&self) -> Result<(), CliError> {
        title("1. Five hubs, any three of which are enough for a key");
        println!(
            "SAE carol asks its client for a key with SAE celia. The client splits the key into five shares, one for\n\
             each hub, and encrypts each share with random data that only the client and that hub have."
        );
        self.exchange().await?;
        title("2. Two hubs are stopped");
        self.stop(&["hank", "hugo"]).await?;
        println!("Three are left, which is enough.");
        self.exchange().await?;
        title("3. One more is stopped");
        self.stop(&["holly"]).await?;
        println!(
            "Two are left. Two hubs together know nothing about a key, so not even celia could get it from them."
        );
        match self.get_key().await {
            Err(error) => println!("   {BAD}no key for carol{BAD:#}: {}", reason(error)),
            Ok(_) => return Err(CliError::Demo("two hubs were enough for a key".to_owned())),
        }
        println!(
            "\nAll of this ran in one process. `dske start` starts every node as a process of its own, over HTTP.\n\
             `cargo chaos` shows what faults and lies the nodes withstand."
        );
        Ok(())
    }

    /// A key for carol, then the same for celia.
    async fn exchange(&self) -> Result<(), CliError> {
        let given = self.get_key().await.map_err(failed)?;
        println!("   {GOOD}carol has key{GOOD:#} {}", shown(&given));
        let fetched = self.fetch(&given).await.map_err(failed)?;
        println!("   {GOOD}celia has key{GOOD:#} {}", shown(&fetched));
        match given.key == fetched.key {
            true => Ok(()),
            false => Err(CliError::Demo("the keys differ".to_owned())),
        }
    }

    async fn get_key(&self) -> Result<ContainedKey, CallError> {
        let (carol, celia) = (&self.carol.sae, &self.celia.sae);
        let request = KeyRequest::default();
        let answer = self.cluster.get_key(carol, celia, &request).await;
        self.carol.ladder.print(self.cluster.topology());
        answer.map(one)
    }

    async fn fetch(&self, key: &ContainedKey) -> Result<ContainedKey, CallError> {
        let (carol, celia) = (&self.carol.sae, &self.celia.sae);
        let id = key.key_ID.parse().expect("the client made it");
        let answer = self.cluster.get_key_with_ids(celia, carol, &[id]).await;
        // The answers beyond the third are still on their way.
        tokio::time::sleep(SETTLE).await;
        self.celia.ladder.print(self.cluster.topology());
        answer.map(one)
    }

    async fn stop(&self, hubs: &[&str]) -> Result<(), CliError> {
        for hub in hubs {
            self.cluster.stop_hub(&hub.parse().map_err(unnamed)?).await;
        }
        Ok(())
    }
}

impl Party {
    fn new(name: &str) -> Result<Self, CliError> {
        Ok(Self {
            sae: name.parse().map_err(unnamed)?,
            ladder: Ladder::new(name.to_owned()),
        })
    }
}

/// The one key that was asked for.
fn one(answer: KeyContainer) -> ContainedKey {
    let mut keys = answer.keys.into_iter();
    keys.next().expect("one key was asked for")
}

fn unnamed(error: NameError) -> CliError {
    CliError::Demo(error.to_string())
}

fn failed(error: CallError) -> CliError {
    CliError::Demo(reason(error))
}

/// There is no HTTP here: its status would only puzzle.
fn reason(error: CallError) -> String {
    match error {
        CallError::Refused { message, .. } => message,
        CallError::NotMade(_) | CallError::Unknown(_) => error.to_string(),
    }
}

fn title(text: &str) {
    println!("\n{TITLE}{text}{TITLE:#}");
}

/// A key of the demonstration protects nothing: it may be shown.
fn shown(key: &ContainedKey) -> String {
    let (value, id) = (key.key.as_str(), &key.key_ID);
    format!("{value} {FAINT}(ID {id}){FAINT:#}")
}
