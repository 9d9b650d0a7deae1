//! What the time in a function counts as.

/// What CPU time is for, in the order in which charts stack it.
pub const CATEGORIES: [(&str, &str); 10] = [
    (CRYPTO, "sharing, MAC, key tag"),
    (RANDOM, "random numbers, also those that the kernel makes"),
    (PSRD, "pools and allocations of pre-shared random data"),
    (PROTOCOL, "state machines, and the hub's store"),
    (ENCODING, "messages to bytes and back: JSON, base64, binary"),
    (HTTP, "actix-web, awc, parsing and routing"),
    (RUNTIME, "actors, tasks, timers, waking up"),
    (MEMORY, "allocating, freeing, copying, comparing"),
    (KERNEL, "system calls, most of them for sockets"),
    (OTHER, "whatever no rule names"),
];

/// See [`CATEGORIES`].
pub const CRYPTO: &str = "crypto";
/// See [`CATEGORIES`].
pub const RANDOM: &str = "randomness";
/// See [`CATEGORIES`].
pub const PSRD: &str = "PSRD";
/// See [`CATEGORIES`].
pub const PROTOCOL: &str = "protocol";
/// See [`CATEGORIES`].
pub const ENCODING: &str = "encoding";
/// See [`CATEGORIES`].
pub const HTTP: &str = "HTTP";
/// See [`CATEGORIES`].
pub const RUNTIME: &str = "actors and runtime";
/// See [`CATEGORIES`].
pub const MEMORY: &str = "memory";
/// See [`CATEGORIES`].
pub const KERNEL: &str = "kernel and sockets";
/// See [`CATEGORIES`].
pub const OTHER: &str = "other";

/// Parts of names of functions of the kernel that make random numbers.
pub(super) const KERNEL_RANDOM: &[&str] = &["getrandom", "get_random"];

/// Beginnings of functions' names, without `<`, `&` and the like in front. With `*` in front, anywhere in the name. The
/// first rule that fits decides; for a function that none fits, its caller does.
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
