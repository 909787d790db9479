//! The deliver-page function.
