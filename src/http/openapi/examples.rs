//! Values that the examples have in common. They fit the example topology, so that they work there when sent.

use serde_json::{Value, json};

/// A master SAE, and the client that serves it.
pub(in crate::http) const MASTER: &str = "carol";

/// A slave SAE, and the client that serves it.
pub(in crate::http) const SLAVE: &str = "celia";

/// ID of a key, or of whatever else has a UUID.
pub(in crate::http) const KEY_ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

/// A signature header on a deposit of one key of 32 bytes. It fits no message, since only a client that shares PSRD with
/// the hub can make one that does.
pub(in crate::http) const DEPOSIT_SIGNATURE: &str =
    "bc490419-7d60-487f-adc1-4ddcc177c139:0:112;000102030405060708090a0b0c0d0e0f";

/// A signature header on a message without shares.
pub(in crate::http) const SIGNATURE: &str =
    "bc490419-7d60-487f-adc1-4ddcc177c139:0:32;000102030405060708090a0b0c0d0e0f";

/// The deposit of one share.
pub(in crate::http) fn deposit() -> Value {
    json!({
        "client": MASTER, "master_sae": MASTER, "slave_saes": [SLAVE], "hubs": 5, "threshold": 3, "x": 1, "size": 32,
        "keys": [{
            "key_id": KEY_ID, "tag": "000102030405060708090a0b0c0d0e0f",
            "share": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="
        }]
    })
}
