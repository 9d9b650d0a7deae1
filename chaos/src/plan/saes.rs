//! Which SAEs there are, who serves them, and what they are guaranteed.

use super::{Fault, Plan, ROGUE_NAME};

/// What the SAE of a client that takes what it can adds to the client's name.
const GREEDY_SUFFIX: &str = "-greedy";

/// What a hub keeps for the shares of one SAE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    /// Shares.
    pub shares: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Plan {
    /// How many SAEs can take part in an exchange.
    #[must_use]
    pub fn saes(&self) -> usize {
        usize::from(self.cluster.clients) * usize::from(self.cluster.saes_per_client)
    }

    /// The client that serves an SAE.
    #[must_use]
    pub fn client_of(&self, sae: usize) -> usize {
        sae % usize::from(self.cluster.clients)
    }

    /// Name of an SAE: the first of a client has the name of that.
    #[must_use]
    pub fn sae_name(&self, sae: usize) -> String {
        let client = self.client_name(self.client_of(sae));
        match sae / usize::from(self.cluster.clients) {
            0 => client.to_owned(),
            nth => format!("{client}-{}", nth + 1),
        }
    }

    /// Whether one SAE of a client takes what it can.
    #[must_use]
    pub fn has_greedy(&self, client: usize) -> bool {
        self.faults.iter().any(
            |planned| matches!(planned.fault, Fault::GreedySae { client: c, .. } if c == client),
        )
    }

    /// The SAEs that a client serves: one of its own name, others if each client has several, and the greedy one if there is
    /// one.
    #[must_use]
    pub fn saes_of(&self, client: usize) -> Vec<String> {
        let clients = usize::from(self.cluster.clients);
        if !self.is_honest(client) {
            return vec![ROGUE_NAME.to_owned()];
        }
        let numbers = 0..usize::from(self.cluster.saes_per_client);
        let own = numbers.map(|nth| self.sae_name(nth * clients + client));
        let greedy = self.has_greedy(client);
        own.chain(greedy.then(|| greedy_sae(self.client_name(client))))
            .collect()
    }

    /// How much of its store each hub keeps for the shares of a master SAE, whatever others deposit: half of it, in equal
    /// parts for all clients, and each part in equal parts for the client's SAEs. `None` for an SAE that there is not.
    #[must_use]
    pub fn guarantee(&self, sae: &str) -> Option<Guarantee> {
        let clients = usize::from(self.cluster.clients) + usize::from(self.has_rogue());
        let mut saes = (0..clients).map(|client| self.saes_of(client));
        let saes = saes.find(|saes| saes.iter().any(|one| one == sae))?;
        let part = |max: u64| max / 2 / clients as u64 / saes.len() as u64;
        Some(Guarantee {
            shares: part(self.cluster.shares_per_hub_max),
            bytes: part(self.cluster.share_bytes_per_hub_max),
        })
    }
}

/// The SAE of a client that takes what it can.
#[must_use]
pub fn greedy_sae(client: &str) -> String {
    format!("{client}{GREEDY_SUFFIX}")
}
