//! Rules over real rows.
