//! Rules of the repository that a compiler does not know, as tests in `tests/`. A rule that is
//! only written down is not kept.
