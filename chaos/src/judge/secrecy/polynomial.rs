//! The polynomial of the other world: through the coalition's shares, with another key at zero and the same tag.

use std::collections::BTreeMap;
use std::iter;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex};
use dske::protocol::KeyId;
use rand::Rng;
use rand::rngs::ChaCha12Rng;

use super::leak::Leak;
use crate::judge::Facts;
use crate::world::byzantine::forgers::fit;

/// K points of a polynomial through the coalition's shares, with another key at zero and the same tag.
pub(super) fn other_polynomial(
    facts: &Facts<'_>,
    shares: &BTreeMap<ShareIndex, Share>,
    key_id: KeyId,
    coalition: &[usize],
    rng: &mut ChaCha12Rng,
) -> Result<Vec<Share>, Leak> {
    let plan = &facts.seen.plan;
    let threshold = usize::from(plan.cluster.threshold);
    let tag = facts.tags.get(&key_id).ok_or(Leak::NoDeposit)?;
    let length = shares.values().next().map_or(0, |share| share.y.len());
    let mut other = Secret::zeros(length);
    rng.fill_bytes(&mut other);
    if facts
        .secret(key_id)
        .is_some_and(|secret| secret[TAG_SECRET_BYTES..] == other[TAG_SECRET_BYTES..])
    {
        // The same key by chance: any other will do.
        other[TAG_SECRET_BYTES] ^= 1;
    }
    fit(&mut other, tag);
    let index = |hub: usize| u8::try_from(hub + 1).ok().and_then(ShareIndex::new);
    let held = coalition
        .iter()
        .filter_map(|&hub| shares.get(&index(hub)?))
        .cloned();
    let mut points: Vec<Share> = held.collect();
    if points.len() >= threshold {
        return Err(Leak::Determined {
            known: points.len(),
            threshold,
        });
    }
    // Where the coalition is smaller than K − 1, further shares are free.
    for x in (1..=plan.cluster.hubs).filter_map(ShareIndex::new) {
        if points.len() + 1 < threshold && !points.iter().any(|point| point.x == x) {
            let mut y = Secret::zeros(length);
            rng.fill_bytes(&mut y);
            points.push(Share { x, y });
        }
    }
    // Interpolation works with shares, which have no x = 0: the value at zero is moved to a free x instead.
    let free = (1..=u8::MAX)
        .filter_map(ShareIndex::new)
        .find(|x| !points.iter().any(|point| point.x == *x));
    let x = free.ok_or(Leak::NoFreeX)?;
    let y = value_at(&points, &other, x)?;
    points.push(Share { x, y });
    Ok(points)
}

/// The value at `x` of the polynomial through `points` that is `at_zero` at zero.
fn value_at(points: &[Share], at_zero: &[u8], x: ShareIndex) -> Result<Secret, Leak> {
    use dske::crypto::gf256::{combine, inv, mul};
    // f(x) = f(0)·Π (x − xᵢ)/(−xᵢ) + Σ yᵢ · x/xᵢ · Π_{j≠i} (x − xⱼ)/(xᵢ − xⱼ); minus is plus in this field.
    let x = x.get();
    let weight = points
        .iter()
        .fold(1, |w, p| mul(w, mul(x ^ p.x.get(), inv(p.x.get()))));
    let rows = points.iter().map(|point| {
        let xi = point.x.get();
        let others = points.iter().filter(|other| other.x != point.x);
        let weight = others.fold(mul(x, inv(xi)), |w, other| {
            mul(w, mul(x ^ other.x.get(), inv(xi ^ other.x.get())))
        });
        (&*point.y, weight)
    });
    let mut value = Secret::zeros(at_zero.len());
    combine(&mut value, iter::once((at_zero, weight)).chain(rows));
    Ok(value)
}
