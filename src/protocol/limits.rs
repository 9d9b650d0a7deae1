//! Every limit of the protocol in one place, with its reason.

/// Bytes of a user key at most: 1 Mbit, the largest key that a bulk encryptor has reason to ask for in one piece.
pub const KEY_BYTES_MAX: usize = 128 * 1024;

/// Keys in one message at most. With ETSI GS QKD 014 `max_key_per_request` in mind.
pub const KEYS_PER_MESSAGE_MAX: usize = 128;

/// Operations in one batch at most: as many calls as an SAE has reason to make at the same time, several times over.
pub const OPERATIONS_PER_BATCH_MAX: usize = 256;

/// Slave SAEs of one key at most: the master's partner and the additional ones of a multicast call.
pub const SLAVE_SAES_MAX: usize = 16;

/// Shares that a hub holds at most, unless configured otherwise: as many as come in ten seconds, the time for which they
/// stay after they were fetched, where SAEs ask for 100,000 keys a second.
pub const SHARES_MAX: usize = 1_000_000;

/// Bytes of the shares that a hub holds at most, unless configured otherwise. Beside those, each takes some 150 bytes.
pub const SHARE_BYTES_MAX: usize = 1 << 30;

/// Bytes of a message body at most. Crossing it is refused before the body is read to its end.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of the answer to a batch from which on the hub puts further operations off. What one operation alone brings comes on top,
/// and both together are less than [`BODY_BYTES_MAX`] by far, but for an operation that is as large itself.
pub const REPLY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Blocks in a pool at most: more would only be a sign that nobody spends them.
pub const BLOCKS_MAX: usize = 64;

/// Attempts of one exchange at most, the first one included. Each spends fresh PSRD, so the number is small.
pub const ATTEMPTS_MAX: u32 = 5;

/// Subsets of answers that a responder tries at most for one key. Enough for every pattern of liars in up to
/// 10 hubs (C(10, 5) = 252), and for all but hopeless ones beyond.
pub const SUBSETS_MAX: usize = 2_000;
