//! What attackers can try.

use super::named::named;

named! {
    /// What the rogue client can try. It is registered, and signs what it sends.
    /// A draw picks an attack by its position here.
    pub enum Attack {
        /// Fetches the keys of others in its own name.
        FetchInOwnName = "fetch-in-own-name",
        /// Fetches them in the name of a slave that another client serves.
        FetchForForeignSae = "fetch-for-foreign-sae",
        /// Fetches them in the name of another client, signed with its own PSRD.
        FetchAsAnotherClient = "fetch-as-another-client",
        /// Deposits garbage under the ID of another master's key, which the hub may or may not hold already.
        DepositUnderKnownKey = "deposit-under-known-key",
        /// Deposits garbage for a master that another client serves.
        DepositForForeignSae = "deposit-for-foreign-sae",
        /// Makes the same deposit twice, each properly signed.
        DepositTwice = "deposit-twice",
        /// Deposits a share, and another one of the same key.
        DepositAnother = "deposit-another",
        /// Deposits a share, and fetches it itself.
        DepositAndFetch = "deposit-and-fetch",
        /// Sends a message twice, the same bytes.
        SendTwice = "send-twice",
        /// Signs two messages with the same bytes of PSRD.
        ReuseBytes = "reuse-bytes",
        /// Asks for more keys than a message may name.
        TooManyKeys = "too-many-keys",
        /// Does several of these in one batch.
        ForeignBatch = "foreign-batch",
        /// Signs a batch whose end is missing.
        CutBatch = "cut-batch",
        /// Claims another N, K or x.
        WrongTopology = "wrong-topology",
        /// Changes the query of a fetch after signing it.
        ChangedQuery = "changed-query",
        /// Names bytes that begin in a gap and run into bytes that another message has used.
        GapIntoUsed = "gap-into-used",
    }
}

named! {
    /// What the outsider can send, who holds no PSRD.
    pub enum FloodAttack {
        /// Random bytes.
        Garbage = "garbage",
        /// A message as somebody else had sent it.
        Replay = "replay",
        /// A message with its own PSRD and another content.
        Forgery = "forgery",
        /// The newest message with one digit of its tag changed.
        ForgedTag = "forged-tag",
        /// A fetch that names the bytes after the last that were seen.
        ForgeryAhead = "forgery-ahead",
        /// A deposit that names the bytes after the last that were seen.
        ForgedDeposit = "forged-deposit",
    }
}
