//! How many wrong tokens are heard from one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many within the window are heard; a token is long enough that it is not about guessing but about noise.
const MOST_WRONG: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// More addresses than this are not remembered; the oldest goes.
const MOST_ADDRESSES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<BTreeMap<IpAddr, Vec<Instant>>>);

impl Patience {
    /// For how many seconds nothing is heard from there any more.
    pub(super) fn is_over(&self, from: IpAddr) -> Option<u64> {
        let wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let young: Vec<&Instant> = wrong.get(&from)?.iter().filter(|at| at.elapsed() < WINDOW).collect();
        let oldest = young.first().filter(|_| young.len() >= MOST_WRONG)?;
        Some(WINDOW.saturating_sub(oldest.elapsed()).as_secs().max(1))
    }

    pub(super) fn wrong(&self, from: IpAddr) {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= MOST_ADDRESSES && !wrong.contains_key(&from) {
            wrong.retain(|_, all| all.last().is_some_and(|at| at.elapsed() < WINDOW));
            if wrong.len() >= MOST_ADDRESSES {
                let oldest = wrong.iter().min_by_key(|(_, all)| all.last().copied()).map(|(address, _)| *address);
                oldest.and_then(|address| wrong.remove(&address));
            }
        }
        let all = wrong.entry(from).or_default();
        all.retain(|at| at.elapsed() < WINDOW);
        all.push(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_must_end_for_one_address_and_not_for_others() {
        let patience = Patience::default();
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for _ in 0..MOST_WRONG {
            assert_eq!(patience.is_over(one), None);
            patience.wrong(one);
        }
        assert!(patience.is_over(one).is_some_and(|seconds| seconds <= WINDOW.as_secs()));
        assert_eq!(patience.is_over(other), None);
    }

    #[test]
    fn no_more_addresses_than_fit_may_be_remembered() {
        let patience = Patience::default();
        for number in 0..u32::try_from(MOST_ADDRESSES + 10).expect("it fits") {
            patience.wrong(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(patience.0.lock().expect("no panic").len(), MOST_ADDRESSES);
    }
}
