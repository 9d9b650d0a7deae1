//! Clients of a hub, for tests of attackers.

use dske::protocol::NodeName;
use dske::protocol::channel::{ClientEnd, PoolOwner};
use dske::protocol::hub::{Hub, PsrdRequest, RegistrationRequest};

/// A client that is registered at a hub, with a block of PSRD for each direction.
pub(super) fn meet(hub: &mut Hub, client: &str, block_bytes: usize) -> ClientEnd {
    let client: NodeName = client.parse().unwrap();
    let request = RegistrationRequest {
        client: client.clone(),
    };
    let registration = hub.register(&request).unwrap().registration;
    let mut end = ClientEnd::default();
    for owner in [PoolOwner::Client, PoolOwner::Hub] {
        let request = PsrdRequest {
            client: client.clone(),
            registration,
            owner,
            size: block_bytes,
        };
        end.add(owner, hub.deliver_psrd(&request).unwrap()).unwrap();
    }
    end
}
