//! What the nemesis can do.

use serde::{Deserialize, Serialize};

use super::ClusterPlan;
use super::limits::{self, Limit};
use super::named::named;

/// A fault with its times, in milliseconds since the run began.
///
/// Unknown fields are refused by [`Fault`], which takes all that are left over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// When it begins.
    pub at_ms: u64,
    /// When it is over.
    pub until_ms: u64,
    /// What it is.
    #[serde(flatten)]
    pub fault: Fault,
}

named! {
    /// A kind of fault, as campaign files spell it.
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    pub enum FaultKind {
        /// Nothing passes between these clients and hubs.
        Partition = "partition",
        /// What these clients send to these hubs is lost; the way back is open.
        PartitionToHubs = "partition-to-hubs",
        /// What these hubs send to these clients is lost; the way there is open.
        PartitionToClients = "partition-to-clients",
        /// Messages between the two are held back, and delivered when the fault is over.
        Hold = "hold",
        /// Messages between the two take this long, one way.
        SlowLink = "slow-link",
        /// Some of the messages between the two are lost and sent again, as TCP does it: later.
        LossyLink = "lossy-link",
        /// The hub takes this long before it looks at a request.
        SlowHub = "slow-hub",
        /// Answers between a client and a hub are swapped.
        SwapAnswers = "swap-answers",
        /// The hub is down, and has forgotten everything when it comes back.
        CrashHub = "crash-hub",
        /// The client is down, and has forgotten everything when it comes back.
        CrashClient = "crash-client",
        /// The hub delivers no PSRD.
        CutRefill = "cut-refill",
        /// Blocks that the hub delivers are lost on their way.
        LoseDelivery = "lose-delivery",
        /// An outsider sends the hub garbage, replays and forgeries.
        Flood = "flood",
        /// A registered client that breaks every rule attacks all hubs with properly signed messages.
        RogueClient = "rogue-client",
        /// One SAE of a client asks for keys, as many as it is given, and nobody fetches them.
        GreedySae = "greedy-sae",
    }
}

/// A name that no kind of fault has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault {name:?}; there are {}", FaultKind::names().join(", "))]
pub struct UnknownKind {
    /// What was asked for.
    pub name: String,
}

/// A fault. Clients and hubs are named by index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing passes between these clients and hubs.
    Partition {
        /// Clients.
        clients: Vec<usize>,
        /// Hubs.
        hubs: Vec<usize>,
    },
    /// What these clients send to these hubs is lost; the way back is open.
    PartitionToHubs {
        /// Clients.
        clients: Vec<usize>,
        /// Hubs.
        hubs: Vec<usize>,
    },
    /// What these hubs send to these clients is lost; the way there is open.
    PartitionToClients {
        /// Clients.
        clients: Vec<usize>,
        /// Hubs.
        hubs: Vec<usize>,
    },
    /// Messages between the two are held back, and delivered when the fault is over.
    Hold {
        /// Client.
        client: usize,
        /// Hub.
        hub: usize,
    },
    /// Messages between the two take this long, one way.
    SlowLink {
        /// Client.
        client: usize,
        /// Hub.
        hub: usize,
        /// One way.
        latency_ms: u64,
    },
    /// Some of the messages between the two are lost and sent again, as TCP does it: later.
    LossyLink {
        /// Client.
        client: usize,
        /// Hub.
        hub: usize,
        /// How likely a message is lost each time that it is sent.
        loss_percent: u64,
    },
    /// Answers on their way between the two are swapped: each goes to whoever waits for the other.
    SwapAnswers {
        /// Client.
        client: usize,
        /// Hub.
        hub: usize,
    },
    /// The hub takes this long before it looks at a request.
    SlowHub {
        /// Hub.
        hub: usize,
        /// Delay of each response.
        delay_ms: u64,
    },
    /// The hub is down, and has forgotten everything when it comes back.
    CrashHub {
        /// Hub.
        hub: usize,
    },
    /// The client is down, and has forgotten everything when it comes back.
    CrashClient {
        /// Client.
        client: usize,
    },
    /// The hub delivers no PSRD.
    CutRefill {
        /// Hub.
        hub: usize,
    },
    /// Blocks that the hub delivers are lost on their way: the hub has them, and the client has not.
    LoseDelivery {
        /// Hub.
        hub: usize,
    },
    /// An outsider sends the hub garbage, replays and forgeries.
    Flood {
        /// Hub.
        hub: usize,
        /// Messages a second.
        per_second: u64,
    },
    /// A registered client that breaks every rule attacks all hubs with properly signed messages.
    RogueClient {
        /// Messages a second.
        per_second: u64,
    },
    /// One SAE of a client asks for keys, as many as it is given, and nobody fetches them. That is within the rules.
    GreedySae {
        /// Client.
        client: usize,
        /// Calls a second, all at the same moment.
        per_second: u64,
    },
}

impl Fault {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Partition { .. } => FaultKind::Partition,
            Self::PartitionToHubs { .. } => FaultKind::PartitionToHubs,
            Self::PartitionToClients { .. } => FaultKind::PartitionToClients,
            Self::Hold { .. } => FaultKind::Hold,
            Self::SlowLink { .. } => FaultKind::SlowLink,
            Self::LossyLink { .. } => FaultKind::LossyLink,
            Self::SwapAnswers { .. } => FaultKind::SwapAnswers,
            Self::SlowHub { .. } => FaultKind::SlowHub,
            Self::CrashHub { .. } => FaultKind::CrashHub,
            Self::CrashClient { .. } => FaultKind::CrashClient,
            Self::CutRefill { .. } => FaultKind::CutRefill,
            Self::LoseDelivery { .. } => FaultKind::LoseDelivery,
            Self::Flood { .. } => FaultKind::Flood,
            Self::RogueClient { .. } => FaultKind::RogueClient,
            Self::GreedySae { .. } => FaultKind::GreedySae,
        }
    }

    /// Whether an exchange between the two may legitimately fail, or be late, while the fault lasts. This is where
    /// it is said which failures are excused: one reason for each kind.
    #[must_use]
    pub fn disturbs(&self, client: usize, hub: usize, cluster: &ClusterPlan) -> bool {
        match self {
            // What is lost is lost.
            Self::Partition { clients, hubs }
            | Self::PartitionToHubs { clients, hubs }
            | Self::PartitionToClients { clients, hubs } => {
                clients.contains(&client) && hubs.contains(&hub)
            }
            // What is held is as good as lost until it is released.
            Self::Hold { client: c, hub: h } => *c == client && *h == hub,
            // Late beyond the grace period: the master may be answered before this hub has its share. A first
            // exchange needs five ways there and back: connect, register, two blocks, ask.
            Self::SlowLink {
                client: c,
                hub: h,
                latency_ms,
            } => *c == client && *h == hub && latency_ms * 10 > cluster.grace_ms,
            // One loss costs a retransmission time-out, which is as long as some grace periods. A second loss costs the request.
            Self::LossyLink {
                client: c, hub: h, ..
            } => *c == client && *h == hub,
            // An answer that belongs to another request is as good as lost.
            Self::SwapAnswers { client: c, hub: h } => *c == client && *h == hub,
            Self::SlowHub { hub: h, delay_ms } => *h == hub && delay_ms * 2 > cluster.grace_ms,
            // The node is not there, and comes back without PSRD and shares.
            Self::CrashHub { hub: h } => *h == hub,
            Self::CrashClient { client: c } => *c == client,
            // PSRD may run dry.
            Self::CutRefill { hub: h } | Self::LoseDelivery { hub: h } => *h == hub,
            // Nobody who holds no PSRD can do harm: never an excuse.
            Self::Flood { .. } => false,
            // Nor anybody who holds PSRD of its own: never an excuse.
            Self::RogueClient { .. } => false,
            // Nor an SAE, whatever it asks for: others have accounts of their own.
            Self::GreedySae { .. } => false,
        }
    }

    /// Whether the hub cannot be reached by this client in time while the fault lasts.
    #[must_use]
    pub fn severs(&self, client: usize, hub: usize, cluster: &ClusterPlan) -> bool {
        match self {
            // Slower than anybody waits for.
            Self::SlowLink { latency_ms, .. } if latency_ms * 2 < cluster.request_timeout_ms => {
                false
            }
            Self::SlowHub { delay_ms, .. } if delay_ms * 2 < cluster.request_timeout_ms => false,
            // A message may get through at any time, and most do.
            Self::LossyLink { .. } | Self::SwapAnswers { .. } => false,
            // PSRD is there, or it is not: that is not a matter of hubs in reach.
            Self::CutRefill { .. }
            | Self::LoseDelivery { .. }
            | Self::Flood { .. }
            | Self::RogueClient { .. }
            | Self::GreedySae { .. } => false,
            _ => self.disturbs(client, hub, cluster),
        }
    }

    /// The hubs that it is about.
    #[must_use]
    pub fn hubs(&self) -> Vec<usize> {
        match self {
            Self::Partition { hubs, .. }
            | Self::PartitionToHubs { hubs, .. }
            | Self::PartitionToClients { hubs, .. } => hubs.clone(),
            Self::Hold { hub, .. }
            | Self::SlowLink { hub, .. }
            | Self::LossyLink { hub, .. }
            | Self::SwapAnswers { hub, .. }
            | Self::SlowHub { hub, .. }
            | Self::CrashHub { hub }
            | Self::CutRefill { hub }
            | Self::LoseDelivery { hub }
            | Self::Flood { hub, .. } => vec![*hub],
            // Whom it attacks it does not disturb.
            Self::CrashClient { .. } | Self::RogueClient { .. } | Self::GreedySae { .. } => {
                Vec::new()
            }
        }
    }

    /// The clients that it is about. A crash, a slow hub or a flood concerns whichever client asks.
    #[must_use]
    pub fn clients(&self) -> Vec<usize> {
        match self {
            Self::Partition { clients, .. }
            | Self::PartitionToHubs { clients, .. }
            | Self::PartitionToClients { clients, .. } => clients.clone(),
            Self::Hold { client, .. }
            | Self::SlowLink { client, .. }
            | Self::LossyLink { client, .. }
            | Self::SwapAnswers { client, .. }
            | Self::CrashClient { client }
            | Self::GreedySae { client, .. } => vec![*client],
            Self::SlowHub { .. }
            | Self::CrashHub { .. }
            | Self::CutRefill { .. }
            | Self::LoseDelivery { .. }
            | Self::Flood { .. }
            | Self::RogueClient { .. } => Vec::new(),
        }
    }

    /// The clients and hubs of a fault that is about groups of them.
    pub fn groups_mut(&mut self) -> Option<(&mut Vec<usize>, &mut Vec<usize>)> {
        match self {
            Self::Partition { clients, hubs }
            | Self::PartitionToHubs { clients, hubs }
            | Self::PartitionToClients { clients, hubs } => Some((clients, hubs)),
            Self::Hold { .. }
            | Self::SlowLink { .. }
            | Self::LossyLink { .. }
            | Self::SwapAnswers { .. }
            | Self::SlowHub { .. }
            | Self::CrashHub { .. }
            | Self::CrashClient { .. }
            | Self::CutRefill { .. }
            | Self::LoseDelivery { .. }
            | Self::Flood { .. }
            | Self::RogueClient { .. }
            | Self::GreedySae { .. } => None,
        }
    }

    /// The name of its strength and the value, for faults that have a strength.
    pub fn strength_mut(&mut self) -> Option<(&'static str, &mut u64)> {
        match self {
            Self::SlowLink { latency_ms, .. } => Some(("latency_ms", latency_ms)),
            Self::LossyLink { loss_percent, .. } => Some(("loss_percent", loss_percent)),
            Self::SlowHub { delay_ms, .. } => Some(("delay_ms", delay_ms)),
            Self::Flood { per_second, .. }
            | Self::RogueClient { per_second, .. }
            | Self::GreedySae { per_second, .. } => Some(("per_second", per_second)),
            Self::Partition { .. }
            | Self::PartitionToHubs { .. }
            | Self::PartitionToClients { .. }
            | Self::Hold { .. }
            | Self::SwapAnswers { .. }
            | Self::CrashHub { .. }
            | Self::CrashClient { .. }
            | Self::CutRefill { .. }
            | Self::LoseDelivery { .. } => None,
        }
    }
}

impl TryFrom<String> for FaultKind {
    type Error = UnknownKind;

    fn try_from(name: String) -> Result<Self, UnknownKind> {
        Self::named(&name).ok_or(UnknownKind { name })
    }
}

impl FaultKind {
    /// The limits of this kind's strength. `None` for kinds without a strength.
    #[must_use]
    pub fn strength_limit(self) -> Option<Limit> {
        match self {
            Self::SlowLink | Self::SlowHub | Self::Flood | Self::RogueClient | Self::GreedySae => {
                Some(limits::STRENGTH)
            }
            Self::LossyLink => Some(limits::LOSS_PERCENT),
            Self::Partition
            | Self::PartitionToHubs
            | Self::PartitionToClients
            | Self::Hold
            | Self::SwapAnswers
            | Self::CrashHub
            | Self::CrashClient
            | Self::CutRefill
            | Self::LoseDelivery => None,
        }
    }

    /// The fault of this kind about these clients and hubs, or the first of these. At least one of each is needed.
    #[must_use]
    pub fn among(self, clients: Vec<usize>, hubs: Vec<usize>, strength: u64) -> Fault {
        let (client, hub) = (clients[0], hubs[0]);
        match self {
            Self::Partition => Fault::Partition { clients, hubs },
            Self::PartitionToHubs => Fault::PartitionToHubs { clients, hubs },
            Self::PartitionToClients => Fault::PartitionToClients { clients, hubs },
            Self::Hold => Fault::Hold { client, hub },
            Self::SlowLink => Fault::SlowLink {
                client,
                hub,
                latency_ms: strength,
            },
            Self::LossyLink => Fault::LossyLink {
                client,
                hub,
                loss_percent: strength,
            },
            Self::SwapAnswers => Fault::SwapAnswers { client, hub },
            Self::SlowHub => Fault::SlowHub {
                hub,
                delay_ms: strength,
            },
            Self::CrashHub => Fault::CrashHub { hub },
            Self::CrashClient => Fault::CrashClient { client },
            Self::CutRefill => Fault::CutRefill { hub },
            Self::LoseDelivery => Fault::LoseDelivery { hub },
            Self::Flood => Fault::Flood {
                hub,
                per_second: strength,
            },
            Self::RogueClient => Fault::RogueClient {
                per_second: strength,
            },
            Self::GreedySae => Fault::GreedySae {
                client,
                per_second: strength,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lossy_link_excuses_its_own_two_ends_and_severs_nobody() {
        let cluster = crate::campaign::load("lossy").unwrap().plan(1).cluster;
        let lossy = Fault::LossyLink {
            client: 1,
            hub: 2,
            loss_percent: 90,
        };
        assert!(lossy.disturbs(1, 2, &cluster) && !lossy.severs(1, 2, &cluster));
        assert!(!lossy.disturbs(0, 2, &cluster) && !lossy.disturbs(1, 0, &cluster));
        assert_eq!((lossy.clients(), lossy.hubs()), (vec![1], vec![2]));
    }

    #[test]
    fn every_kind_makes_faults_of_itself_with_its_name_and_a_limit_for_its_strength() {
        for &kind in FaultKind::ALL {
            let mut fault = kind.among(vec![1, 0], vec![2], 7);
            assert_eq!(fault.kind(), kind);
            assert_eq!(serde_json::to_value(&fault).unwrap()["kind"], kind.name());
            let strength = fault.strength_mut().map(|(_, strength)| *strength);
            assert_eq!(kind.strength_limit().is_some(), strength.is_some());
            assert!(strength.is_none_or(|strength| strength == 7), "{kind}");
        }
    }
}
