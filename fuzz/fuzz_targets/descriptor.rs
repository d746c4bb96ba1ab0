//! A descriptor of any bytes is a package, or errors that say something.

#![no_main]

use landfall_core::schema::Package;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for result in [Package::from_yaml(text, "fuzz.yaml"), Package::from_json(text, "fuzz.json")] {
        if let Err(errors) = result {
            assert!(!errors.as_slice().is_empty(), "refused without a reason");
        }
    }
});
