//! From the text of a spec with a thousand packages that are built from source to marshalled LLB for four platforms,
//! without a daemon. Prints for a quarter of them and for all: how many, seconds, and the most memory so far in megabytes.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

use std::fmt::Write;
use std::time::Instant;

use buildkit_llb::{Definition, Output, Platform, Source, SourceFile};
use edgenode::lower::{Target, lower};
use edgenode::plan::plan;
use edgenode::resolve::{BaseFacts, Inputs, OsRelease, resolve};
use edgenode::spec::parse;

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
    let node = resolve(parse(text).expect("a spec"), facts, &Inputs::default()).expect("a node");
    let plan = plan(&node);
    let target = Target::new(platform, base, Output::scratch());
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

fn main() {
    for components in [250, 1000] {
        let text = spec(components);
        let start = Instant::now();
        let graphs: Vec<_> = PLATFORMS
            .iter()
            .map(|platform| to_llb(&text, &Platform::parse(platform).expect("a platform")))
            .collect();
        assert!(graphs.iter().all(|graph| graph.len() > 100 * components));
        println!("{components} {:.3} {:.1}", start.elapsed().as_secs_f64(), peak() as f64 / 1e6);
    }
}
