//! Calls clients over ETSI GS QKD 014, as SAEs would.

use std::rc::Rc;

use serde::Serialize;

use dske::http::etsi::{KeyContainer, KeyRequest};
use dske::http::etsi_client::{CallError, EtsiClient};
use dske::protocol::{KeyId, SaeId};
use dske::topology::{Role, Topology};
use dske_testbed::over_http::HttpNodes;
use dske_testbed::print::failure;
use dske_testbed::{eprintln, println};

use super::nodes::{Node, find, names};
use super::print::{FAINT, GOOD};
use super::tls;
use super::{CliError, EtsiCall, EtsiQkd, Keys};

pub(super) fn call(topology: &Topology, call: &EtsiQkd) -> Result<(), CliError> {
    let saes = Saes {
        topology,
        master: &call.master,
    };
    let before = &call.keys;
    actix_rt::System::new().block_on(async {
        match &call.call {
            EtsiCall::Status => {
                unused(before, "status")?;
                saes.status(&call.slave).await
            }
            EtsiCall::GetKey(after) => {
                let request = request(before, after);
                let given = saes.get_key(&call.slave, &request).await?;
                arrived(&given)
            }
            EtsiCall::GetKeyWithKeyIds { ids } => {
                unused(before, "get-key-with-key-ids")?;
                let fetched = saes.get_key_with_ids(&call.slave, ids).await?;
                arrived(&fetched)
            }
            EtsiCall::GetKeyPair(after) => {
                let request = request(before, after);
                let given = saes.get_key(&call.slave, &request).await?;
                for slave in std::iter::once(&call.slave).chain(&request.also) {
                    let ids = given.keys.iter().filter_map(|key| key.key_ID.parse().ok());
                    let ids: Vec<KeyId> = ids.collect();
                    let fetched = saes.get_key_with_ids(slave, &ids).await?;
                    if fetched != given {
                        return Err(CliError::KeysDiffer {
                            master: call.master.clone(),
                            slave: slave.clone(),
                        });
                    }
                }
                println!("{GOOD}Key values match{GOOD:#}");
                arrived(&given)
            }
        }
    })
}

/// What stands before the call, and what stands after it.
fn request(before: &Keys, after: &Keys) -> KeyRequest {
    KeyRequest {
        number: after.number.or(before.number),
        size_bits: after.size.or(before.size),
        also: before.also.iter().chain(&after.also).cloned().collect(),
    }
}

/// Refuses options that the call would ignore.
fn unused(keys: &Keys, call: &'static str) -> Result<(), CliError> {
    for (option, given) in [
        ("--size", keys.size.is_some()),
        ("--number", keys.number.is_some()),
        ("--also", !keys.also.is_empty()),
    ] {
        if given {
            return Err(CliError::OptionUnused { option, call });
        }
    }
    Ok(())
}

/// A key is given out once. Where its value could not be printed, its ID is what is left of it.
fn arrived(keys: &KeyContainer) -> Result<(), CliError> {
    match failure() {
        None => Ok(()),
        Some(reason) => Err(CliError::KeysLost {
            reason,
            key_ids: names(keys.keys.iter().map(|key| &key.key_ID)),
        }),
    }
}

struct Saes<'a> {
    topology: &'a Topology,
    master: &'a SaeId,
}

impl Saes<'_> {
    async fn status(&self, slave: &SaeId) -> Result<(), CliError> {
        let (kme, what) = self.kme("Status", self.master)?;
        let status = kme.status(self.master, slave).await;
        print_answer(&status.map_err(|error| CliError::Call { what, error })?)
    }

    async fn get_key(&self, slave: &SaeId, request: &KeyRequest) -> Result<KeyContainer, CliError> {
        let (kme, what) = self.kme("Get key", self.master)?;
        let given = kme.get_key(self.master, slave, request).await;
        let given = given.map_err(|error| CliError::Call { what, error })?;
        print_answer(&given)?;
        Ok(given)
    }

    async fn get_key_with_ids(
        &self,
        slave: &SaeId,
        ids: &[KeyId],
    ) -> Result<KeyContainer, CliError> {
        let (kme, what) = self.kme("Get key with key IDs", slave)?;
        let fetched = kme.get_key_with_ids(slave, self.master, ids).await;
        let fetched = fetched.map_err(|error| CliError::Call { what, error })?;
        print_answer(&fetched)?;
        Ok(fetched)
    }

    /// The KME that serves an SAE, and a description of the call for messages.
    fn kme(&self, method: &str, caller: &SaeId) -> Result<(EtsiClient, String), CliError> {
        let topology = self.topology;
        let home = topology.saes.get(caller);
        let home = home.ok_or_else(|| CliError::UnknownSae {
            sae: caller.clone(),
            known: names(topology.saes.keys()),
        })?;
        let node: Node = find(topology, Role::Client, home)?;
        let what = format!("{method} for SAE {caller} at {node}");
        eprintln!("{FAINT}{what}{FAINT:#}");
        let nodes = HttpNodes::new(Rc::new(topology.clone()), tls::clients(topology, 1));
        match nodes.kme(caller) {
            Ok(kme) => Ok((kme, what)),
            Err(error) => Err(CliError::Call { what, error }),
        }
    }
}

/// Prints an answer to standard output. Everything else goes to standard error, so that answers can be piped.
fn print_answer(answer: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(answer).map_err(|error| CliError::Call {
        what: "printing the answer".to_owned(),
        error: CallError::Unknown(error.to_string()),
    })?;
    println!("{text}");
    Ok(())
}
