//! The contract of targets: what the pipeline relies on, tested through the public traits on every target.
//!
//! Each test is written once, and takes the ground that it stands on. To add a target: a constructor in `ground.rs`, and a
//! line in each of the two macros below.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

/// Runs each test on every target.
macro_rules! contract {
    ($($test:ident),+ $(,)?) => {
        on_target! { memory; $($test),+ }
        on_target! { memory_as_server; $($test),+ }
        on_target! { sqlite; $($test),+ }
        on_target! { postgres; $($test),+ }
        on_target! { postgres_as_superuser; $($test),+ }
        on_target! { mysql; $($test),+ }
    };
}

/// Runs each test on every target that speaks SQL.
macro_rules! contract_in_sql {
    ($($test:ident),+ $(,)?) => {
        mod in_sql {
            use super::{$($test),+};
            on_target! { sqlite; $($test),+ }
            on_target! { postgres; $($test),+ }
            on_target! { mysql; $($test),+ }
        }
    };
}

macro_rules! on_target {
    ($target:ident; $($test:ident),+) => {
        mod $target {
            $(
                #[test]
                fn $test() {
                    super::$test(&crate::ground::Ground::$target());
                }
            )+
        }
    };
}

mod building;
mod definitions;
mod documents;
mod filters;
mod ground;
mod jobs;
mod kept_answers;
mod keys;
mod ledger;
mod loads;
mod names;
mod pace;
mod pages;
mod parents;
mod quarantine;
mod queries;
mod races;
mod reject_bytes;
mod requests;
mod rows;
mod rules;
mod settings;
mod snapshots;
mod tables;
mod transactions;
mod triggers;
mod upgrades;
