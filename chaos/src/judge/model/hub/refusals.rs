//! The refusals of `docs/protocol.md` §7.

/// A refusal: its code, and the status that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: &'static str,
    /// The status of an answer that is this refusal.
    pub status: u16,
}

const fn refusal(code: &'static str, status: u16) -> Refusal {
    Refusal { code, status }
}

pub(super) const UNREGISTERED: Refusal = refusal("unregistered", 401);
pub(super) const UNKNOWN_PSRD: Refusal = refusal("unknown-psrd", 401);
pub(super) const BAD_MAC: Refusal = refusal("bad-mac", 401);
pub(super) const BAD_SIGNATURE_HEADER: Refusal = refusal("bad-signature-header", 400);
pub(super) const MALFORMED: Refusal = refusal("malformed", 400);
pub(super) const BAD_ALLOCATION: Refusal = refusal("bad-allocation", 409);
pub(super) const PSRD_EXHAUSTED: Refusal = refusal("psrd-exhausted", 503);
pub(super) const TOO_MUCH_AT_ONCE: Refusal = refusal("too-much-at-once", 503);
pub(super) const TOPOLOGY_MISMATCH: Refusal = refusal("topology-mismatch", 409);
pub(super) const FOREIGN_SAE: Refusal = refusal("foreign-sae", 403);
pub(super) const OUT_OF_LIMITS: Refusal = refusal("out-of-limits", 400);
pub(super) const AUTHENTIC_MALFORMED: Refusal = refusal("authentic-malformed", 400);
