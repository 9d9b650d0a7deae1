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

use crate::crypto::secret::Secret;

/// Smallest block, in bytes: room for one MAC key (32 bytes) and one short share. Below that an allocation would
/// run into its limit of fragments before it has the bytes for an ordinary message.
pub const BLOCK_BYTES_MIN: usize = 64;

/// Largest block, in bytes (64 MiB): positions fit `u32` with room to spare, and a block in base64 (86 MiB) can
/// still be held in memory and sent in one body.
pub const BLOCK_BYTES_MAX: usize = 64 << 20;

/// Names a block: a UUID, the same at both ends.
///
/// Its text form is the lower-case hyphenated one, and no other is accepted, so that equal ids have equal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockId(Uuid);

impl BlockId {
    /// A random id (UUID version 4, 122 random bits). It is not secret: allocations carry it in the clear.
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
        // The parser also takes upper case, braces, URNs and no hyphens.
        let mut buffer = Uuid::encode_buffer();
        if *uuid.as_hyphenated().encode_lower(&mut buffer) != *text {
            return Err(BlockError::Id);
        }
        Ok(Self(uuid))
    }
}

impl TryFrom<String> for BlockId {
    type Error = BlockError;

    fn try_from(text: String) -> Result<Self, BlockError> {
        text.parse()
    }
}

impl From<BlockId> for String {
    fn from(id: BlockId) -> Self {
        id.to_string()
    }
}

/// Random bytes that a client and a hub share: [`BLOCK_BYTES_MIN`] to [`BLOCK_BYTES_MAX`] of them.
///
/// In JSON: `{"block_id": UUID, "bytes": BASE64}`, for delivery out of band only. Not `Clone`, so that one block
/// does not end up in two pools of the same end by accident; [`Block::copy_for_peer`] makes the one copy wanted.
pub struct Block {
    id: BlockId,
    bytes: Secret,
}

impl Block {
    /// A fresh block of `size` bytes with a random id.
    ///
    /// # Errors
    /// [`BlockError::Size`] if `size` is out of bounds.
    pub fn random(size: usize, rng: &mut dyn CryptoRng) -> Result<Self, BlockError> {
        check_size(size)?;
        let id = BlockId::random(rng);
        let mut bytes = Secret::zeros(size);
        rng.fill_bytes(&mut bytes);
        Ok(Self { id, bytes })
    }

    /// The block that another end made and delivered.
    ///
    /// # Errors
    /// [`BlockError::Size`] if there are too few or too many bytes.
    pub fn from_parts(id: BlockId, bytes: Secret) -> Result<Self, BlockError> {
        check_size(bytes.len())?;
        Ok(Self { id, bytes })
    }

    /// The same block for the other end: one copy goes into our pool, one to the peer's.
    #[must_use]
    pub fn copy_for_peer(&self) -> Self {
        Self {
            id: self.id,
            bytes: self.bytes.clone(),
        }
    }

    /// For delivery out of band between nodes: the 16 bytes of the id, then those of the block.
    #[must_use]
    pub fn to_octets(&self) -> Secret {
        let id = self.id.0.as_bytes();
        let mut octets = Vec::with_capacity(id.len() + self.len()); // exact: growing would leave copies behind
        octets.extend_from_slice(id);
        octets.extend_from_slice(&self.bytes);
        Secret::from(octets)
    }

    /// Reads what [`Block::to_octets`] writes.
    ///
    /// # Errors
    /// [`BlockError::Id`] if there is not even an id, [`BlockError::Size`] if there are too few or too many bytes.
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

    /// How many bytes it has; never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // no block is empty
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The secret bytes, for delivery out of band.
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

/// What is wrong with a block or its id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockError {
    /// The size is outside [`BLOCK_BYTES_MIN`] to [`BLOCK_BYTES_MAX`].
    #[error("a PSRD block has {BLOCK_BYTES_MIN} to {BLOCK_BYTES_MAX} bytes, not {size}")]
    Size {
        /// The size asked for or found, in bytes.
        size: usize,
    },
    /// The text is not an id in its only accepted form.
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
    // Decoded in place rather than by the call that returns a vector: that one drops what it has on an error, unwiped.
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
            assert_eq!(Block::random(size, &mut rng()).map(|_| ()), refused);
            let bytes = Secret::from(vec![7; size]);
            assert_eq!(
                Block::from_parts(BlockId::random(&mut rng()), bytes).map(|_| ()),
                refused
            );
        }
        assert_eq!(
            Block::random(BLOCK_BYTES_MIN, &mut rng()).unwrap().len(),
            BLOCK_BYTES_MIN
        );
    }

    #[test]
    fn blocks_are_random_and_ids_are_version_4() {
        let mut rng = rng();
        let (one, two) = (
            Block::random(64, &mut rng).unwrap(),
            Block::random(64, &mut rng).unwrap(),
        );
        assert_ne!(one.id(), two.id());
        assert_ne!(one.expose_bytes(), two.expose_bytes());
        assert_eq!(one.id().0.get_version(), Some(uuid::Version::Random));
        assert!(one.expose_bytes().iter().any(|byte| *byte != 0));
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
        let block = Block::random(100, &mut rng()).unwrap();
        let json = serde_json::to_value(&block).unwrap();
        assert_eq!(json["block_id"], block.id().to_string());
        assert_eq!(json["bytes"], STANDARD.encode(block.expose_bytes()));
        let back: Block = serde_json::from_value(json).unwrap();
        assert_eq!(
            (back.id(), back.expose_bytes()),
            (block.id(), block.expose_bytes())
        );
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
        for (position, byte) in block.expose_bytes().iter().enumerate() {
            assert_eq!(*byte, if (10..20).contains(&position) { 0 } else { 9 });
        }
    }
}
