//! What a developer of Landfall runs.

fn main() {}
