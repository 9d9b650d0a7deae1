//! Figures that others report, and how far they can be compared.

/// A figure that somebody else reports.
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
        comparable: "Yes: five hubs, K = 3, one process for each node, over HTTP, with the load on the same machine of two cores, \
                     but not in the same run. It is written in Python, to be read, not to be fast.",
        source: "measured with its own scripts",
        link: "https://github.com/brunorijsman/dske-python",
    },
    Peer {
        name: "DSKE demonstration",
        figure: "above 50 Mbit/s of one-time pad encryption; latency below 70 ms",
        mbit_per_s: 50.0,
        comparable: "Rate: only in order of magnitude, because machines and sizes are not published. Latency: no. Theirs is between \
                     hubs thousands of kilometres apart, ours on one machine; cargo chaos sweep simulates such distances.",
        source: "arXiv:2205.00615, abstract",
        link: "https://arxiv.org/abs/2205.00615",
    },
    Peer {
        name: "QKD link, record",
        figure: "64 Mbit/s of key over 10 km of fibre, 3 Mbit/s over 102.4 km",
        mbit_per_s: 64.0,
        comparable: "Not as software: the photons are the limit. It is the rate of the key source that a DSKE network replaces.",
        source: "Nature Photonics 17, 422–426 (2023), abstract",
        link: "https://doi.org/10.1038/s41566-023-01168-2",
    },
    Peer {
        name: "QKD link, in practice",
        figure: "1 to 2 Mbit/s of key over 50 km of fibre",
        mbit_per_s: 2.0,
        comparable: "As above. Such links usually feed key management systems with this interface.",
        source: "arXiv:2408.04598, introduction",
        link: "https://arxiv.org/abs/2408.04598",
    },
];
