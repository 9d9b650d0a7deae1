//! A block of pre-shared random data and its ID, as they are delivered out of band.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::CryptoRng;
use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::secret::Secret;

/// Smallest block, in bytes: room for one MAC key (32 bytes) and one short share. With smaller blocks an allocation would
/// reach its limit of fragments before it has the bytes for an ordinary message.
pub const BLOCK_BYTES_MIN: usize = 64;

/// Largest block, in bytes (8 MiB). A block is delivered in one answer, within the time for one request: with the default
/// of a second, over a line of 100 Mbit a second. A larger one would never arrive, and leave the pools empty.
pub const BLOCK_BYTES_MAX: usize = 8 << 20;

const _: () = assert!(MAC_KEY_BYTES < BLOCK_BYTES_MIN && BLOCK_BYTES_MIN <= BLOCK_BYTES_MAX);
// Positions, and the position after the last byte, are `u32` in fragments.
const _: () = assert!(BLOCK_BYTES_MAX <= u32::MAX as usize);

/// The name of a block: a UUID, the same at both ends.
///
/// Its text form is the lower-case hyphenated one. No other is accepted, so that equal IDs have equal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockId(Uuid);

impl BlockId {
    /// A random ID (UUID version 4, 122 random bits). It is not secret: allocations carry it in the clear.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl From<Uuid> for BlockId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockId {
    type Err = BlockError;

    fn from_str(text: &str) -> Result<Self, BlockError> {
        let uuid = Uuid::try_parse(text).map_err(|_| BlockError::Id)?;
        // The parser also accepts upper case, braces, URNs and text without hyphens.
        let mut buffer = Uuid::encode_buffer();
        if *uuid.as_hyphenated().encode_lower(&mut buffer) != *text {
            return Err(BlockError::Id);
        }
        Ok(Self(uuid))
    }
}

serde_as_text!(BlockId, BlockError);

/// What stands around the bytes of a block in JSON, with its ID.
const AROUND_A_BLOCK: usize =
    r#"{"block_id":"bc490419-7d60-487f-adc1-4ddcc177c139","bytes":""}"#.len();

/// Random bytes that a client and a hub share: [`BLOCK_BYTES_MIN`] to [`BLOCK_BYTES_MAX`] of them.
///
/// A block comes into being twice, once for each end ([`Block::random_pair`]), and cannot be cloned: a second copy at the
/// same end could end up in a second pool, and its bytes would serve twice.
///
/// In JSON a block is `{"block_id": UUID, "bytes": BASE64}`, for delivery out of band only.
pub struct Block {
    id: BlockId,
    bytes: Secret,
}

impl Block {
    /// A fresh block of `size` bytes with a random ID: one for this end, and the same for the peer.
    ///
    /// # Errors
    /// [`BlockError::Size`] if `size` is out of bounds.
    pub fn random_pair(size: usize, rng: &mut dyn CryptoRng) -> Result<(Self, Self), BlockError> {
        check_size(size)?;
        let id = BlockId::random(rng);
        let mut bytes = Secret::zeros(size);
        rng.fill_bytes(&mut bytes);
        let ours = Self { id, bytes };
        let peers = ours.copy();
        Ok((ours, peers))
    }

    /// The block that the other end made and delivered.
    ///
    /// # Errors
    /// [`BlockError::Size`] if there are too few or too many bytes.
    pub fn from_parts(id: BlockId, bytes: Secret) -> Result<Self, BlockError> {
        check_size(bytes.len())?;
        Ok(Self { id, bytes })
    }

    /// The same block again. Outside of this crate a block cannot be copied.
    pub(crate) fn copy(&self) -> Self {
        Self {
            id: self.id,
            bytes: self.bytes.clone(),
        }
    }

    /// The block as it is delivered out of band between nodes: the 16 bytes of the ID, then its own.
    #[must_use]
    pub fn into_octets(self) -> Secret {
        let id = self.id.0.as_bytes();
        let mut octets = Vec::with_capacity(id.len() + self.len()); // exact: growing would leave copies behind
        octets.extend_from_slice(id);
        octets.extend_from_slice(&self.bytes);
        Secret::from(octets)
    }

    /// The block in JSON.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        // As long as it gets, at least: growing would leave copies behind.
        let bytes = AROUND_A_BLOCK + base64::encoded_len(self.len(), true).unwrap_or(usize::MAX);
        let mut json = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut json, self)
            .expect("a block is two strings, and memory takes both");
        Secret::from(json)
    }

    /// Reads what [`Block::into_octets`] writes.
    ///
    /// # Errors
    /// [`BlockError::Id`] if there are too few bytes for an ID, [`BlockError::Size`] if there are too few or too many bytes.
    pub fn from_octets(octets: &[u8]) -> Result<Self, BlockError> {
        let (id, bytes) = octets.split_first_chunk().ok_or(BlockError::Id)?;
        let id = BlockId(Uuid::from_bytes(*id));
        Self::from_parts(id, Secret::from(bytes))
    }

    /// The name of the block.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// How many bytes it has: never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // no block is empty
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The secret bytes, for an observer that sees everything.
    #[cfg(feature = "insecure-harness")]
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Overwrites the bytes in `range` with zeros.
    ///
    /// # Panics
    /// If `range` is not inside the block: pools check bounds before they use anything.
    pub(super) fn erase(&mut self, range: Range<usize>) {
        self.bytes
            .get_mut(range)
            .expect("pools check that a range lies inside the block")
            .zeroize();
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("id", &self.id)
            .field("len", &self.len())
            .field("bytes", &format_args!("<redacted>"))
            .finish()
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(STANDARD.encode(&self.bytes));
        let mut fields = serializer.serialize_struct("Block", 2)?;
        fields.serialize_field("block_id", &self.id)?;
        fields.serialize_field("bytes", text.as_str())?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Block", deny_unknown_fields)]
        struct Wire {
            block_id: BlockId,
            bytes: String,
        }
        let Wire { block_id, bytes } = Wire::deserialize(deserializer)?;
        let bytes = decode(&Zeroizing::new(bytes)).map_err(D::Error::custom)?;
        Self::from_parts(block_id, bytes).map_err(D::Error::custom)
    }
}

/// What is wrong with a block or its ID. The fault lies with whoever chose the size, or wrote the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The size is outside [`BLOCK_BYTES_MIN`] to [`BLOCK_BYTES_MAX`].
    #[error("a PSRD block has {BLOCK_BYTES_MIN} to {BLOCK_BYTES_MAX} bytes, not {size}")]
    Size {
        /// The size asked for or found, in bytes.
        size: usize,
    },
    /// The text is not an ID in its only accepted form.
    #[error("a PSRD block id is a UUID in lower-case hyphenated form")]
    Id,
    /// The bytes in JSON are not padded standard base64 (RFC 4648, section 4).
    #[error("the bytes of a PSRD block are not valid base64")]
    Base64,
}

fn check_size(size: usize) -> Result<(), BlockError> {
    if (BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&size) {
        Ok(())
    } else {
        Err(BlockError::Size { size })
    }
}

fn decode(text: &str) -> Result<Secret, BlockError> {
    // Decoded in place: the call that returns a vector drops what it has decoded so far, unwiped, when it fails.
    let size_max = base64::decoded_len_estimate(text.len());
    if size_max > BLOCK_BYTES_MAX + 2 {
        return Err(BlockError::Size { size: size_max });
    }
    let mut bytes = Secret::zeros(size_max);
    let size = STANDARD
        .decode_slice(text, &mut bytes)
        .map_err(|_| BlockError::Base64)?;
    Ok(match bytes.get(..size) {
        Some(shorter) if size < size_max => Secret::from(shorter),
        _ => bytes,
    })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    fn rng() -> ChaCha12Rng {
        ChaCha12Rng::seed_from_u64(1)
    }

    #[test]
    fn sizes_are_bounded() {
        for size in [0, BLOCK_BYTES_MIN - 1, BLOCK_BYTES_MAX + 1] {
            let refused = Err(BlockError::Size { size });
            assert_eq!(Block::random_pair(size, &mut rng()).map(|_| ()), refused);
            let bytes = Secret::from(vec![7; size]);
            assert_eq!(
                Block::from_parts(BlockId::random(&mut rng()), bytes).map(|_| ()),
                refused
            );
        }
        let (smallest, _) = Block::random_pair(BLOCK_BYTES_MIN, &mut rng()).unwrap();
        assert_eq!(smallest.len(), BLOCK_BYTES_MIN);
    }

    #[test]
    fn blocks_are_random_the_same_for_both_ends_and_ids_are_version_4() {
        let mut rng = rng();
        let (one, peers) = Block::random_pair(64, &mut rng).unwrap();
        assert_eq!((one.id(), one.bytes()), (peers.id(), peers.bytes()));
        let (two, _) = Block::random_pair(64, &mut rng).unwrap();
        assert_ne!(one.id(), two.id());
        assert_ne!(one.bytes(), two.bytes());
        assert_eq!(one.id().0.get_version(), Some(uuid::Version::Random));
        assert!(one.bytes().iter().any(|byte| *byte != 0));
    }

    #[test]
    fn only_one_text_form_of_an_id() {
        let id = BlockId::random(&mut rng());
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(format!("{id:?}"), text);
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            String::new(),
        ] {
            assert_eq!(other.parse::<BlockId>(), Err(BlockError::Id), "{other:?}");
            assert!(serde_json::from_value::<BlockId>(other.into()).is_err());
        }
    }

    #[test]
    fn debug_shows_no_bytes() {
        let bytes = Secret::from(vec![173; 64]);
        let block = Block::from_parts(BlockId::random(&mut rng()), bytes).unwrap();
        let shown = format!("{block:?}");
        assert!(
            shown.contains("<redacted>") && !shown.contains("173"),
            "{shown}"
        );
    }

    #[test]
    fn json_round_trip() {
        let (block, _) = Block::random_pair(100, &mut rng()).unwrap();
        let text = block.to_json();
        // With one more byte, the buffer would have grown and left a copy behind.
        assert_eq!(
            text.len(),
            AROUND_A_BLOCK + STANDARD.encode(block.bytes()).len()
        );
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["block_id"], block.id().to_string());
        assert_eq!(json["bytes"], STANDARD.encode(block.bytes()));
        let back: Block = serde_json::from_value(json).unwrap();
        assert_eq!((back.id(), back.bytes()), (block.id(), block.bytes()));
    }

    #[test]
    fn octets_round_trip_and_are_checked() {
        let (block, peers) = Block::random_pair(100, &mut rng()).unwrap();
        let octets = peers.into_octets();
        let back = Block::from_octets(&octets).unwrap();
        assert_eq!((back.id(), back.bytes()), (block.id(), block.bytes()));
        let read = |octets: &[u8]| Block::from_octets(octets).map(|_| ());
        assert_eq!(read(&octets[..15]), Err(BlockError::Id));
        assert_eq!(read(&octets[..16]), Err(BlockError::Size { size: 0 }));
    }

    #[test]
    fn json_is_strict() {
        let id = BlockId::random(&mut rng());
        let parse = |bytes: &str| {
            let json = serde_json::json!({ "block_id": id, "bytes": bytes });
            serde_json::from_value::<Block>(json)
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        let good = STANDARD.encode([1; 64]);
        assert_eq!(parse(&good), Ok(()));
        assert_eq!(
            parse(good.trim_end_matches('=')),
            Err(BlockError::Base64.to_string())
        );
        assert_eq!(
            parse(&good.replace('A', "*")),
            Err(BlockError::Base64.to_string())
        );
        assert_eq!(
            parse(&STANDARD.encode([1; 63])),
            Err(BlockError::Size { size: 63 }.to_string())
        );
    }

    #[test]
    fn base64_of_the_largest_block_is_accepted_and_of_one_more_byte_is_not() {
        assert_eq!(
            decode(&STANDARD.encode(vec![1; BLOCK_BYTES_MAX]))
                .unwrap()
                .len(),
            BLOCK_BYTES_MAX
        );
        let huge = "A".repeat((BLOCK_BYTES_MAX + 6) / 3 * 4);
        assert!(matches!(decode(&huge), Err(BlockError::Size { .. })));
    }

    #[test]
    fn erasing_overwrites_just_the_range() {
        let mut block =
            Block::from_parts(BlockId::random(&mut rng()), Secret::from(vec![9; 64])).unwrap();
        block.erase(10..20);
        for (position, byte) in block.bytes().iter().enumerate() {
            assert_eq!(*byte, if (10..20).contains(&position) { 0 } else { 9 });
        }
    }
}
