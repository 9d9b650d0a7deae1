//! A client that speaks for itself: it deposits and fetches in the JSON form, which nodes among themselves do not use.

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::secret::Secret;
use dske::http::transport::HttpTransport;
use dske::node::transport::Transport;
use dske::protocol::channel::{ClientEnd, PoolOwner};
use dske::protocol::hub::{PsrdRequest, RegistrationRequest};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositedKey, FetchAnswer, FetchQuery, Plain,
};
use dske::protocol::{KeyId, NodeName, SaeId};
use rand::rngs::ChaCha20Rng;
use rand::{Rng, SeedableRng};

use super::watch::keep_secret;

/// Bytes of a key.
const SIZE: usize = 64;

/// A client of one SAE, with PSRD of one hub.
pub(super) struct ByHand {
    name: NodeName,
    sae: SaeId,
    hub: HttpTransport,
    channel: ClientEnd,
    rng: ChaCha20Rng,
}

impl ByHand {
    /// Registers, and fetches a block of this size for each pool.
    pub(super) async fn register(name: &str, hub: &str, block_bytes: usize) -> Self {
        let hub = HttpTransport::new(awc::Client::default(), hub);
        let name: NodeName = name.parse().unwrap();
        let request = RegistrationRequest {
            client: name.clone(),
            start: None,
        };
        let registered = hub.register(request).await.unwrap().unwrap();
        let mut channel = ClientEnd::default();
        for owner in [PoolOwner::Client, PoolOwner::Hub] {
            let request = PsrdRequest {
                client: name.clone(),
                registration: registered.registration,
                owner,
                size: block_bytes,
            };
            let block = hub.deliver_psrd(request).await.unwrap().unwrap();
            channel.add(owner, block).unwrap();
        }
        Self {
            sae: SaeId::from(&name),
            name,
            hub,
            channel,
            rng: ChaCha20Rng::seed_from_u64(7),
        }
    }

    /// Deposits a share for itself, of a key among `hubs` of which `threshold` are needed, and fetches it.
    pub(super) async fn deposit_and_fetch(&mut self, hubs: u8, threshold: u8) {
        let mut share = vec![0; TAG_SECRET_BYTES + SIZE];
        self.rng.fill_bytes(&mut share);
        keep_secret("a share in JSON", &share);
        let share = Secret::from(share);
        let key_id = KeyId::random(&mut self.rng);
        let deposit = DepositBody {
            client: self.name.clone(),
            master_sae: self.sae.clone(),
            slave_saes: vec![self.sae.clone()],
            hubs,
            threshold,
            x: 1,
            size: SIZE,
            keys: vec![DepositedKey {
                key_id,
                tag: "00".repeat(16).parse().unwrap(),
                share: Plain(share.clone()),
            }],
        };
        let (request, sent) = self.channel.seal_deposit(&deposit).unwrap();
        let response = self.hub.ask(request).await.unwrap();
        let reply = self.channel.open_deposit_reply(&sent, &response).unwrap();
        assert_eq!(reply.keys[0].outcome, DepositOutcome::Stored);
        let query = FetchQuery {
            client: self.name.clone(),
            slave_sae: self.sae.clone(),
            master_sae: self.sae.clone(),
            key_ids: vec![key_id],
        };
        let (request, sent) = self.channel.seal_fetch(&query).unwrap();
        let response = self.hub.ask(request).await.unwrap();
        let reply = self.channel.open_fetch_reply(&sent, &response).unwrap();
        let FetchAnswer::Found(found) = &reply.keys[0].answer else {
            panic!("{:?}", reply.keys[0].key_id)
        };
        assert!(found.share.0 == share);
    }
}
