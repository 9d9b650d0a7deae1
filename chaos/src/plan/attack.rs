//! What the rogue client can try, in the order in which it is numbered when one is drawn.

/// An attack.
#[derive(Debug, Clone, Copy)]
pub enum Attack {
    /// Fetches the keys of others in its own name.
    FetchInOwnName,
    /// Fetches them in the name of a slave that another client serves.
    FetchForForeignSae,
    /// Fetches them in the name of another client, signed with its own PSRD.
    FetchAsAnotherClient,
    /// Deposits garbage under the ID of another master's key, which the hub may or may not hold already.
    DepositUnderKnownKey,
    /// Deposits garbage for a master that another client serves.
    DepositForForeignSae,
    /// Makes the same deposit twice, each properly signed.
    DepositTwice,
    /// Deposits a share, and another one of the same key.
    DepositAnother,
    /// Deposits a share, and fetches it itself.
    DepositAndFetch,
    /// Sends a message twice, the same bytes.
    SendTwice,
    /// Signs two messages with the same bytes of PSRD.
    ReuseBytes,
    /// Asks for more keys than a message may name.
    TooManyKeys,
    /// Does several of these in one batch.
    ForeignBatch,
    /// Signs a batch of which the end is missing.
    CutBatch,
    /// Claims another N, K or x.
    WrongTopology,
}

impl Attack {
    /// All attacks.
    pub const ALL: [Self; 14] = [
        Self::FetchInOwnName,
        Self::FetchForForeignSae,
        Self::FetchAsAnotherClient,
        Self::DepositUnderKnownKey,
        Self::DepositForForeignSae,
        Self::DepositTwice,
        Self::DepositAnother,
        Self::DepositAndFetch,
        Self::SendTwice,
        Self::ReuseBytes,
        Self::TooManyKeys,
        Self::ForeignBatch,
        Self::CutBatch,
        Self::WrongTopology,
    ];

    /// Its name, as it is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FetchInOwnName => "fetch-in-own-name",
            Self::FetchForForeignSae => "fetch-for-foreign-sae",
            Self::FetchAsAnotherClient => "fetch-as-another-client",
            Self::DepositUnderKnownKey => "deposit-under-known-key",
            Self::DepositForForeignSae => "deposit-for-foreign-sae",
            Self::DepositTwice => "deposit-twice",
            Self::DepositAnother => "deposit-another",
            Self::DepositAndFetch => "deposit-and-fetch",
            Self::SendTwice => "send-twice",
            Self::ReuseBytes => "reuse-bytes",
            Self::TooManyKeys => "too-many-keys",
            Self::ForeignBatch => "foreign-batch",
            Self::CutBatch => "cut-batch",
            Self::WrongTopology => "wrong-topology",
        }
    }
}
