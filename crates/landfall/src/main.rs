//! The command line of Landfall.

fn main() {}
