//! What a spec says is data, wherever it says it: for every text of the language, values that would do harm if a shell, an
//! option parser, a path or a terminal took them for more. Each is refused with words that can be shown, or is carried as
//! it is: in arguments, in the environment, in files, in the image's configuration; never in a script.

#![expect(clippy::expect_used, reason = "helpers of tests")]

#[path = "support/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the tests that share it use more of it")]
#[path = "support/generate.rs"]
mod generate;
#[allow(dead_code, reason = "the tests that share it use more of it")]
#[path = "support/whole_way.rs"]
mod whole_way;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Component, Path};

use buildkit_llb::Definition;
use buildkit_proto::pb;
use corpus::{Case, MARK, all};
use edgenode::diagnostic::Diagnostic;
use edgenode::plan::Plan;
use edgenode::spec::parse;
use prost::Message;

/// Where all scripts of ours lie.
const SCRIPTS: &str = "/run/edgenode/scripts/";
/// No message is longer: values are shown shortened.
const LONGEST_MESSAGE: usize = 4096;

fn plan_of(case: &Case) -> Result<Plan, Vec<Diagnostic>> {
    let spec = parse(&case.document.to_string())?;
    // Whatever file the spec names, it is there.
    let files = spec.reads().iter().map(|path| (path.to_string(), String::new())).collect();
    whole_way::planned(spec, whole_way::debian("amd64"), files)
}

/// What is wrong with the words of a refusal.
fn bad_words(found: &[Diagnostic]) -> Option<String> {
    // Escape sequences and marks of direction would change what a terminal shows beside them.
    let steers = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let bad = |line: &String| line.len() > LONGEST_MESSAGE || line.contains(steers);
    if found.is_empty() {
        return Some("refused without a word".to_owned());
    }
    found.iter().map(Diagnostic::line).find(bad).map(|line| format!("{:.300}", line.escape_debug()))
}

fn climbs(path: &str) -> bool {
    Path::new(path).components().any(|part| part == Component::ParentDir)
}

/// What is wrong with an op that a value has reached.
fn misuse(op: &pb::Op) -> Option<String> {
    match op.op.as_ref()? {
        pb::op::Op::Exec(exec) => misuse_of_program(&exec.meta.as_ref()?.args),
        pb::op::Op::File(file) => file.actions.iter().find_map(misuse_of_file),
        pb::op::Op::Source(source) => {
            let outside =
                source.attrs.get("local.followpaths").is_some_and(|paths| climbs(&paths.replace('"', "/")));
            let foreign = source.identifier.contains(MARK)
                && !["http://", "https://"].iter().any(|scheme| source.identifier.starts_with(scheme));
            (outside || foreign).then(|| format!("{} {:?}", source.identifier, source.attrs))
        }
        _ => None,
    }
}

/// Our scripts take values as they are. None is text of a program, and none an option of what the scripts call; those of
/// tests compare values with what they find, and hand them to the spec's own programs.
fn misuse_of_program(args: &[String]) -> Option<String> {
    let [shell, script, values @ ..] = args else { return None };
    if shell != "/bin/sh" {
        return None;
    }
    let ours = script.starts_with(SCRIPTS) && !script.contains(MARK);
    let of_tests = script.ends_with("/test-check.sh") || script.ends_with("/test-run.sh");
    let option = !of_tests && values.iter().any(|value| value.starts_with('-') && value.contains(MARK));
    (!ours || option).then(|| format!("{args:?}"))
}

fn misuse_of_file(action: &pb::FileAction) -> Option<String> {
    use pb::file_action::Action;
    let paths = match action.action.as_ref()? {
        Action::Mkfile(file) => {
            let program = file.data.starts_with(b"#!") || file.path.contains("/scripts/");
            if program && String::from_utf8_lossy(&file.data).contains(MARK) {
                return Some(format!("{} is a script", file.path));
            }
            vec![&file.path]
        }
        Action::Copy(copy) => vec![&copy.src, &copy.dest],
        Action::Mkdir(dir) => vec![&dir.path],
        _ => Vec::new(),
    };
    paths.into_iter().find(|path| climbs(path)).cloned()
}

fn ops(graph: &Definition) -> Vec<pb::Op> {
    graph.to_pb().def.iter().map(|bytes| pb::Op::decode(bytes.as_slice()).expect("our own bytes")).collect()
}

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    carried: usize,
    /// What ends nowhere, such as the reason why a rule of the linter is not kept.
    dropped: usize,
    wrong: Vec<String>,
}

fn judge(case: &Case, tally: &mut Tally) {
    let plan = match plan_of(case) {
        Ok(plan) => plan,
        Err(found) => {
            tally.refused += 1;
            tally.wrong.extend(bad_words(&found).map(|words| format!("{}: {words}", case.at)));
            return;
        }
    };
    let graph = whole_way::graph(&plan, "amd64", (true, true));
    tally.wrong.extend(ops(&graph).iter().filter_map(misuse).map(|what| format!("{}: {what}", case.at)));
    let told = format!("{:?}{:?}", plan.config, plan.release);
    if told.contains(MARK) || String::from_utf8_lossy(&graph.to_bytes()).contains(MARK) {
        tally.carried += 1;
    } else {
        tally.dropped += 1;
    }
}

#[test]
fn values_are_refused_or_carried_as_they_are() {
    let (mut tally, mut places) = (Tally::default(), BTreeMap::<String, usize>::new());
    for case in all() {
        *places.entry(case.at.clone()).or_default() += 1;
        judge(&case, &mut tally);
    }
    let Tally { refused, carried, dropped, .. } = &tally;
    let figures = format!("{} places: {refused} refused, {carried} carried, {dropped} dropped", places.len());
    let _ = writeln!(std::io::stdout(), "{figures}");
    assert!(tally.wrong.is_empty(), "{} are wrong:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    let cases: usize = places.values().sum();
    assert!(places.len() > 100 && cases >= 500, "{cases} cases at {} places", places.len());
    assert!(
        tally.carried > 400 && tally.refused > 400,
        "{} carried, {} refused",
        tally.carried,
        tally.refused
    );
}

#[test]
fn what_is_wrong_would_be_found() {
    let exec = |args: &[&str]| pb::Op {
        op: Some(pb::op::Op::Exec(pb::ExecOp {
            meta: Some(pb::Meta {
                args: args.iter().map(|&arg| arg.to_owned()).collect(),
                ..pb::Meta::default()
            }),
            ..pb::ExecOp::default()
        })),
        ..pb::Op::default()
    };
    let script = format!("{SCRIPTS}a.sh");
    assert_eq!(misuse(&exec(&["/bin/sh", &script, &format!("$({MARK})")])), None);
    for args in
        [["/bin/sh", "-c", "true"], ["/bin/sh", &script, &format!("--x={MARK}")], ["/bin/sh", "/a.sh", ""]]
    {
        assert!(misuse(&exec(&args)).is_some(), "{args:?}");
    }
    let mkfile = |path: &str, data: &str| {
        let file = pb::FileActionMkFile {
            path: path.to_owned(),
            data: data.as_bytes().to_vec(),
            ..Default::default()
        };
        let action =
            pb::FileAction { action: Some(pb::file_action::Action::Mkfile(file)), ..Default::default() };
        misuse_of_file(&action)
    };
    assert_eq!(mkfile("/list", MARK), None);
    assert!(mkfile("/a", &format!("#!/bin/sh\n{MARK}")).is_some() && mkfile("/a/../b", "").is_some());
    let message = |text: &str| {
        let found = Diagnostic {
            severity: edgenode::diagnostic::Severity::Error,
            message: text.to_owned(),
            help: None,
            span: edgenode::spec::Span::default(),
        };
        bad_words(&[found])
    };
    assert_eq!(message("plain"), None);
    assert!(
        bad_words(&[]).is_some() && message("\u{1b}[2J").is_some() && message(&"x".repeat(5000)).is_some()
    );
}

/// Texts of YAML that are more than a value: tags, anchors, aliases, merges, other documents.
#[test]
fn yaml_itself_makes_nothing() {
    for value in [
        "!!python/object:os.system x",
        "!CANARY x",
        "&a x",
        "*a",
        "!!binary Q0FOQVJZ",
        "{<<: *a}",
        "x\n---\nname: y",
        "x\n...\n",
    ] {
        let text = format!("name: n\nbase: debian:13\nlabels: {{a: b}}\nworkdir: {value}\n");
        let found = parse(&text).expect_err(value);
        assert_eq!(bad_words(&found), None, "{value}");
    }
}
