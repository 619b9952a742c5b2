//! Walks a plan: independent steps side by side, dependents only after success, every step in the journal.
