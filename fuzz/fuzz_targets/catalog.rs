#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgenode_fuzz::run("catalog", data));
