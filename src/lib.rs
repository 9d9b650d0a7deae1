//! Distributed Symmetric Key Establishment (DSKE).
//!
//! Two clients agree on a symmetric key through N security hubs. The key is split by Shamir's scheme, and each share
//! travels through another hub under a one-time pad taken from pre-shared random data (PSRD). Any K hubs suffice,
//! fewer than K learn nothing, and no mathematics is involved that a quantum computer could break.
//!
//! ```text
//!  master SAE                                                       slave SAE
//!      │ enc_keys          deposit           fetch                      │ dec_keys
//!      ▼                 ┌────────▶ hub 1 ◀────────┐                    ▼
//!  client A (KME) ───────┼────────▶ hub 2 ◀────────┼──────── client B (KME)
//!  splits the key        └────────▶ hub N ◀────────┘   puts it together, corrects, blames
//! ```
//!
//! # What it does not do
//!
//! Registration and PSRD delivery are out of band in real life; here REST calls stand in for them, unprotected. SAEs
//! are identified by a header, not by TLS. State is volatile: what a node holds dies with it. K hubs that collude
//! know every key, as in any protocol of this kind.
//!
//! # The modules, each built on those before it
//!
//! | module | what it holds |
//! |---|---|
//! | [`crypto`] | GF(2^8), Shamir sharing and robust reconstruction, one-time MAC, key tag |
//! | [`psrd`] | blocks, allocations and pools of pre-shared random data |
//! | [`protocol`] | the messages and the sans-IO state machines: hub, initiator, responder |
//! | [`node`] | the actix actors: hub, client, link |
//! | [`http`] | the actix-web routes and the awc client |
//! | [`topology`] | the topology file |
//! | [`harness`] | marks and canaries, for the test harness only |

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
