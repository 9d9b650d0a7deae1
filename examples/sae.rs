//! An SAE: an application that gets a key from its KME over ETSI GS QKD 014, and the SAE at the other end, which gets the
//! same key by its ID. Start a cluster with `dske start`, then type `cargo run --example sae`.

#![allow(clippy::print_stdout, reason = "an example is short")]

use std::error::Error;

use awc::Client;
use serde_json::{Value, json};

/// The KMEs of the SAEs carol and celia in `topology.toml`.
const CAROLS_KME: &str = "http://127.0.0.1:8105/api/v1/keys";
const CELIAS_KME: &str = "http://127.0.0.1:8106/api/v1/keys";

fn main() -> Result<(), Box<dyn Error>> {
    actix_web::rt::System::new().block_on(async {
        // The master asks for a key that it will share with celia.
        let asked = json!({"number": 1, "size": 256});
        let master = post("carol", format!("{CAROLS_KME}/celia/enc_keys"), &asked).await?;
        // The key stays secret. Its ID goes to the slave, over any network.
        let asked = json!({"key_IDs": [{"key_ID": master["key_ID"]}]});
        let slave = post("celia", format!("{CELIAS_KME}/carol/dec_keys"), &asked).await?;
        println!(
            "key {}: the same at both ends: {}",
            master["key_ID"],
            master["key"] == slave["key"]
        );
        Ok(())
    })
}

/// Calls a KME in the name of an SAE, and returns the first key of the answer.
async fn post(sae: &str, url: String, body: &Value) -> Result<Value, Box<dyn Error>> {
    let request = Client::default()
        .post(&url)
        .insert_header(("Authorization", sae));
    let answered = request.send_json(body).await;
    let mut response = answered.map_err(|e| format!("{url}: {e}; type `dske start` first"))?;
    let mut answer: Value = response.json().await?;
    match answer.pointer_mut("/keys/0") {
        Some(key) => Ok(key.take()),
        None => Err(format!("{}: {answer}", response.status()).into()),
    }
}
