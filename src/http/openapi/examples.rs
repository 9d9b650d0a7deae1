//! Values that the examples have in common. They are of the example topology, so that they work there when sent.

/// A master SAE, and the client that serves it.
pub(super) const MASTER: &str = "carol";

/// A slave SAE, and the client that serves it.
pub(super) const SLAVE: &str = "celia";

/// ID of a key, or of whatever else has a UUID.
pub(super) const KEY_ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

/// A signature header on a deposit of one key of 32 bytes. It fits no message: only who shares PSRD with the hub can make
/// one that does.
pub(super) const DEPOSIT_SIGNATURE: &str =
    "bc490419-7d60-487f-adc1-4ddcc177c139:0:112;000102030405060708090a0b0c0d0e0f";

/// A signature header on a message without shares.
pub(super) const SIGNATURE: &str =
    "bc490419-7d60-487f-adc1-4ddcc177c139:0:32;000102030405060708090a0b0c0d0e0f";
