//! From spec text to LLB without a daemon: the example's graph in readable form, and what every graph promises.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use buildkit_llb::{Definition, Output, Platform, Source, SourceFile};
use edgenode::lower::{Target, lower};
use edgenode::plan::{Plan, plan};
use edgenode::resolve::{BaseFacts, Inputs, OsRelease, resolve};
use edgenode::sbom::{Parts, document};
use edgenode::spec::parse;

const EXAMPLE: &str = include_str!("../examples/media-node/edgenode.yaml");
const BASE: &str =
    "docker.io/library/debian:13@sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn facts() -> BaseFacts {
    BaseFacts {
        reference: BASE.to_owned(),
        architecture: "amd64".to_owned(),
        os_release: OsRelease::parse("ID=debian\nVERSION_ID=13\n"),
        layers: 1,
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        files: std::collections::BTreeMap::new(),
    }
}

fn plan_of(spec: &str) -> Plan {
    let spec = parse(spec).expect("a valid spec");
    plan(&resolve(spec, facts(), &Inputs::default()).expect("nothing clashes"))
}

fn image(plan: &Plan, can_merge: bool) -> Output {
    let platform = Platform::parse("linux/amd64").expect("a platform");
    let base = Source::image(BASE).platform(&platform).output();
    let target = Target { can_merge, ..Target::new(&platform, base, Output::scratch()) };
    lower(plan, &target).output(plan.image)
}

fn marshal(output: &Output) -> Definition {
    Definition::marshal(output, &[SourceFile::default()]).expect("a valid graph")
}

/// The text form's blocks, one for each op, without their numbers.
fn ops(output: &Output) -> Vec<String> {
    let text = marshal(output).to_text();
    let blocks = text.split("\n#").map(|block| block.split_once(' ').map_or(block, |(_, rest)| rest));
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_graph_of_the_example() {
    insta::assert_snapshot!(marshal(&image(&plan_of(EXAMPLE), true)).to_text());
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let first = marshal(&image(&plan_of(EXAMPLE), true)).to_bytes();
    for _ in 0..20 {
        assert_eq!(marshal(&image(&plan_of(EXAMPLE), true)).to_bytes(), first);
    }
}

#[test]
fn the_order_of_keys_and_comments_do_not_count() {
    let (head, tail) = EXAMPLE.split_once("\nwheels:").expect("the example has wheels");
    let (wheels, rest) = tail.split_once("\nsystem:").expect("the example has a system");
    let moved = format!("{head}\n# a comment\nsystem:{rest}\nwheels:{wheels}\n");
    let digest = |spec| image(&plan_of(spec), true).digest().map(str::to_owned);
    assert_eq!(digest(&moved), digest(EXAMPLE));
}

#[test]
fn settings_of_the_image_do_not_touch_its_files() {
    let changed = EXAMPLE.replace("TZ: Etc/UTC", "TZ: Europe/Berlin").replace("[python3]", "[bash]");
    assert_ne!(changed, EXAMPLE);
    let digest = |spec| image(&plan_of(spec), true).digest().map(str::to_owned);
    assert_eq!(digest(&changed), digest(EXAMPLE));
}

#[test]
fn only_package_managers_have_a_network() {
    let runs: Vec<_> =
        ops(&image(&plan_of(EXAMPLE), true)).into_iter().filter(|op| op.contains("  exec ")).collect();
    assert!(!runs.is_empty());
    for op in runs {
        let is_package_manager = op.contains("scripts/apt-install.sh") || op.contains("scripts/wheels-");
        assert_eq!(op.contains("network=none"), !is_package_manager, "{op}");
    }
}

#[test]
fn every_download_has_a_digest() {
    let ops = ops(&image(&plan_of(EXAMPLE), true));
    let downloads: Vec<_> = ops.iter().filter(|op| op.contains("source https://")).collect();
    assert_eq!(downloads.len(), 5, "python, FFmpeg, dav1d, SVT-AV1, uv");
    for op in downloads {
        assert!(op.contains("http.checksum=sha256:"), "{op}");
    }
}

#[test]
fn without_merging_the_components_stay_the_same() {
    let plan = plan_of(EXAMPLE);
    let lowered = |can_merge| {
        let platform = Platform::parse("linux/amd64").expect("a platform");
        let base = Source::image(BASE).platform(&platform).output();
        lower(&plan, &Target { can_merge, ..Target::new(&platform, base, Output::scratch()) })
    };
    let (merged, copied) = (lowered(true), lowered(false));
    assert_ne!(merged.output(plan.image), copied.output(plan.image));
    for component in &plan.components {
        assert_eq!(merged.output(component.tree), copied.output(component.tree), "{}", component.name);
    }
    assert!(!marshal(&copied.output(plan.image)).to_text().contains("  merge "));
}

/// All that lies on a tree that changes is copied again.
#[test]
fn without_merging_what_is_small_is_copied_last() {
    let text = marshal(&image(&plan_of(EXAMPLE), false)).to_text();
    let blocks: Vec<_> = text.split("\n#").filter_map(|block| block.split_once(' ')).collect();
    let number = |name: &str| blocks.iter().find(|(_, op)| op.starts_with(name)).expect("an op").0;
    let trees = ["[python 3.13.5] build", "[wheels] install wheels", "[ffmpeg 7.1.5] build", "[image] seal"];
    let laid = blocks.iter().filter(|(_, op)| op.starts_with("[image] assemble and seal\n"));
    let laid: Vec<_> = laid.filter_map(|(_, op)| op.split("copy / of #").nth(1)?.split('.').next()).collect();
    assert_eq!(laid, trees.map(number), "{text}");
}

#[test]
fn suites_run_what_the_spec_has_by_whatever_field() {
    let plan = plan_of(&format!("{EXAMPLE}suites: [cpu]\n"));
    let step = plan.steps.iter().find(|step| step.name == "[test] cpu-network").expect("a step");
    let edgenode::plan::Action::Run(run) = &step.action else { panic!("it runs nothing") };
    assert_eq!(run.argv.last().map(String::as_str), Some("onnxruntime"), "{:?}", run.argv);
}

#[test]
fn the_readme_shows_a_package_of_the_example() {
    let readme = include_str!("../README.md");
    let block = readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let (parts, wheels) = (Parts::default(), std::collections::BTreeMap::new());
    let document = document(&plan_of(EXAMPLE), &facts(), &parts, &wheels, "1970-01-01T00:00:00Z");
    let packages = document["packages"].as_array().expect("packages");
    let dav1d = packages.iter().find(|package| package["name"] == "dav1d").expect("there");
    assert_eq!(block, format!("{}\n", serde_json::to_string_pretty(dav1d).expect("JSON")));
}
