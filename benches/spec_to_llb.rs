//! From the text of a spec to marshalled LLB, without a daemon. Prints the median in milliseconds for the example, and for
//! specs with 250 and 1,000 packages that are built from source, each for four platforms: how many, seconds, and the most
//! memory so far in megabytes.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

use std::fmt::Write;
use std::time::Instant;

use buildkit_llb::{Definition, Platform, Source, SourceFile};
use edgenode::lower::{Target, lower};
use edgenode::plan::plan;
use edgenode::resolve::{BaseFacts, OsRelease, resolve};
use edgenode::spec::parse;

const EXAMPLE: &str = include_str!("../examples/media-node/edgenode.yaml");
const RUNS: usize = 201;
const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/amd64/v2", "linux/amd64/v3"];

fn spec(components: usize) -> String {
    let mut text = "name: n\nbase: debian:13\npython: {version: 3.13.5}\nsdists:\n".to_owned();
    for number in 0..components {
        let _ = writeln!(
            text,
            "  - {{name: p{number}, version: 1.0.{number}, url: 'https://example.org/p{number}.tar.gz', sha256: {number:064x}}}"
        );
    }
    text
}

fn to_llb(text: &str, platform: &Platform) -> Vec<u8> {
    let facts = BaseFacts {
        reference: "docker.io/library/debian:13".to_owned(),
        architecture: platform.architecture.clone(),
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

/// The largest resident set of this process, in bytes. Source: proc_pid_status(5).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn example() {
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

fn many(components: usize) {
    let text = spec(components);
    let start = Instant::now();
    let graph = |platform: &str| to_llb(&text, &Platform::parse(platform).expect("a platform"));
    let graphs = PLATFORMS.map(graph);
    assert!(graphs.iter().all(|graph| graph.len() > 100 * components));
    println!("{components} {:.3} {:.1}", start.elapsed().as_secs_f64(), peak() as f64 / 1e6);
}

fn main() {
    example();
    many(250);
    many(1000);
}
