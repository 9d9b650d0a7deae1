//! What others report, with what can and what cannot be compared.

/// What somebody else has measured.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) figure: &'static str,
    /// Mbit of key for each second.
    pub(super) mbit_per_s: f64,
    pub(super) comparable: &'static str,
    pub(super) source: &'static str,
    pub(super) link: &'static str,
}

pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "dske-python",
        figure: "4.5 to 5.9 keys of 256 bits a second; 212 ms a key",
        // 5.9 keys of 256 bits.
        mbit_per_s: 0.0015,
        comparable: "Yes: also five hubs, K = 3, one process a node over HTTP, and the load on the same machine of two cores, \
                     though not in the same run. It is written to be read, in Python, not to be fast.",
        source: "measured with its own scripts",
        link: "https://github.com/brunorijsman/dske-python",
    },
    Peer {
        name: "DSKE demonstration",
        figure: "above 50 Mbit/s of one-time pad encryption; latency below 70 ms",
        mbit_per_s: 50.0,
        comparable: "Rate: only in its order, since machines and sizes are not told. Latency: no, it is between hubs thousands of \
                     kilometres apart, and here on one machine; cargo chaos sweep has such distances.",
        source: "arXiv:2205.00615, abstract",
        link: "https://arxiv.org/abs/2205.00615",
    },
    Peer {
        name: "QKD link, record",
        figure: "64 Mbit/s of key over 10 km of fibre, 3 Mbit/s over 102.4 km",
        mbit_per_s: 64.0,
        comparable: "Not as software: the photons are the limit. It is the rate of the source of keys that a DSKE network stands \
                     in for.",
        source: "Nature Photonics 17, 422–426 (2023), abstract",
        link: "https://doi.org/10.1038/s41566-023-01168-2",
    },
    Peer {
        name: "QKD link, in practice",
        figure: "1 to 2 Mbit/s of key over 50 km of fibre",
        mbit_per_s: 2.0,
        comparable: "As the line above; this is what key management systems with this interface are usually fed by.",
        source: "arXiv:2408.04598, introduction",
        link: "https://arxiv.org/abs/2408.04598",
    },
];
