//! The categories of CPU time, and the functions by which they are told apart.

/// The categories of CPU time with their meaning, in the order in which charts stack them.
pub(in crate::throughput) const CATEGORIES: [(&str, &str); 10] = [
    (CRYPTO, "sharing, MAC, key tag"),
    (RANDOM, "random numbers, including those from the kernel"),
    (PSRD, "pools and allocations of pre-shared random data"),
    (PROTOCOL, "state machines, and the hub's store"),
    (ENCODING, "messages to bytes and back: JSON, base64, binary"),
    (HTTP, "actix-web, awc, parsing and routing"),
    (RUNTIME, "actors, tasks, timers, waking up"),
    (MEMORY, "allocating, freeing, copying, comparing"),
    (KERNEL, "system calls, mostly for sockets"),
    (OTHER, "everything that no rule names"),
];

/// See [`CATEGORIES`].
pub(in crate::throughput) const CRYPTO: &str = "crypto";
/// See [`CATEGORIES`].
pub(in crate::throughput) const RANDOM: &str = "randomness";
/// See [`CATEGORIES`].
pub(in crate::throughput) const PSRD: &str = "PSRD";
/// See [`CATEGORIES`].
pub(in crate::throughput) const PROTOCOL: &str = "protocol";
/// See [`CATEGORIES`].
pub(in crate::throughput) const ENCODING: &str = "encoding";
/// See [`CATEGORIES`].
pub(in crate::throughput) const HTTP: &str = "HTTP";
/// See [`CATEGORIES`].
pub(in crate::throughput) const RUNTIME: &str = "actors and runtime";
/// See [`CATEGORIES`].
pub(in crate::throughput) const MEMORY: &str = "memory";
/// See [`CATEGORIES`].
pub(in crate::throughput) const KERNEL: &str = "kernel and sockets";
/// See [`CATEGORIES`].
pub(in crate::throughput) const OTHER: &str = "other";

/// Parts of the names of kernel functions that make random numbers.
pub(super) const KERNEL_RANDOM: &[&str] = &["getrandom", "get_random"];

/// Each category with the beginnings of its functions' names, without leading `<`, `&` and the like. With a leading `*` the
/// pattern may stand anywhere in the name. The first rule that fits decides; where none fits, the caller decides.
pub(super) const RULES: &[(&str, &[&str])] = &[
    (
        ENCODING,
        &[
            "*as serde",
            "*as core::fmt",
            "serde",
            "base64",
            "itoa",
            "ryu",
            "zmij",
            "uuid",
            "hex",
            "core::fmt",
            "alloc::fmt",
            "core::str",
            "core::num",
            "memchr",
            "dske::protocol::wire",
            "dske::protocol::message",
            "dske::protocol::signature",
            "dske::psrd::allocation",
            "dske::http::json",
        ],
    ),
    (
        CRYPTO,
        &["dske::crypto", "polyval", "universal_hash", "subtle"],
    ),
    (RANDOM, &["chacha20", "rand", "getrandom", "__getrandom"]),
    (PSRD, &["dske::psrd"]),
    (PROTOCOL, &["dske::protocol"]),
    (
        KERNEL,
        &[
            "__send",
            "__recv",
            "__libc_send",
            "__libc_recv",
            "__libc_read",
            "__libc_write",
            "send",
            "recv",
            "writev",
            "__writev",
            "epoll_",
            "syscall",
            "__GI___writev",
            "__clock_gettime",
            "clock_gettime",
            "__vdso",
        ],
    ),
    (
        MEMORY,
        &[
            "malloc",
            "calloc",
            "realloc",
            "free",
            "cfree",
            "__libc_malloc",
            "__libc_calloc",
            "__libc_free",
            "__libc_realloc",
            "_int_",
            "unlink_chunk",
            "__mem",
            "mem",
            "sysmalloc",
            "tcache",
            "__rustc::__rust",
            "__rust_",
            "__rdl_",
            "alloc::raw_vec",
            "core::ptr::drop_in_place",
            "zeroize",
            "bytes",
        ],
    ),
    (
        HTTP,
        &[
            "dske::http",
            "dske::cli",
            "actix_web",
            "actix_http",
            "actix_router",
            "actix_service",
            "actix_codec",
            "actix_tls",
            "actix_utils",
            "awc",
            "http",
            "httparse",
            "httpdate",
            "url",
            "form_urlencoded",
            "percent_encoding",
            "mime",
            "cookie",
            "regex",
            "aho_corasick",
            "foldhash",
        ],
    ),
    (
        RUNTIME,
        &[
            "dske::node",
            "actix_server",
            "actix_rt",
            "actix::",
            "tokio",
            "mio",
            "futures",
            "local_channel",
            "parking_lot",
            "crossbeam",
            "tracing",
            "slab",
            "std::thread",
            "std::sys",
            "std::time",
        ],
    ),
];
