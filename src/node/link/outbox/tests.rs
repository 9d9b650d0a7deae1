use std::collections::VecDeque;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::super::super::workload::{Workload, WorkloadMax};
use super::*;
use crate::protocol::KeyId;
use crate::protocol::message::FetchQuery;

/// What happens to a queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// An operation for so many keys comes.
    Comes(usize),
    /// The caller of one of those that wait goes away: this one, modulo their number.
    Goes(usize),
    /// A batch leaves, when there is PSRD for answers of so many bytes.
    Leaves(usize),
}

/// Bytes of each share, once an answer has told.
const SHARE_BYTES: usize = 100;

/// Operations in a batch, at most.
const MOST: usize = 3;

fn operation(number: u64, keys: usize) -> Rc<Load> {
    let max = WorkloadMax {
        number: 1,
        bytes: 1,
    };
    let in_flight = Workload::new(max, 1).admit(0, 0);
    let mut rng = ChaCha12Rng::seed_from_u64(number);
    Rc::new(Load {
        operation: Operation::Fetch(FetchQuery {
            client: "carol".parse().unwrap(),
            slave_sae: "carol".parse().unwrap(),
            master_sae: "celia".parse().unwrap(),
            key_ids: (0..keys).map(|_| KeyId::random(&mut rng)).collect(),
        }),
        _in_flight: in_flight.expect("it is the only one"),
    })
}

fn comes(queue: &mut Queue, keys: usize) -> u64 {
    let (left, _) = oneshot::channel();
    let load = operation(queue.number, keys);
    let (number, _) = queue.push(Waiting {
        load,
        reserved: None,
        attempt: 1,
        left,
    });
    number
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..=4_usize).prop_map(Step::Comes),
        1 => any::<usize>().prop_map(Step::Goes),
        2 => (0..=12_usize).prop_map(|shares| Step::Leaves(shares * SHARE_BYTES)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// What waits longest leaves first, and something leaves each time: so nothing waits for more requests than there are
    /// operations before it. A batch ends where the next one does not fit, and nothing that came later takes its place.
    #[test]
    fn whatever_waits_longest_leaves_first_and_something_always_leaves(steps in steps()) {
        let mut queue = Queue {
            fetched_share_bytes: SHARE_BYTES,
            ..Queue::default()
        };
        // Number and keys of each that waits, and how many requests have left since it came, as it has to be.
        let mut expected: VecDeque<(u64, usize)> = VecDeque::new();
        for step in steps {
            match step {
                Step::Comes(keys) => {
                    expected.push_back((comes(&mut queue, keys), keys));
                }
                Step::Goes(_) if expected.is_empty() => {}
                Step::Goes(which) => {
                    let gone = expected.remove(which % expected.len());
                    let (number, _) = gone.expect("there is one");
                    queue.waiting.remove(&number);
                }
                Step::Leaves(bytes) => {
                    let batch = queue.take(MOST, 0, bytes);
                    prop_assert_eq!(batch.is_empty(), expected.is_empty());
                    let mut left = bytes;
                    for (place, waiting) in batch.iter().enumerate() {
                        let (_, keys) = expected.pop_front().expect("as many left as waited");
                        let Operation::Fetch(query) = &waiting.load.operation else { unreachable!() };
                        prop_assert_eq!(query.key_ids.len(), keys);
                        prop_assert!(place == 0 || keys * SHARE_BYTES <= left);
                        left = left.saturating_sub(keys * SHARE_BYTES);
                    }
                    let next = expected.front().filter(|_| batch.len() < MOST);
                    prop_assert!(next.is_none_or(|(_, keys)| keys * SHARE_BYTES > left));
                }
            }
            let numbers: Vec<u64> = expected.iter().map(|(number, _)| *number).collect();
            prop_assert!(queue.waiting.keys().copied().eq(numbers));
        }
    }
}
