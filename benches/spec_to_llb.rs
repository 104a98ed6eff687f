//! From the text of the example's spec to marshalled LLB, without a daemon. Prints the median in milliseconds.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

use std::time::Instant;

use buildkit_llb::{Definition, Platform, Source, SourceFile};
use edgenode::lower::{Target, lower};
use edgenode::plan::plan;
use edgenode::resolve::{BaseFacts, OsRelease, resolve};
use edgenode::spec::parse;

const EXAMPLE: &str = include_str!("../examples/media-node/edgenode.yaml");
const RUNS: usize = 201;

fn to_llb(text: &str, platform: &Platform) -> Vec<u8> {
    let facts = BaseFacts {
        reference: "docker.io/library/debian:13".to_owned(),
        architecture: "amd64".to_owned(),
        os_release: OsRelease::parse("ID=debian\nVERSION_ID=13\n"),
        layers: 1,
        env: Vec::new(),
        files: std::collections::BTreeMap::new(),
    };
    let base = Source::image(&facts.reference).platform(platform).output();
    let plan = plan(
        &resolve(parse(text).expect("a spec"), facts, &edgenode::resolve::Inputs::default()).expect("a node"),
    );
    let target = Target::new(platform, base, buildkit_llb::Output::scratch());
    let output = lower(&plan, &target).output(plan.image);
    let file = SourceFile { data: text.as_bytes().to_vec(), ..SourceFile::default() };
    Definition::marshal(&output, &[file]).expect("a graph").to_bytes()
}

fn main() {
    let platform = Platform::parse("linux/amd64").expect("a platform");
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            assert!(!to_llb(EXAMPLE, &platform).is_empty());
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{:.3}", times[RUNS / 2]);
}
