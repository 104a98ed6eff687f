//! The gateway of a frontend.
