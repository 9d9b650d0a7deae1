//! What the test harness has inside the nodes: *marks* where rare, important situations happen, and *canaries*, bugs
//! planted on purpose to prove that the checks would see them.
//!
//! Both exist only with the feature `insecure-harness`, which the chaos crate alone switches on. Without it [`reached`]
//! does nothing and [`canary`] is always false, so that a build for users contains neither.
//!
//! Both are kept for each thread, since each run has a thread of its own.

use std::fmt;

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $name:literal, $about:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $(#[doc = $about] $variant,)*
        }

        impl $type {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, as the command and campaign files spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is, in a few words.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// A rare, important situation.
    Mark {
        AllocationSplit = "allocation-split", "a message takes its PSRD from two blocks or more";
        BlockEvicted = "block-evicted", "a block had to make room before all of it was used";
        RefillRace = "refill-race", "a message is sealed while a refill of its link is under way";
        ReservationLost = "reservation-lost", "PSRD was reserved for a deposit, and the link registered anew before it went out";
        StaleAnswer = "stale-answer", "an answer arrives that belongs to an earlier registration";
        AnswerAhead = "answer-ahead", "an answer arrives before the block of PSRD that it is signed with";
        DepositAgain = "deposit-again", "a hub is sent a deposit that it holds already";
        FetchAgain = "fetch-again", "an SAE fetches a share again within the linger time";
        FetchTooLate = "fetch-too-late", "an SAE asks for a share after its linger time";
        FetchAnew = "fetch-anew", "a client that has restarted asks for a share that its SAE was handed before";
        ShareExpired = "share-expired", "a share is erased because nobody fetched it in time";
        LiarAmongFirst = "liar-among-first", "the first K answers of a group do not fit the tag";
        SubsetSearch = "subset-search", "a key is found by trying subsets of the answers";
        ErrorCorrection = "error-correction", "a key is found by locating the wrong answers";
        BlameUncertain = "blame-uncertain", "shares contradict each other, and it cannot be told which are wrong";
        AnswerAfterKey = "answer-after-key", "an answer is checked after its key was delivered";
        LateShare = "late-share", "a share reaches its hub after the call of the master was over";
        LateHubLeftOut = "late-hub-left-out", "a master is given keys without waiting for a hub that kept calls waiting before";
        GraceOver = "grace-over", "a master is given keys although not every hub has answered";
        FetchOfForgotten = "fetch-of-forgotten", "a hub is asked for a share that it does not hold";
        KeyDespiteLoss = "key-despite-loss", "a key is found although a hub says that it holds no share of it";
        BareQuorum = "bare-quorum", "a master is given keys of which only K hubs have said that they hold them";
        RegisteredAgain = "registered-again", "a link registers anew while an exchange waits for it";
        Batched = "batched", "operations that waited for a hub leave together in one message";
        RequestOverdue = "request-overdue", "a request takes so long that the next one leaves beside it";
        CallsFull = "calls-full", "a call is refused because its SAE has too many under way";
        ExchangesFull = "exchanges-full", "an exchange is refused because its SAE has too many under way with this hub";
        SearchExhausted = "search-exhausted", "a subset of answers is not tried because a call may try no more";
        BlockRetired = "block-retired", "a block is given up after too many wrong MACs";
        GapGivenUp = "gap-given-up", "bytes that were skipped count as used because there are too many gaps";
        BlockForgotten = "block-forgotten", "a pool forgets a block that is gone";
        RefillStale = "refill-stale", "a refill is refused because the hub has forgotten the registration";
    }
}

named! {
    /// A bug that is planted on purpose.
    Canary {
        CoefficientsWithoutZero = "coefficients-without-zero", "coefficients of the sharing polynomials are never zero";
        EqualCoefficients = "equal-coefficients", "all coefficients of a sharing polynomial are the same";
        SecretInCoefficient = "secret-in-coefficient", "the last coefficient of a sharing polynomial is made of the secret";
        CoefficientsAddUp = "coefficients-add-up", "the coefficients of a sharing polynomial add up to the secret";
        CoefficientsForAll = "coefficients-for-all", "all keys of a call have the same coefficients";
        TagNotChecked = "tag-not-checked", "the responder takes whatever the first answers add up to";
        MacPrefix = "mac-prefix", "only the first byte of a MAC tag is compared";
        MacNotVerified = "mac-not-verified", "a hub carries out requests whose MAC does not fit";
        FailedMacConsumes = "failed-mac-consumes", "a request whose MAC does not fit uses its PSRD up";
        ReceiptNotMarked = "receipt-not-marked", "the receiver does not mark PSRD as used";
        AllocationOffByOne = "allocation-off-by-one", "an allocation begins one byte too early";
        RefillRewinds = "refill-rewinds", "a refill makes the pool begin its first block anew";
        PoolsShared = "pools-shared", "both directions allocate from the same block";
        PadTooShort = "pad-too-short", "the last byte of a share is not encrypted";
        SameGeneratorAgain = "same-generator-again", "a node that restarts draws the same random numbers again";
        RetrySameMessage = "retry-same-message", "a request that timed out is sent again as it was";
        RefillForgotten = "refill-forgotten", "a link never refills its pools";
        NoNewRegistration = "no-new-registration", "a client does not notice that a hub has forgotten it";
        TimeoutIsStored = "timeout-is-stored", "a hub that cannot be reached counts as one that holds its share";
        AnswerIsStored = "answer-is-stored", "an answer to a deposit counts as stored whatever it says";
        SameKeyTwice = "same-key-twice", "all keys of a call are the same";
        GroupMemberDropped = "group-member-dropped", "only the first slave SAE of a call is named to the hubs";
        DeadlineIgnored = "deadline-ignored", "a call waits for hubs for much longer than its deadline";
        AnyoneMayFetch = "anyone-may-fetch", "a hub hands shares to SAEs that are not named";
        AnyoneMaySpeak = "anyone-may-speak", "a hub lets any client speak for any SAE";
        ConflictOverwrites = "conflict-overwrites", "another deposit of the same key replaces the share";
        KeyIdAlone = "key-id-alone", "whoever deposits first under a key ID keeps it, whatever the master";
        ExpiryForgotten = "expiry-forgotten", "a hub does not erase shares whose time is over";
        HandedOutTwice = "handed-out-twice", "a client hands a key to an SAE as often as it asks";
        NoGrouping = "no-grouping", "answers are put together whatever their public parts are";
        ThresholdBelieved = "threshold-believed", "the responder does not mind a hub that claims another threshold";
        IndexBelieved = "index-believed", "the responder believes the x that a hub claims";
        SearchForgotten = "search-forgotten", "wrong answers are not corrected";
        BlameMajority = "blame-majority", "hubs that agree with the key are blamed, not those that do not";
        BlameNeighbour = "blame-neighbour", "blame is put down to the next hub";
        BlameUncertain = "blame-uncertain", "hubs are blamed although it cannot be told who is right";
        HubsSwapped = "hubs-swapped", "answers are put down to other hubs than they came from";
        LateLieIgnored = "late-lie-ignored", "answers that come after the key was delivered are not checked";
        BatchMixedUp = "batch-mixed-up", "the answers to a batch go to the wrong callers";
        ClaimsForgotten = "claims-forgotten", "a client remembers what it handed out no longer than hubs repeat it";
        StartTrusted = "start-trusted", "a client that has just started fetches as if it had handed nothing out before";
        RepeatToAnyone = "repeat-to-anyone", "a hub hands a share out again even if its client has restarted since";
        FetchUnsplit = "fetch-unsplit", "a client asks for all keys at once, however long the answer is";
        AccountsForgotten = "accounts-forgotten", "a hub keeps no room for anybody: whoever comes first takes it";
        InFlightForGood = "in-flight-for-good", "calls and exchanges that have ended still count as in flight";
        StoreUnbounded = "store-unbounded", "a hub takes any number of shares";
        SentForNobody = "sent-for-nobody", "a link tries again after ten seconds, whether or not anybody waits still";
        SearchUnbounded = "search-unbounded", "each subset of shares is tried 65,536 times, without a budget";
        RepeatRenews = "repeat-renews", "a deposit that is made again begins the time to live of its shares anew";
        ErasedAfterFirst = "erased-after-first", "a hub erases a share when the first of its SAEs has had the linger time for it";
        PartlyFoundCounts = "partly-found-counts", "a fetch uses up all keys that it names, even if not every one is found";
        WithdrawalIgnored = "withdrawal-ignored", "a hub keeps the shares that are withdrawn";
        LendsNothing = "lends-nothing", "a hub lends none of the room that is guaranteed to nobody";
        WrongCode = "wrong-code", "a hub refuses a client that speaks for the SAE of another with the code of another refusal";
        ShareInError = "share-in-error", "an error message quotes a share";
        NotFoundEarly = "not-found-early", "an SAE is told that a key is not found when N − K hubs say so, not one more";
        DeadlineIsNotFound = "deadline-is-not-found", "an SAE is told at the deadline that a key is not found";
        ForbiddenAsNotFound = "forbidden-as-not-found", "an SAE that may not have a key is told that there is none";
        BlamedTwice = "blamed-twice", "a lie is counted twice";
        ClaimsKept = "claims-kept", "a client remembers keys as handed out that it could not fetch";
        RegisteredForNothing = "registered-for-nothing", "a link registers again when an answer has a wrong MAC";
        GraceForgotten = "grace-forgotten", "a master is given keys as soon as K hubs hold them";
        OneMoreAttempt = "one-more-attempt", "a link tries once more often than it may";
        RetryNeedless = "retry-needless", "a link tries once more although the hub has answered";
        CountedTwice = "counted-twice", "each block that a hub delivers is counted twice";
        MetricOfAnother = "metric-of-another", "the metric of keys fetched counts the keys established";
        BackgroundDropped = "background-dropped", "shares that have not arrived when a call returns are given up";
        SilentWaitedFor = "silent-waited-for", "every call waits for a hub that kept earlier ones waiting in vain";
        SizeLimitOff = "size-limit-off", "a client takes keys that are a byte longer than the longest";
        IdTwiceTaken = "id-twice-taken", "a client does not mind a key that one call names twice";
        MemberUnchecked = "member-unchecked", "a client does not ask whether the further slaves of a call exist";
        ForbiddenCounts = "forbidden-counts", "a fetch uses up its keys even if the SAE may not have one of them";
        PrefixIsNamed = "prefix-is-named", "a hub takes an SAE for named if its name begins like that of one that is";
        ClaimsForAll = "claims-for-all", "a client takes a key for handed out once any of its SAEs has it";
        StatusOfBest = "status-of-best", "a status counts the keys for which one hub has PSRD, not K";
        LastComesFirst = "last-comes-first", "of what waits for a hub, what came last leaves first";
        RefillWhenEmpty = "refill-when-empty", "a pool is refilled only when nothing is left in it";
        FailuresUncounted = "failures-uncounted", "wrong MACs are not counted against the block";
        GapsKept = "gaps-kept", "gaps between used bytes are remembered without a limit";
        CallsUnbounded = "calls-unbounded", "a client takes any number of calls at the same time";
        OverlapFirstByte = "overlap-first-byte", "only the first byte of a fragment is looked at to tell whether it was used";
        QueryUnsigned = "query-unsigned", "the query of a request is not authenticated";
        RefillSticks = "refill-sticks", "a refill that fails once keeps a link from any other";
        SecondKeyIgnored = "second-key-ignored", "a second key that fits is not looked for";
    }
}

#[cfg(feature = "insecure-harness")]
mod kept {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::{Canary, Mark};

    thread_local! {
        static RELEASED: Cell<Option<Canary>> = const { Cell::new(None) };
        static MARKS: RefCell<BTreeMap<Mark, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Counts a situation as reached.
    pub fn reached(mark: Mark) {
        MARKS.with_borrow_mut(|marks| *marks.entry(mark).or_default() += 1);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn canary(canary: Canary) -> bool {
        RELEASED.get() == Some(canary)
    }

    /// Plants a bug, or none, in the nodes of this thread, and forgets which situations were reached before.
    pub fn begin(canary: Option<Canary>) {
        RELEASED.set(canary);
        MARKS.take();
    }

    /// How often each situation was reached since [`begin`].
    #[must_use]
    pub fn marks() -> BTreeMap<Mark, u64> {
        MARKS.with_borrow(Clone::clone)
    }
}

#[cfg(not(feature = "insecure-harness"))]
mod kept {
    use super::{Canary, Mark};

    /// Counts a situation as reached, with the feature `insecure-harness` only.
    #[inline(always)]
    pub fn reached(_: Mark) {}

    /// Whether this bug is planted: never without the feature `insecure-harness`.
    #[inline(always)]
    #[must_use]
    pub const fn canary(_: Canary) -> bool {
        false
    }
}

#[cfg(feature = "insecure-harness")]
pub use kept::{begin, marks};
pub use kept::{canary, reached};
