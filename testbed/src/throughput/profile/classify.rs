//! The category of a sample, by the functions on its stack.

use super::rules::{KERNEL, KERNEL_RANDOM, OTHER, RANDOM, RULES};
use super::stacks::is_kernel;

/// The innermost function that a rule names decides. A sample inside the kernel belongs to the kernel, unless the kernel
/// makes random numbers.
pub(super) fn category(stack: &[impl AsRef<str>]) -> &'static str {
    let mut names = stack.iter().map(AsRef::as_ref);
    if names.clone().next().is_some_and(is_kernel) {
        let makes_random = |name: &str| KERNEL_RANDOM.iter().any(|part| name.contains(part));
        let mut kernel = names.take_while(|name| is_kernel(name));
        return if kernel.any(makes_random) {
            RANDOM
        } else {
            KERNEL
        };
    }
    let known = |name: &str| {
        let rule = RULES.iter().find(|(_, patterns)| fits(name, patterns));
        rule.map(|(category, _)| *category)
    };
    names.find_map(known).unwrap_or(OTHER)
}

fn fits(name: &str, patterns: &[&str]) -> bool {
    let path = path(name);
    patterns
        .iter()
        .any(|pattern| match pattern.strip_prefix('*') {
            Some(part) => name.contains(part),
            None => path.starts_with(pattern),
        })
}

/// The path inside a name: `<&mut serde_json::…` is `serde_json::…`.
fn path(mut name: &str) -> &str {
    loop {
        let inner = ["<", "&", "*", "(", "[", "mut ", "const ", "dyn "]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        match inner {
            Some(inner) => name = inner,
            None => return name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::{
        CATEGORIES, CRYPTO, ENCODING, HTTP, MEMORY, PROTOCOL, PSRD, RANDOM, RUNTIME,
    };
    use super::*;

    #[test]
    fn functions_count_for_their_purpose() {
        for (name, expected) in [
            ("dske::crypto::shamir::split", CRYPTO),
            (
                "<polyval::Polyval as universal_hash::UniversalHash>::update",
                CRYPTO,
            ),
            (
                "<rand::rngs::SysRng as rand_core::TryRng>::try_fill_bytes",
                RANDOM,
            ),
            ("dske::psrd::spending::SpendingPool::allocate", PSRD),
            ("dske::psrd::allocation::Allocation::parse", ENCODING),
            ("dske::protocol::hub::Hub::execute", PROTOCOL),
            ("dske::protocol::message::Deposit::parse", ENCODING),
            (
                "<dske::protocol::store::Share as serde_core::de::Deserialize>::deserialize",
                ENCODING,
            ),
            (
                "<&mut serde_json::ser::Serializer<W,F> as serde::ser::Serializer>::x",
                ENCODING,
            ),
            (
                "actix_http::h1::dispatcher::Dispatcher<T,S,B>::poll_response",
                HTTP,
            ),
            ("actix::mailbox::Mailbox<A>::poll", RUNTIME),
            (
                "<dske::node::link::Link as actix::handler::Handler<M>>::handle",
                RUNTIME,
            ),
            ("tokio::runtime::task::raw::poll", RUNTIME),
            ("_int_malloc", MEMORY),
            ("__memmove_avx_unaligned_erms", MEMORY),
            (
                "core::ptr::drop_in_place<actix_http::requests::Request>",
                MEMORY,
            ),
            ("__send", KERNEL),
            ("something_unheard_of", OTHER),
        ] {
            assert_eq!(category(&[name]), expected, "{name}");
        }
    }

    #[test]
    fn the_innermost_known_function_decides() {
        let stack = [
            "<alloc::collections::btree::map::BTreeMap<K,V> as Index>::index",
            "dske::protocol::store::Store::get",
            "actix::mailbox::Mailbox<A>::poll",
        ];
        assert_eq!(category(&stack), PROTOCOL);
        assert_eq!(category(&stack[..1]), OTHER);
        assert_eq!(category(&stack[..0]), OTHER);
    }

    #[test]
    fn a_sample_inside_the_kernel_belongs_to_the_kernel() {
        let sends = ["memcpy_[k]", "__x64_sys_sendto_[k]", "__send"];
        assert_eq!(category(&sends), KERNEL);
        let draws = ["chacha_permute_[k]", "get_random_bytes_user_[k]"];
        assert_eq!(category(&draws), RANDOM);
    }

    #[test]
    fn every_rule_has_a_category_that_is_shown_and_no_earlier_rule_covers_it() {
        for (i, (category, names)) in RULES.iter().enumerate() {
            assert!(CATEGORIES.iter().any(|(name, _)| name == category));
            for name in *names {
                let earlier = RULES[..i].iter().find(|(_, names)| fits(name, names));
                assert_eq!(earlier.map(|(category, _)| category), None, "{name}");
            }
        }
    }
}
