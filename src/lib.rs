//! Distributed Symmetric Key Establishment (DSKE).
//!
//! Two clients establish a symmetric key through N security hubs. Shamir's scheme splits the key into one share for each
//! hub, and each share travels under a one-time pad of pre-shared random data (PSRD). Any K hubs suffice, fewer than K
//! learn nothing, and no step rests on a mathematical problem that a quantum computer could solve.
//!
//! ```text
//!  master SAE                                                       slave SAE
//!      │ enc_keys          deposit           fetch                      │ dec_keys
//!      ▼                 ┌────────▶ hub 1 ◀────────┐                    ▼
//!  client A (KME) ───────┼────────▶ hub 2 ◀────────┼──────── client B (KME)
//!  splits the key        └────────▶ hub N ◀────────┘   puts it together, corrects, blames
//! ```
//!
//! An *SAE* is an application that uses keys, such as an encryptor. A *client* serves SAEs: it is the key management
//! entity (KME) that they ask for keys.
//!
//! # A key, from one client to the other
//!
//! The protocol is a set of state machines without I/O. They neither open sockets nor read clocks: whoever drives them
//! carries the messages. Here two clients and three hubs live in one process, so that carrying a message is a call.
//!
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use std::time::Duration;
//!
//! use dske::crypto::{generator::os_rng, shamir::Sharing};
//! use dske::protocol::hub::{Hub, HubConfig};
//! use dske::protocol::initiator::{EstablishRequest, Initiator, Patience, Progress};
//! use dske::protocol::{limits::NodeLimits, message::FetchQuery, responder::Responder, store::StoreLimits};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (sharing, now, deadline) = (Sharing::new(2, 3)?, Duration::ZERO, Duration::from_secs(4)); // any 2 of 3 hubs
//! let saes = [("alice", "left"), ("bob", "right")]; // client alice serves the SAE "left", client bob the SAE "right"
//! let clients = saes.map(|(client, sae)| (client.parse().unwrap(), BTreeSet::from([sae.parse().unwrap()])));
//! let (clients, store, block_bytes) = (BTreeMap::from(clients), StoreLimits::default(), 1024);
//! let limits = NodeLimits::default();
//! let name = |x| format!("hub{x}").parse().unwrap();
//! let hub = |x| HubConfig { name: name(x), x, sharing, clients: clients.clone(), store, block_bytes, limits };
//! let mut hubs: Vec<Hub> = sharing.indices().map(|x| Hub::new(hub(x), os_rng())).collect();
//!
//! // Alice draws a key, splits it, and deposits a share at each hub. To enroll at a hub is to get PSRD from it.
//! let (client, master_sae, slave_saes) = ("alice".parse()?, "left".parse()?, vec!["right".parse()?]);
//! let request = EstablishRequest { client, master_sae, slave_saes, size: 32, number: 1 };
//! let patience = Patience { deadline, grace: Duration::ZERO };
//! let (mut initiator, deposits) = Initiator::begin(&request, sharing, patience, &mut *os_rng());
//! for ((x, deposit), hub) in deposits.into_iter().zip(&mut hubs) {
//!     let mut channel = hub.enroll(&request.client)?;
//!     let (message, sent) = channel.seal_deposit(&deposit)?;
//!     let answer = hub.handle(now, &message);
//!     initiator.on_reply(now, x, &channel.open_deposit_reply(&sent, &answer)?);
//! }
//! let Progress::Done(established) = initiator.progress(now) else { panic!("fewer than 2 hubs hold a share") };
//!
//! // Alice's SAE tells Bob's the ID of the key. Bob fetches the shares and puts the key together.
//! let (client, slave_sae, key_ids) = ("bob".parse()?, "right".parse()?, vec![established[0].key_id]);
//! let query = FetchQuery { client, slave_sae, master_sae: request.master_sae, key_ids };
//! let mut responder = Responder::begin(query.clone(), sharing, deadline);
//! for (x, hub) in sharing.indices().zip(&mut hubs) {
//!     let mut channel = hub.enroll(&query.client)?;
//!     let (message, sent) = channel.seal_fetch(&query)?;
//!     let answer = hub.handle(now, &message);
//!     responder.on_reply(x, channel.open_fetch_reply(&sent, &answer)?, &mut *os_rng());
//! }
//! let Progress::Done(fetched) = responder.progress(now) else { panic!("fewer than 2 shares agree") };
//! assert_eq!(fetched[0].bytes, established[0].bytes);
//! # Ok(()) }
//! ```
//!
//! # A secret, from shares of which one is wrong
//!
//! The building blocks are of use without the protocol. A tag that is shared along with the key tells whether a candidate
//! is the key. So a wrong share is noticed, corrected where enough others are right, and its holder is named.
//!
//! ```
//! use dske::crypto::generator::os_rng;
//! use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
//! use dske::crypto::robust::{SearchBudget, Work, reconstruct};
//! use dske::crypto::secret::Secret;
//! use dske::crypto::shamir::{Sharing, split};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = os_rng();
//! let mut secret = Secret::zeros(TAG_SECRET_BYTES + 32); // what the tag needs, then a key of 32 bytes
//! rng.fill_bytes(&mut secret);
//! let (u, key) = secret.split_at(TAG_SECRET_BYTES);
//! let tag = KeyTag::compute(u, key); // public
//!
//! let mut shares = split(&secret, Sharing::new(3, 5)?, &mut *rng);
//! shares[1].y[7] ^= 1; // the holder of the second share lies
//!
//! let fits = |candidate: &[u8]| tag.fits(candidate);
//! let mut budget = SearchBudget::new(Work { subsets: 100, bytes: 100_000 });
//! let found = reconstruct(&shares, 3, &fits, &mut *rng, &mut budget)?;
//! assert_eq!(found.secret, secret);
//! assert_eq!(found.culprits, [shares[1].x]);
//! # Ok(()) }
//! ```
//!
//! # A sealed exchange
//!
//! Each message is authenticated, and its shares are encrypted, with PSRD that is used for it alone. Both ends of a
//! channel hold the same blocks. What comes out of an end has been verified, and no message is accepted twice.
//!
//! ```
//! use dske::crypto::generator::os_rng;
//! use dske::protocol::batch::Reply;
//! use dske::protocol::channel::{ClientEnd, HubEnd, PoolOwner, Unverified};
//! use dske::protocol::message::{FetchQuery, FetchReply};
//! use dske::protocol::{KeyId, Refusal};
//! use dske::psrd::Block;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut client, mut hub) = (ClientEnd::default(), HubEnd::default());
//! for owner in [PoolOwner::Client, PoolOwner::Hub] {
//!     let (clients, hubs) = Block::random_pair(1024, &mut *os_rng())?; // delivered out of band
//!     client.add(owner, clients)?;
//!     hub.add(owner, hubs)?;
//! }
//! let (slave_sae, master_sae, key_ids) = ("right".parse()?, "left".parse()?, vec![KeyId::random(&mut *os_rng())]);
//! let (request, sent) = client.seal_fetch(&FetchQuery { client: "bob".parse()?, slave_sae, master_sae, key_ids })?;
//!
//! let mut forged = request.clone();
//! forged.target = forged.target.replace("left", "evil");
//! assert_eq!(hub.open(Unverified::read(&forged)?).unwrap_err(), Refusal::BadMac);
//!
//! let opened = hub.open(Unverified::read(&request)?)?;
//! let response = hub.seal(&opened.bound, Ok(vec![Reply::Fetch(FetchReply { keys: Vec::new() })]))?;
//! assert!(client.open_fetch_reply(&sent, &response)?.keys.is_empty());
//! assert!(hub.open(Unverified::read(&request)?).is_err()); // a replay
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//!
//! Registration and PSRD delivery are out of band in real life. Here REST calls stand in for them: with the feature `tls` under
//! certificates, else unprotected, and SAEs are identified by a header. State is volatile: what a node holds dies with it. K hubs that collude know every
//! key, as in any protocol of this kind.
//!
//! # The modules, each built on those before it
//!
//! | module | what it holds |
//! |---|---|
//! | [`crypto`] | GF(2^8), Shamir sharing and robust reconstruction, one-time MAC, key tag |
//! | [`psrd`] | blocks, allocations and pools of pre-shared random data |
//! | [`protocol`] | the messages and the state machines: hub, initiator, responder |
#![cfg_attr(
    feature = "node",
    doc = "| [`node`] | the actix actors: hub, client, link |",
    doc = "| [`http`] | the actix-web routes and the awc client |",
    doc = "| [`topology`] | the topology file |"
)]
//! | [`harness`] | marks and canaries, for the test harness alone |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `node`, on by default | the modules `node`, `http` and `topology`; without it nothing of the web is built |
//! | `openapi` | nodes describe their routes: `/openapi.json`, and Swagger UI at `/docs` |
//! | `insecure-harness` | planted bugs inside the nodes, and what breaks the rules of PSRD: **never in production** |

pub mod crypto;
pub mod harness;
#[cfg(feature = "node")]
pub mod http;
#[cfg(feature = "node")]
pub mod node;
pub mod protocol;
pub mod psrd;
#[cfg(feature = "node")]
pub mod topology;
