//! The rules on the Pontea stacks.
