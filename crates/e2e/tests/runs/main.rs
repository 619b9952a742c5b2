//! The same file, run by `docker compose` and by Mainstay, makes the same containers, networks and volumes: what the
//! engine shows of both is compared field by field. What differs on purpose stands in `explained.rs` with its reason.

mod cases;
mod compare;
mod explained;
mod folder;
mod normal;
mod side_by_side;
mod snapshot;
mod together;
