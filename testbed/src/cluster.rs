//! What all clusters can do, however their nodes run.

use dske::http::etsi::{KeyContainer, Status};
use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::Topology;

use crate::{CallError, KeyRequest};

/// A running cluster. One scenario written against it runs on all kinds.
#[allow(
    async_fn_in_trait,
    reason = "nodes are actors: nothing here is ever sent to another thread"
)]
pub trait Cluster {
    /// The cluster's topology.
    fn topology(&self) -> &Topology;

    /// Get status, by the KME that serves `caller`.
    async fn status(&self, caller: &SaeId, slave: &SaeId) -> Result<Status, CallError>;

    /// Get key, by the KME that serves `caller`.
    async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError>;

    /// Get key with key IDs, by the KME that serves `caller`.
    async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError>;

    /// The status that a hub reports.
    async fn hub_status(&self, hub: &NodeName) -> Result<HubStatus, CallError>;

    /// The status that a client reports.
    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError>;

    /// Stops a hub. Everything that it holds is lost.
    async fn stop_hub(&self, hub: &NodeName);

    /// Starts a hub that was stopped.
    async fn start_hub(&self, hub: &NodeName);
}

/// The KME that serves an SAE.
pub(crate) fn home_of<'a>(topology: &'a Topology, sae: &SaeId) -> Result<&'a NodeName, CallError> {
    let home = topology.saes.get(sae);
    home.ok_or_else(|| CallError::Unknown(format!("no client serves SAE {sae}")))
}
