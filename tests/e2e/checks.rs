//! What a spec's `tests:` can ask for: every kind of check, once where it holds and once where it does not.

use std::fs;

use serde_json::Value;

use crate::harness::{Build, Daemon, Fresh, Outcome, sha256};
use crate::media_node::example_text;

/// Two files to look at, and a script with its data.
const FILES: [(&str, &str); 3] = [
    ("app/config.yaml", "key: value\nother: 7\n"),
    ("checks/told.sh", "#!/bin/sh\necho \"told $1\"\ncat \"$(dirname \"$0\")/data.txt\"\n"),
    ("checks/data.txt", "data\n"),
];

/// A spec with these tests on a base and two files.
fn spec(tests: &str) -> Build {
    let build = Build::new(&format!(
        "name: checks\nbase: debian:13\nfiles:\n  - {{from: app/config.yaml, to: /etc/app/config.yaml, mode: '0640'}}\n\
         env: {{GREETING: hello}}\nworkdir: /srv\n{tests}"
    ));
    for (path, text) in FILES {
        let path = build.dir().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    build
}

/// All that holds, in the forms that the language has for it.
const HOLDS: &str = r#"
tests:
  - name: output
    run: [sh, -c, "pwd; echo $GREETING $MORE; read line; echo $line; echo bad >&2; exit 3"]
    env: {MORE: world}
    stdin: "one line\n"
    exit_code: 3
    timeout: 30s
    stdout_contains: [hello world, one line]
    stdout: {equals: "/srv\nhello world\none line", contains: world, starts: [/srv, "/"], ends: line, matches: ["^hello [a-z]+$"], empty: false}
    stderr: {equals: bad}
  - {name: silent, run: ["true"], stdout: {empty: true}}
  - {name: odd-words, run: [printf, "%s\n", "-n", "*", "$(x)", "a  b"], stdout: {equals: "-n\n*\n$(x)\na  b"}}
  - {name: script, script: checks/told.sh, arguments: [me], inputs: [checks/data.txt], stdout: {equals: "told me\ndata"}}
  - name: layout
    files:
      - /etc/os-release
      - {path: /nowhere, exists: false}
      - path: /etc/app/config.yaml
        mode: "0640"
        owner: root:0
        size: 20
        sha256: 5b3a8f4d0d2f9f0a6f2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081
        contains: "other: 7"
        matches: ["^key: v"]
      - {path: /etc/passwd, size: ">100"}
    libraries: [/usr/bin]
  - name: service
    run: [perl, -MIO::Socket::INET, -e, "my $s = IO::Socket::INET->new(LocalPort => 8123, Listen => 1) or die; sleep 60"]
    listens: 8123
    timeout: 20s
  - {name: on-a-gpu, run: [sh, -c, "exit 7"], needs: gpu}
"#;

fn holds() -> String {
    HOLDS.replace(
        "5b3a8f4d0d2f9f0a6f2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081",
        &sha256(FILES[0].1.as_bytes()),
    )
}

#[test]
fn what_holds_passes_and_is_reported() {
    let build = spec(&holds()).with("--target", "test");
    let log = build.succeed().log;
    assert!(log.contains("the test `on-a-gpu` is skipped: there is no GPU"), "{log}");
    let reports = build.files();
    let read = |name: &str| fs::read_to_string(reports.path().join(name)).expect("read");
    assert_eq!(read("output.txt"), "/srv\nhello world\none line\n");
    let json: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    assert_eq!((json["failed"].as_u64(), json["skipped"].as_u64()), (Some(0), Some(1)), "{json:#}");
    assert!(json["passed"].as_u64().is_some_and(|passed| passed > 20), "{json:#}");
    assert!(read("junit.xml").contains("<testsuite name=\"service\" tests=\"1\" failures=\"0\""));
    assert!(read("report.txt").contains("skip     0.00 s  on-a-gpu: succeeds"));
    // Nothing of it runs again, but for what asks for hardware; and nothing of it is in the image.
    let again = spec(&holds()).with("--target", "test").succeed();
    assert_eq!(again.executed(), ["[test] on-a-gpu"]);
    let filtered = spec(&holds()).with("--target", "test").with("--no-cache-filter", "test").succeed();
    assert!(filtered.executed().contains(&"[test] silent"), "{:?}", filtered.executed());
    assert_eq!(spec(&holds()).listing(), spec("").listing());
}

#[test]
fn checks_work_on_the_oldest_builder() {
    spec(&holds()).on("oldest").with("--target", "test").succeed();
}

/// One check that does not hold in each line, and what is told of it.
const FAILS: [(&str, &str); 24] = [
    ("run: ['false']", "the program ended with code 1, not 0"),
    ("run: [sh, -c, 'exit 3'], exit_code: 4", "the program ended with code 3, not 4"),
    ("run: [nonsense]", "the program ended with code 127, not 0"),
    ("run: [sleep, '60'], timeout: 1s", "the program was ended after 1 s"),
    ("run: [echo, a], stdout: {equals: b}", "stdout is not: b; it is: a"),
    ("run: [echo, a], stdout: {contains: b}", "stdout does not contain: b; it is: a"),
    ("run: [echo, a], stdout: {starts: b}", "stdout does not start with: b"),
    ("run: [echo, a], stdout: {ends: b}", "stdout does not end with: b"),
    ("run: [echo, a], stdout: {matches: '^b'}", "no line of stdout matches: ^b"),
    ("run: [echo, a], stdout: {matches: '('}", "this is not an extended regular expression: ("),
    ("run: [echo, a], stdout: {empty: true}", "stdout is not empty; it is: a"),
    ("run: ['true'], stderr: {empty: false}", "stderr is empty"),
    ("files: [/nowhere]", "/nowhere does not exist"),
    ("files: [{path: /etc, exists: false}]", "/etc exists"),
    ("files: [{path: /etc/passwd, mode: '0600'}]", "/etc/passwd has the mode 644, not 600"),
    ("files: [{path: /etc/passwd, owner: nobody}]", "/etc/passwd belongs to root:root (0:0), not to nobody"),
    ("files: [{path: /etc/passwd, owner: 'root:5'}]", "belongs to root:root (0:0), not to root:5"),
    ("files: [{path: /etc/passwd, size: <2}]", "bytes, not <2"),
    ("files: [{path: /etc/passwd, sha256: DIGEST}]", "has the SHA-256 "),
    ("files: [{path: /etc/passwd, contains: nonsense}]", "/etc/passwd does not contain: nonsense"),
    ("libraries: [/srv]", "there is no ELF file below /srv"),
    ("imports: [os]", "there is no python3 on the PATH"),
    ("encoders: [libx264]", "there is no ffmpeg on the PATH"),
    ("run: [sleep, '60'], listens: 8123, timeout: 1s", "nothing listened on port 8123 within 1 s"),
];

fn fails() -> String {
    let line = |(number, (check, _)): (usize, &(&str, &str))| {
        format!("  - {{name: t{number}, {}}}\n", check.replace("DIGEST", &"0".repeat(64)))
    };
    format!("tests:\n{}", FAILS.iter().enumerate().map(line).collect::<String>())
}

#[test]
fn what_does_not_hold_is_told_at_its_line_all_at_once() {
    let Outcome { log, .. } = spec(&fails()).with("--target", "test").fail(&["24 problems in node.yaml"]);
    for (number, (check, told)) in FAILS.iter().enumerate() {
        // The tests begin in line 8 of the file.
        let place = format!("node.yaml:{}:", number + 9);
        let message = format!("the test `t{number}` fails: ");
        let line =
            log.lines().find(|line| line.contains(&message)).unwrap_or_else(|| panic!("{check}:\n{log}"));
        assert!(line.trim_start().starts_with(&place), "{check}: {line}");
        assert!(line.contains(told), "{check}: {told:?} is not in {line:?}");
    }
    // The same, as reports.
    let reports = spec(&fails()).with("--target", "report").files();
    let json = fs::read_to_string(reports.path().join("report.json")).expect("read");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["failed"], 24);
    let junit = fs::read_to_string(reports.path().join("junit.xml")).expect("read");
    assert_eq!(junit.matches("<failure ").count(), 24);
}

#[test]
fn checks_of_python_and_of_libraries() {
    let python = "name: checks\nbase: debian:13\npython: {version: 3.13.5}\n";
    let holds = "tests:\n  - {name: t, imports: [ssl, json.decoder], versions: {pip: '25'}, libraries: [/opt/python]}\n";
    Build::new(&format!("{python}{holds}")).with("--target", "test").succeed();
    // A library that is away, as far as the loader can see.
    let fails = "commands: [{name: lose, run: [rm, -r, /opt/python/lib/libpython3.13.so.1.0]}]\n\
                 tests:\n  - {name: lost, libraries: [/opt/python/bin]}\n";
    Build::new(&format!("{python}{fails}"))
        .with("--target", "test")
        .fail(&["the test `lost` fails: /opt/python/bin/python3.13 lacks libpython3.13.so.1.0"]);
    let fails = "tests:\n  - {name: t, imports: [nonsense], versions: {pip: '1.2', nonsense: '1'}}\n";
    Build::new(&format!("{python}{fails}")).with("--target", "test").fail(&[
        "3 problems",
        "No module named 'nonsense'",
        ", not 1.2",
        "No package metadata was found for nonsense",
    ]);
}

#[test]
fn an_image_whose_tests_are_required_is_there_only_if_they_pass() {
    let required = |code: &str| {
        format!("require_tests: true\ntests:\n  - {{name: decides, run: [sh, -c, 'exit {code}']}}\n")
    };
    let failed = spec(&required("5"))
        .fail(&["the test `decides` fails: the program ended with code 5", ">>>   - {name"]);
    assert!(failed.log.contains("node.yaml:10:"), "{}", failed.log);
    // Of a step that another test runs at this moment BuildKit does not tell whether it was cached.
    let fresh = Fresh::start();
    let builder = fresh.builder.as_str();
    let image = spec(&required("0")).on(builder).push("checks/required");
    assert!(image.ends_with("checks/required"));
    assert_eq!(spec(&required("0")).on(builder).succeed().executed(), [""; 0], "tests run once");
    // Not required: the image is there, and the tests were not run.
    let built = spec("tests:\n  - {name: decides, run: ['false']}\n").succeed();
    assert!(!built.log.contains("[test]"), "{}", built.log);
}

#[test]
fn a_program_with_all_of_roots_powers_must_be_allowed() {
    spec("tests:\n  - {name: mighty, run: ['true'], needs: privileged}\n").with("--target", "test").fail(&[
        "security.insecure is not allowed",
        "the test `mighty`",
        "`--allow security.insecure`",
    ]);
}

/// The suites that the example can run: two runtimes, all codecs, two programs.
#[test]
fn the_suites_test_what_the_spec_has() {
    let example = example_text();
    let build =
        || Build::raw(format!("{example}suites: [cpu, media, node]\n").as_bytes()).with("--target", "test");
    let reports = build().files();
    let read = |name: &str| {
        fs::read_to_string(reports.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let network = read("cpu-network.txt");
    assert!(network.contains("agree within rtol 0.001, atol 0.0001: numpy, onnxruntime"), "{network}");
    for codec in ["libaom-av1", "libsvtav1", "libvpx", "libvpx-vp9", "libx264", "libx265", "libdav1d"] {
        let told = read(&format!("media-{codec}.txt"));
        assert!(told.contains("10 pictures, PSNR"), "{told}");
    }
    for codec in ["libmp3lame", "libopus"] {
        assert!(read(&format!("media-{codec}.txt")).ends_with(" s\n"), "{codec}");
    }
    assert_eq!(read("node-python.txt"), "Python 3.13.5\n");
    assert!(read("node-ffmpeg.txt").starts_with("ffmpeg version 7.1.5"));
}

#[test]
fn a_test_reads_a_secret_and_leaves_nothing_of_it() {
    let secret = tempfile::tempdir().expect("a directory");
    let file = secret.path().join("token");
    fs::write(&file, "MARK-OF-A-TEST").expect("written");
    let tests = "tests:\n  - {name: reads, run: [sh, -c, 'wc -c < /run/secrets/token'], secrets: [token], stdout: {equals: '14'}}\n";
    let given = format!("id=token,src={}", file.display());
    let reports = spec(tests).with("--target", "test").with("--secret", &given).files();
    for report in fs::read_dir(reports.path()).expect("read") {
        let text = fs::read_to_string(report.expect("read").path()).expect("a text");
        assert!(!text.contains("MARK-OF-A-TEST"), "{text}");
    }
    // One that ran is not run again for want of its secret.
    let others = tests.replace("token", "other");
    spec(&others).with("--target", "test").fail(&["secret other: not found", ">>>   - {name: reads"]);
    let outline = spec(tests).with("--call", "outline,format=json").run();
    assert!(outline.stdout.contains("\"token\""), "{outline:?}");
}

/// A device that changes nothing but the environment, as a vendor would describe it to the builder.
#[test]
fn a_step_gets_the_devices_that_it_names() {
    let daemon = Daemon::start();
    let card = serde_json::json!({"cdiVersion": "0.6.0", "kind": "vendor.com/card", "devices": [
        {"name": "0", "containerEdits": {"env": ["CARD=number zero"]}}]});
    fs::write(daemon.devices().join("card.json"), card.to_string()).expect("written");
    let builder = Fresh::with(daemon);
    let build = |device: &str| {
        let text = format!(
            "commands:\n  - {{name: notes, run: [sh, -c, 'echo $CARD >/card'], devices: [{device}]}}\n\
             tests:\n  - {{name: same, run: [sh, -c, 'echo $CARD; cat /card'], devices: [{device}], \
             stdout: {{equals: \"number zero\\nnumber zero\"}}}}\n"
        );
        spec(&text)
    };
    let allowed = build("vendor.com/card=0").with("--allow", "device=vendor.com/card=0");
    allowed.on(&builder.builder).with("--target", "test").succeed();
    let refused = ["add `--allow device=vendor.com/card=0`", ">>>   - {name: notes"];
    build("vendor.com/card=0").on(&builder.builder).fail(&refused);
    build("vendor.com/card=0").on(&builder.builder).with("--target", "image").fail(&refused);
    let other = build("vendor.com/card=1").on(&builder.builder).with("--allow", "device");
    other.fail(&["vendor.com/card=1", ">>>   - {name: notes"]);
    build("vendor.com/card=0").on("oldest").fail(&[
        "[command] notes needs the device `vendor.com/card=0`, and this builder gives steps none",
        ">>>   - {name: notes",
    ]);
}

/// A Docker Engine in a step of a build, which runs a container of its own.
#[test]
fn the_suite_of_the_engine_inside_runs_a_container() {
    let builder = Fresh::start();
    let build =
        Build::new("name: n\nbase: debian:13\ndocker: distribution\nsuites: [dind]\n").on(&builder.builder);
    let reports = build.with("--target", "test").with("--allow", "security.insecure").files();
    let told = fs::read_to_string(reports.path().join("dind-runs-a-container.txt")).expect("read");
    let lines: Vec<_> = told.lines().collect();
    assert!(matches!(lines[..], [version, driver] if version.contains('.') && !driver.is_empty()), "{told}");
}

/// The scripts of the suites in an image that does not do what they ask for.
#[test]
fn a_suite_fails_where_the_image_does_not_do_what_the_spec_says() {
    let server = crate::harness::Server::start();
    let (url, sha256) = server.put("/ffmpeg-7.1.5.tar.gz", crate::harness::small_ffmpeg("no codecs"));
    let spec = format!(
        "name: checks\nbase: debian:13\n\
         ffmpeg: {{version: 7.1.5, url: '{url}', sha256: {sha256}, libraries: {{opus: distribution}}}}\n\
         suites: [media, node]\n"
    );
    Build::new(&spec).with("--target", "test").fail(&[
        "4 problems",
        "the test `media-libopus` fails",
        "the test `node-ffmpeg` fails: stdout does not contain: 7.1.5",
        "the test `node-ffprobe` fails: the program ended with code 127",
    ]);
}

#[test]
fn a_suite_with_nothing_to_test_is_told() {
    let log = Build::new("name: n\nbase: debian:13\nsuites: [media]\n").succeed().log;
    assert!(log.contains("the suite `media` has nothing to test in this spec (line 4)"), "{log}");
    Build::new("name: n\nbase: debian:13\nsuites: [medai]\n")
        .fail(&["node.yaml:4:10:", "did you mean `media`?"]);
}

#[test]
fn a_program_that_ignores_signals_is_ended_and_a_link_to_a_directory_is_followed() {
    let begin = std::time::Instant::now();
    let listens = "$SIG{TERM} = 'IGNORE'; my $s = IO::Socket::INET->new(LocalPort => 8123, Listen => 1) or die; sleep 120";
    let build = spec(&format!(
        "commands: [{{name: link, run: [ln, -s, /usr/bin, /srv/link]}}]\n\
         tests:\n  - {{name: stubborn, run: [perl, -MIO::Socket::INET, -e, \"{listens}\"], listens: 8123, timeout: 20s}}\n  \
         - {{name: deaf, run: [perl, -e, \"$SIG{{TERM}} = 'IGNORE'; sleep 120\"], listens: 8124, timeout: 1s}}\n  \
         - {{name: linked, libraries: [/srv/link]}}\n"
    ));
    let told = "the test `deaf` fails: nothing listened on port 8124 within 1 s";
    let log = build.with("--target", "test").fail(&[told]).log;
    assert!(!log.contains("problems in node.yaml"), "one alone fails:\n{log}");
    assert!(begin.elapsed().as_secs() < 100, "it took {:?}", begin.elapsed());
}
