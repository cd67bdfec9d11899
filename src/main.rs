//! The `gwha` program.

fn main() {}
