//! The k-element subsets of 0..m in lexicographic order.

pub(super) struct Subsets {
    m: usize,
    next: Option<Vec<usize>>,
}

impl Subsets {
    pub(super) fn new(m: usize, k: usize) -> Self {
        Self {
            m,
            next: (k <= m).then(|| (0..k).collect()),
        }
    }
}

impl Iterator for Subsets {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        let k = current.len();
        // The last element that can still move up, with those behind it following closely.
        let movable = current
            .iter()
            .enumerate()
            .rev()
            .find(|(i, v)| **v < self.m - k + i);
        self.next = movable.map(|(i, &v)| {
            let kept = current.iter().copied().take(i);
            kept.chain(v + 1..=v + k - i).collect()
        });
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_subsets_come_once_and_in_order() {
        let all: Vec<_> = Subsets::new(5, 3).collect();
        assert_eq!(all.len(), 10);
        assert!(all.windows(2).all(|w| w[0] < w[1]));
        assert!(
            all.iter()
                .all(|s| s.len() == 3 && s.windows(2).all(|w| w[0] < w[1]) && s[2] < 5)
        );
        assert_eq!(Subsets::new(3, 3).count(), 1);
        assert_eq!(Subsets::new(2, 3).count(), 0);
    }
}
