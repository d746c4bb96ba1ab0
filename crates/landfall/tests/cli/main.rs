//! The program as a person runs it, on SQLite files of its own. One test program for all of these, since each further one
//! costs a link.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod avro_bombs;
mod backup;
mod check;
mod compressed;
mod datasets;
mod dialects;
mod dictionary_page;
mod docs;
mod encodings;
mod existing_tables;
mod exit_codes;
mod failures;
mod help;
mod load;
mod memory;
mod mending;
mod messy_input;
mod numbers;
mod orphans;
mod pollock;
mod promise_1_conservation;
mod promise_2_one_transaction;
mod promise_3_nothing_changes;
mod promise_5_every_reason;
mod promise_6_same_answer;
mod promise_7_look_before_you_touch;
mod readers;
mod reference;
mod regressions;
mod rejects;
mod replaces;
mod report;
mod schema;
mod twice;
mod upgrade;
mod usage;
mod values;
mod verify;
mod words;
mod wrong_dictionary;
