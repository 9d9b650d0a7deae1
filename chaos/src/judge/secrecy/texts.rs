//! No secret in any text that leaves a node: not in what an SAE is told, not in what a hub refuses with.
//!
//! Eight bytes of a share, a key or u are looked for, written in hexadecimal or base64. Only words that could hold as
//! much are decoded, so that the search costs next to nothing where there is nothing to be found. A false alarm needs
//! eight bytes of a text that are the same as some of the run's secrets by chance: with a million windows of secrets
//! and ten thousand of texts, below 10⁻⁹.

use std::collections::BTreeMap;

use super::super::violation::Text as Place;
use super::super::{Facts, Verdict, Violation};
use crate::world::observer::record::{Outcome, Seen};

/// Bytes of a secret that must not be in a text one after the other.
const WINDOW_BYTES: usize = 8;

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    let texts = texts(facts);
    let mut windows = Windows::default();
    for (index, text) in texts.iter().enumerate() {
        windows.add_text(index, text.text);
    }
    verdict.evaluated += texts.len() as u64;
    let Some(index) = windows.first_in(facts) else {
        return;
    };
    // One is enough: whatever leaks, leaks everywhere.
    if let Some(text) = texts.get(index) {
        verdict.evaluated -= 1;
        verdict.expect(false, text.at_us, || Violation::SecretInText {
            place: text.place.clone(),
            bytes: WINDOW_BYTES,
        });
    }
}

/// Whether one text holds eight bytes of a secret of the run.
pub(super) fn holds_secret(facts: &Facts<'_>, text: &[u8]) -> bool {
    let mut windows = Windows::default();
    windows.add_text(0, text);
    windows.first_in(facts).is_some()
}

struct Text<'a> {
    at_us: u64,
    place: Place,
    text: &'a [u8],
}

fn texts<'a>(facts: &Facts<'a>) -> Vec<Text<'a>> {
    let calls = facts.seen.calls.iter().filter_map(|call| {
        let (Outcome::Refused(_, text) | Outcome::Unknown(text)) = &call.outcome else {
            return None;
        };
        Some(Text {
            at_us: call.until_us,
            place: Place::Told {
                client: call.client,
                call: call.id,
                kind: call.kind,
            },
            text: text.as_bytes(),
        })
    });
    let refusals = facts.seen.messages.iter().filter_map(|message| {
        let Seen::Said { response, .. } = &message.what else {
            return None;
        };
        (response.status != 200).then(|| Text {
            at_us: message.at_us,
            place: Place::Refusal { hub: message.hub },
            text: &response.body,
        })
    });
    calls.chain(refusals).collect()
}

/// Eight bytes that a text could mean, each with the first text in which they are.
#[derive(Default)]
struct Windows {
    texts: BTreeMap<u64, usize>,
    /// Whether there is one with these last 16 bits: most secrets need no further look.
    ends: Vec<bool>,
}

impl Windows {
    fn add_text(&mut self, index: usize, text: &[u8]) {
        let is_base64 = |byte: &u8| base64_digit(*byte).is_some();
        for word in text.split(|byte| !is_base64(byte)) {
            // Eleven digits of base64 hold eight bytes.
            if word.len() * 6 >= WINDOW_BYTES * 8 {
                for at in 0..4 {
                    self.add(index, &decode(word, at, 6, base64_digit));
                }
            }
        }
        let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
        for word in text.split(|byte| !is_hex(byte)) {
            if word.len() >= WINDOW_BYTES * 2 {
                for at in 0..2 {
                    self.add(index, &decode(word, at, 4, hex_digit));
                }
            }
        }
    }

    fn add(&mut self, index: usize, bytes: &[u8]) {
        for window in bytes.windows(WINDOW_BYTES) {
            let window = window.iter().fold(0, |w, byte| w << 8 | u64::from(*byte));
            self.ends.resize(1 << 16, false);
            self.ends[window as usize & 0xffff] = true;
            self.texts.entry(window).or_insert(index);
        }
    }

    /// The first text that holds eight bytes of a secret of the run.
    fn first_in(&self, facts: &Facts<'_>) -> Option<usize> {
        if self.texts.is_empty() {
            return None;
        }
        let mut first: Option<usize> = None;
        for (&key_id, shares) in &facts.shares {
            let secret = facts.secret(key_id);
            let secrets = shares.values().map(|share| &*share.y);
            for bytes in secrets.chain(secret.as_deref()) {
                if let Some(index) = self.find(bytes) {
                    first = Some(first.map_or(index, |first| first.min(index)));
                }
            }
        }
        first
    }

    fn find(&self, secret: &[u8]) -> Option<usize> {
        let mut window = 0_u64;
        for (at, byte) in secret.iter().enumerate() {
            window = window << 8 | u64::from(*byte);
            if at + 1 >= WINDOW_BYTES
                && self.ends[window as usize & 0xffff]
                && let Some(index) = self.texts.get(&window)
            {
                return Some(*index);
            }
        }
        None
    }
}

/// The whole bytes that digits of so many bits make from a place on.
fn decode(digits: &[u8], at: usize, bits: u32, digit: fn(u8) -> Option<u8>) -> Vec<u8> {
    let (mut bytes, mut pending, mut count) = (Vec::new(), 0_u32, 0);
    for value in digits.iter().skip(at).filter_map(|&byte| digit(byte)) {
        pending = (pending << bits | u32::from(value)) & 0xffff;
        count += bits;
        if count >= 8 {
            count -= 8;
            bytes.push((pending >> count) as u8);
        }
    }
    bytes
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Of either alphabet of RFC 4648.
fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    use dske::protocol::Response;

    use super::super::super::testing::{MASTER, SLAVE, Scene};
    use super::*;
    use crate::world::observer::record::CallKind;

    fn check_texts(facts: &Facts<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        check(facts, &mut verdict);
        verdict
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A run with two keys, and a secret of it: the first key, or the share of it at a hub.
    fn scene(of_hub: Option<usize>) -> (Scene, Vec<u8>) {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        let secret = match of_hub {
            None => keys[0].bytes.to_vec(),
            Some(hub) => {
                let seen = scene.see();
                let facts = Facts::new(&seen);
                let share = facts.shares[&keys[0].id].values().nth(hub);
                share.unwrap().y.to_vec()
            }
        };
        (scene, secret)
    }

    fn told(scene: &Scene, text: &str) -> Verdict {
        let outcome = Outcome::Refused(503, text.to_owned());
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), outcome);
        scene.judge(check_texts)
    }

    #[test]
    fn what_nodes_say_without_secrets_is_right() {
        let (scene, _) = scene(None);
        let text = "key bc490419-7d60-487f-adc1-4ddcc177c139 cannot be put together: 1 usable shares came from 5 \
            hubs; hub 2: status 401 without a usable signature; unregistered/unregistered \
            0123456789abcdef0123456789ABCDEF";
        told(&scene, text).must_hold();
    }

    #[test]
    fn eight_bytes_of_a_key_or_share_are_seen_however_they_are_written() {
        for of_hub in [None, Some(0), Some(4)] {
            let (_, secret) = scene(of_hub);
            for at in [0, 5, secret.len() - 8] {
                let part = &secret[at..at + 8];
                let behind = |more: &[u8]| [more, part].concat();
                for text in [
                    hex(part),
                    hex(part).to_uppercase(),
                    // Something else before it in the same word.
                    format!("0x{}", hex(part)),
                    format!("abc{}", hex(part)),
                    STANDARD.encode(part),
                    STANDARD_NO_PAD.encode(behind(&[1])),
                    URL_SAFE.encode(behind(&[1, 2])),
                    format!("share=={}", STANDARD.encode(behind(&[1, 2, 3, 4]))),
                    format!("x{}", STANDARD.encode(behind(&[9; 20]))),
                ] {
                    let (scene, again) = scene(of_hub);
                    assert_eq!(again, secret);
                    told(&scene, &format!("no key; share {text}"))
                        .must_break("what client 1 told the SAE in call 0 (Slave)");
                }
            }
        }
    }

    #[test]
    fn seven_bytes_or_another_secret_are_not() {
        let (scene, secret) = scene(None);
        told(&scene, &hex(&secret[..7])).must_hold();
        told(&scene, &STANDARD.encode([7; 32])).must_hold();
    }

    #[test]
    fn a_refusal_by_a_hub_that_holds_a_share_is_seen() {
        let (scene, share) = scene(Some(3));
        let to = scene.last_sent(MASTER, 3);
        let response = Response {
            status: 409,
            signature: None,
            body: format!("{{\"reason\":\"{}\"}}", STANDARD.encode(&share)).into(),
        };
        scene.message(MASTER, 3, 2_000, Seen::Said { to, response });
        scene
            .judge(check_texts)
            .must_break("a refusal by hub 3 holds 8 bytes");
    }
}
