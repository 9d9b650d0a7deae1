//! Finite fields, Shamir sharing, robust reconstruction, one-time MAC and key tag.
