//! The loop: hears the engine, asks the planner what is lost, and brings it back live.
