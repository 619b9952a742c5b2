//! Ids of operations: sorted by time, and short enough to type.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use mainstay_model::identity::OperationId;

// Crockford's base 32: in the order of ASCII, so that sorting works, and without letters that look like digits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A fresh id, such as `op-20261120-193355-k3f9a`: the second, then two digits for its 1024th part and three that
/// tell apart what began within it.
pub fn new_operation_id() -> OperationId {
    id_at(Timestamp::now(), next_tail())
}

/// Counts up from a random start: never the same twice in a process, seldom the same in two.
fn next_tail() -> u32 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let random = RandomState::new().build_hasher().finish();
        AtomicU32::new((random & 0x7fff) as u32)
    });
    next.fetch_add(1, Ordering::Relaxed) & 0x7fff
}

fn id_at(at: Timestamp, tail: u32) -> OperationId {
    let nanos = u64::from(at.subsec_nanosecond().unsigned_abs());
    let part = (nanos * 1024 / 1_000_000_000) as u32;
    let mut id = at.strftime("op-%Y%m%d-%H%M%S-").to_string();
    for (value, shift) in [(part, 5), (part, 0), (tail, 10), (tail, 5), (tail, 0)] {
        id.push(char::from(DIGITS[(value >> shift) as usize & 31]));
    }
    OperationId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_do_not_repeat() {
        let earlier: Timestamp = "2026-11-20T19:33:55.001Z".parse().unwrap();
        let later: Timestamp = "2026-11-20T19:33:55.003Z".parse().unwrap();
        assert_eq!(id_at(earlier, 0).as_str(), "op-20261120-193355-01000");
        assert!(id_at(earlier, 0x7fff) < id_at(later, 0));
        let many: std::collections::BTreeSet<OperationId> = (0..10_000).map(|_| new_operation_id()).collect();
        assert_eq!(many.len(), 10_000);
    }
}
