//! Which bytes of which blocks a message uses, and how its header says so.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BLOCK_BYTES_MIN, BlockId};

/// Most fragments of one allocation. An honest one needs one, or two where it crosses into the next block.
pub const FRAGMENTS_MAX: usize = 64;

/// Most characters of an allocation's text form: for each fragment 36 for the UUID, 10 for each number, 2 colons and a
/// comma.
pub const ALLOCATION_CHARS_MAX: usize = FRAGMENTS_MAX * (36 + 1 + 10 + 1 + 10 + 1) - 1;

// The text form travels in an HTTP header, and servers commonly allow 8 KiB for all headers together.
const _: () = assert!(ALLOCATION_CHARS_MAX <= 4 << 10);
// Even of the smallest blocks an allocation can have the bytes of an ordinary message.
const _: () = assert!(FRAGMENTS_MAX * BLOCK_BYTES_MIN >= 4 << 10);

/// A run of bytes in one block: at least one, and their positions fit `u32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    block: BlockId,
    start: u32,
    size: u32,
}

impl Fragment {
    /// The `size` bytes from position `start` (from 0) of `block`. Only a pool knows whether the block has them.
    ///
    /// # Errors
    /// [`AllocationError::ZeroSize`], or [`AllocationError::Overflow`] if `start + size` exceeds `u32::MAX`.
    pub fn new(block: BlockId, start: u32, size: u32) -> Result<Self, AllocationError> {
        if size == 0 {
            return Err(AllocationError::ZeroSize { block, start });
        }
        if start.checked_add(size).is_none() {
            return Err(AllocationError::Overflow { block, start, size });
        }
        Ok(Self { block, start, size })
    }

    /// The block.
    #[must_use]
    pub fn block(&self) -> BlockId {
        self.block
    }

    /// Position of the first byte, from 0.
    #[must_use]
    pub fn start(&self) -> u32 {
        self.start
    }

    /// How many bytes, at least 1.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Position after the last byte.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start + self.size // checked by `new`
    }
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.block, self.start, self.size)
    }
}

/// Which bytes of the pre-shared data a message uses, in the order in which it uses them: 1 to [`FRAGMENTS_MAX`]
/// fragments that do not overlap each other.
///
/// The text form, in a header and in JSON, is `UUID:START:SIZE` for each fragment, joined by commas. It is canonical:
/// each allocation has exactly one text form, and no other text parses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Allocation {
    fragments: Vec<Fragment>,
}

impl Allocation {
    /// An allocation of these fragments, in this order.
    ///
    /// # Errors
    /// If there are none or too many, or if two of them overlap, which would use a byte twice within one message.
    pub fn new(fragments: Vec<Fragment>) -> Result<Self, AllocationError> {
        if fragments.is_empty() {
            return Err(AllocationError::Empty);
        }
        if fragments.len() > FRAGMENTS_MAX {
            return Err(AllocationError::TooManyFragments {
                count: fragments.len(),
            });
        }
        let mut sorted = fragments.clone();
        sorted.sort_by_key(|fragment| (fragment.block, fragment.start));
        for (before, after) in sorted.iter().zip(sorted.iter().skip(1)) {
            if before.block == after.block && after.start < before.end() {
                let Fragment { block, start, size } = *after;
                return Err(AllocationError::Overlap { block, start, size });
            }
        }
        Ok(Self { fragments })
    }

    /// The fragments, in order of use.
    #[must_use]
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// How many bytes it stands for.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.fragments
            .iter()
            .map(|fragment| u64::from(fragment.size))
            .sum()
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fragment) in self.fragments.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{fragment}")?;
        }
        Ok(())
    }
}

impl FromStr for Allocation {
    type Err = AllocationError;

    fn from_str(text: &str) -> Result<Self, AllocationError> {
        if text.is_empty() {
            return Err(AllocationError::Empty);
        }
        if text.len() > ALLOCATION_CHARS_MAX {
            return Err(AllocationError::TooLong { chars: text.len() });
        }
        let count = text.split(',').count();
        if count > FRAGMENTS_MAX {
            return Err(AllocationError::TooManyFragments { count });
        }
        let fragments = text
            .split(',')
            .enumerate()
            .map(|(index, part)| parse_fragment(part, index));
        Self::new(fragments.collect::<Result<_, _>>()?)
    }
}

serde_as_text!(Allocation, AllocationError);

/// What is wrong with an allocation, before any pool is asked. The fault lies with whoever made it: no honest peer makes
/// such an allocation, though somebody on the network can.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// There is no fragment.
    #[error("an allocation has at least one fragment")]
    Empty,
    /// There are more than [`FRAGMENTS_MAX`] fragments.
    #[error("an allocation has at most {FRAGMENTS_MAX} fragments, not {count}")]
    TooManyFragments {
        /// How many there are.
        count: usize,
    },
    /// The text is longer than [`ALLOCATION_CHARS_MAX`].
    #[error("the text of an allocation has at most {ALLOCATION_CHARS_MAX} characters, not {chars}")]
    TooLong {
        /// Its length in bytes.
        chars: usize,
    },
    /// A fragment's text is not `UUID:START:SIZE` in canonical form.
    #[error(
        "fragment {index} of the allocation has a malformed {part}: want UUID:START:SIZE in canonical form"
    )]
    Malformed {
        /// Which fragment, from 0.
        index: usize,
        /// Which part of it.
        part: FragmentPart,
    },
    /// A fragment has no bytes.
    #[error("the fragment at {start} of block {block} has no bytes")]
    ZeroSize {
        /// The block that it names.
        block: BlockId,
        /// Its first position.
        start: u32,
    },
    /// A fragment ends beyond every possible block.
    #[error(
        "the fragment of {size} bytes at {start} of block {block} ends beyond position {}",
        u32::MAX
    )]
    Overflow {
        /// The block that it names.
        block: BlockId,
        /// Its first position.
        start: u32,
        /// Its size in bytes.
        size: u32,
    },
    /// A fragment overlaps another one of the same allocation.
    #[error(
        "the fragment of {size} bytes at {start} of block {block} overlaps another one of the same allocation"
    )]
    Overlap {
        /// The block that both name.
        block: BlockId,
        /// First position of the later one.
        start: u32,
        /// Size of the later one in bytes.
        size: u32,
    },
}

/// A part of a fragment's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentPart {
    /// The parts as a whole: there are not three of them.
    Parts,
    /// The block's ID.
    Block,
    /// The first position.
    Start,
    /// The size.
    Size,
}

impl fmt::Display for FragmentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parts => "list of parts",
            Self::Block => "block id",
            Self::Start => "start",
            Self::Size => "size",
        })
    }
}

fn parse_fragment(text: &str, index: usize) -> Result<Fragment, AllocationError> {
    let malformed = |part| AllocationError::Malformed { index, part };
    let mut parts = text.split(':');
    let mut next = || parts.next().ok_or(malformed(FragmentPart::Parts));
    let (block, start, size) = (next()?, next()?, next()?);
    if parts.next().is_some() {
        return Err(malformed(FragmentPart::Parts));
    }
    let block = block.parse().map_err(|_| malformed(FragmentPart::Block))?;
    let start = parse_canonical(start).ok_or(malformed(FragmentPart::Start))?;
    let size = parse_canonical(size).ok_or(malformed(FragmentPart::Size))?;
    Fragment::new(block, start, size)
}

/// A decimal number as `Display` writes it: without the sign and the leading zeros that the standard parser accepts.
fn parse_canonical(text: &str) -> Option<u32> {
    let canonical =
        text == "0" || text.starts_with(|first: char| first.is_ascii_digit() && first != '0');
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    fn block(number: u128) -> BlockId {
        BlockId::from(Uuid::from_u128(number))
    }

    fn fragment(number: u128, start: u32, size: u32) -> Fragment {
        Fragment::new(block(number), start, size).unwrap()
    }

    #[test]
    fn fragments_are_checked() {
        let block = block(1);
        assert_eq!(
            Fragment::new(block, 5, 0),
            Err(AllocationError::ZeroSize { block, start: 5 })
        );
        let (start, size) = (u32::MAX, 1);
        assert_eq!(
            Fragment::new(block, start, size),
            Err(AllocationError::Overflow { block, start, size })
        );
        assert_eq!(
            Fragment::new(block, u32::MAX - 1, 1).unwrap().end(),
            u32::MAX
        );
    }

    #[test]
    fn allocations_are_checked() {
        assert_eq!(Allocation::new(vec![]), Err(AllocationError::Empty));
        let many = |count: u128| {
            (0..count)
                .map(|number| fragment(number, 0, 1))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            Allocation::new(many(64)).unwrap().fragments().len(),
            FRAGMENTS_MAX
        );
        assert_eq!(
            Allocation::new(many(65)),
            Err(AllocationError::TooManyFragments { count: 65 })
        );
    }

    #[test]
    fn overlapping_fragments_are_refused_in_any_order() {
        let overlap = Err(AllocationError::Overlap {
            block: block(1),
            start: 9,
            size: 3,
        });
        assert_eq!(
            Allocation::new(vec![fragment(1, 0, 10), fragment(1, 9, 3)]),
            overlap
        );
        assert_eq!(
            Allocation::new(vec![
                fragment(1, 9, 3),
                fragment(2, 9, 3),
                fragment(1, 0, 10)
            ]),
            overlap
        );
        assert!(Allocation::new(vec![fragment(1, 3, 2), fragment(1, 3, 2)]).is_err());
        let apart = Allocation::new(vec![
            fragment(1, 10, 3),
            fragment(1, 0, 10),
            fragment(2, 0, 10),
        ])
        .unwrap();
        assert_eq!(apart.total(), 23);
    }

    #[test]
    fn text_form() {
        let text = format!("{ID}:0:32,{ID}:32:4294967263");
        let allocation: Allocation = text.parse().unwrap();
        assert_eq!(allocation.fragments()[1].end(), u32::MAX);
        assert_eq!(allocation.to_string(), text);
        assert_eq!(serde_json::to_value(&allocation).unwrap(), text.as_str());
        assert_eq!(
            serde_json::from_value::<Allocation>(text.into()).unwrap(),
            allocation
        );
    }

    #[test]
    fn the_longest_text_just_fits() {
        let fragments = (0..64)
            .map(|number| fragment(number, 1_000_000_000, 1_000_000_000))
            .collect();
        let text = Allocation::new(fragments).unwrap().to_string();
        assert_eq!(text.len(), ALLOCATION_CHARS_MAX);
        assert!(text.parse::<Allocation>().is_ok());
        let chars = ALLOCATION_CHARS_MAX + 1;
        assert_eq!(
            format!("{text},").parse::<Allocation>(),
            Err(AllocationError::TooLong { chars })
        );
    }

    #[test]
    fn only_canonical_text_parses() {
        let upper = ID.to_uppercase();
        for (text, part) in [
            (format!("{ID}:1"), FragmentPart::Parts),
            (format!("{ID}:1:2:3"), FragmentPart::Parts),
            (format!("{ID}:1:2,"), FragmentPart::Parts),
            (format!(",{ID}:1:2"), FragmentPart::Parts),
            (format!("{upper}:1:2"), FragmentPart::Block),
            (format!(" {ID}:1:2"), FragmentPart::Block),
            (format!("{ID}:1:2, {ID}:3:2"), FragmentPart::Block),
            (format!("{ID}:01:2"), FragmentPart::Start),
            (format!("{ID}:+1:2"), FragmentPart::Start),
            (format!("{ID}:-1:2"), FragmentPart::Start),
            (format!("{ID}::2"), FragmentPart::Start),
            (format!("{ID}:00:2"), FragmentPart::Start),
            (format!("{ID}:4294967296:2"), FragmentPart::Start),
            (format!("{ID}:1:2 "), FragmentPart::Size),
            (format!("{ID}:1:0x2"), FragmentPart::Size),
            (format!("{ID}:1:٢"), FragmentPart::Size),
            (format!("{ID}:1:02"), FragmentPart::Size),
        ] {
            let refused = text.parse::<Allocation>().unwrap_err();
            assert!(
                matches!(refused, AllocationError::Malformed { part: p, .. } if p == part),
                "{text}: {refused:?}"
            );
            let named = match part {
                FragmentPart::Parts => "list of parts",
                FragmentPart::Block => "block id",
                FragmentPart::Start => "start",
                FragmentPart::Size => "size",
            };
            assert!(refused.to_string().contains(named), "{refused}");
        }
        assert_eq!("".parse::<Allocation>(), Err(AllocationError::Empty));
        assert_eq!(
            ",".repeat(64).parse::<Allocation>(),
            Err(AllocationError::TooManyFragments { count: 65 })
        );
        let (block, start, size) = (ID.parse().unwrap(), 4_294_967_295, 1);
        let overflow = format!("{ID}:{start}:{size}").parse::<Allocation>();
        assert_eq!(
            overflow,
            Err(AllocationError::Overflow { block, start, size })
        );
        assert_eq!(
            format!("{ID}:7:0").parse::<Allocation>(),
            Err(AllocationError::ZeroSize { block, start: 7 })
        );
    }

    prop_compose! {
        fn any_fragment()(number in prop_oneof![0..3_u128, any::<u128>()], start in 0..u32::MAX)
            (number in Just(number), start in Just(start), size in 1..=u32::MAX - start) -> Fragment {
            fragment(number, start, size)
        }
    }

    proptest! {
        #[test]
        fn every_allocation_survives_its_text(fragments in prop::collection::vec(any_fragment(), 1..6)) {
            if let Ok(allocation) = Allocation::new(fragments) {
                prop_assert_eq!(allocation.to_string().parse(), Ok(allocation));
            }
        }

        #[test]
        fn every_accepted_text_is_canonical(
            fragments in prop::collection::vec(any_fragment(), 1..4),
            at in any::<prop::sample::Index>(),
            removed in 0..2_usize,
            inserted in "[0-9a-fA-F:,+ -]{0,2}",
        ) {
            let mut text = fragments.iter().map(Fragment::to_string).collect::<Vec<_>>().join(",");
            let at = at.index(text.len());
            text.replace_range(at..at + removed, &inserted);
            if let Ok(allocation) = text.parse::<Allocation>() {
                prop_assert_eq!(allocation.to_string(), text);
            }
        }
    }
}
