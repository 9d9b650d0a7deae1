//! Certificates of nodes, and of those who call them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::clock::sleep;
use dske::http::peer::Identity;
use dske::http::tls::{Credentials, TlsError, TlsFiles};
use dske::topology::Topology;
use dske_testbed::load::{KEEP_ALIVE, LIFETIME, plain_client};
use dske_testbed::over_http::HttpClients;

/// Between two looks at the files of certificates, and between two reports of failed handshakes.
const LOOK: Duration = Duration::from_secs(5);

/// From when on a node warns that its certificate is about to expire.
pub(super) const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What a party proves itself with. `None` without TLS. `address`: that of a node.
///
/// # Errors
/// If a file is missing or cannot be used.
pub(super) fn credentials(
    topology: &Topology,
    identity: Identity,
    address: Option<&str>,
) -> Result<Option<Arc<Credentials>>, TlsError> {
    let Some(tls) = &topology.tls else {
        return Ok(None);
    };
    let host = address.and_then(|address| address.rsplit_once(':'));
    let host = host.map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
    let files = TlsFiles {
        directory: tls.directory.clone(),
        ca: tls.ca_file(),
        sae_ca: tls.sae_ca.clone(),
        crl: tls.crl.clone(),
        host,
    };
    Credentials::read(files, identity, topology.directory()).map(Some)
}

/// HTTP clients for the callers of nodes, each with the certificate of who calls.
pub(super) fn clients(topology: &Topology, connections: usize) -> HttpClients {
    if topology.tls.is_none() {
        return plain_client(connections).into();
    }
    let topology = topology.clone();
    let known: Rc<RefCell<BTreeMap<Identity, awc::Client>>> = Rc::default();
    HttpClients::new(move |caller| {
        if let Some(client) = known.borrow().get(caller) {
            return Ok(client.clone());
        }
        let read = credentials(&topology, caller.clone(), None).map_err(|e| e.to_string())?;
        let client = match &read {
            Some(credentials) => awc::Client::builder()
                .connector(
                    awc::Connector::new()
                        .rustls_0_23(credentials.client_config(None))
                        .limit(connections)
                        .conn_keep_alive(KEEP_ALIVE)
                        .conn_lifetime(LIFETIME),
                )
                .disable_redirects()
                .finish(),
            None => plain_client(connections),
        };
        known.borrow_mut().insert(caller.clone(), client.clone());
        Ok(client)
    })
}

/// Reads the files of certificates again when they change or SIGHUP comes, and reports failed handshakes.
pub(super) async fn keep(credentials: Arc<Credentials>) {
    let hang_up = tokio::signal::unix::SignalKind::hangup();
    let mut hang_up = tokio::signal::unix::signal(hang_up).ok();
    let mut reported = counts(&credentials);
    let mut has_warned = false;
    loop {
        let asked = match &mut hang_up {
            Some(signal) => tokio::time::timeout(LOOK, signal.recv()).await.is_ok(),
            None => {
                sleep(LOOK).await;
                false
            }
        };
        if asked || credentials.have_changed() {
            match credentials.reload() {
                Ok(()) => tracing::info!("the certificates were read again"),
                Err(error) => {
                    tracing::error!("{error}; the certificates that were read before stay in use");
                }
            }
        }
        let left = credentials.valid_for();
        if left < WARN_BEFORE && !has_warned {
            let days = left.as_secs() / (24 * 60 * 60);
            tracing::warn!("the certificate expires in {days} days; issue another");
        }
        has_warned = left < WARN_BEFORE;
        let now = counts(&credentials);
        let new: Vec<String> = now
            .iter()
            .filter_map(|(name, count)| {
                let new = count - reported.get(name).copied().unwrap_or_default();
                (new > 0).then(|| format!("{new} {name}"))
            })
            .collect();
        if !new.is_empty() {
            tracing::warn!("TLS handshakes failed: {}", new.join(", "));
        }
        reported = now;
    }
}

/// How many handshakes have failed, by reason.
fn counts(credentials: &Credentials) -> BTreeMap<&'static str, u64> {
    let failures = credentials.handshakes().failures();
    failures
        .map(|(failure, count)| (failure.name(), count))
        .collect()
}
