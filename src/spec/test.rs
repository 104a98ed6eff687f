//! `tests:` what must hold in the finished image.

use super::command::devices;
use super::node::shorten;
use super::{
    At, ContextPath, DeviceName, Duration, EnvName, Fields, FileMode, ImagePath, Name, Node, Secret, Sha256,
    Value, boolean, checked, checked_version, entries, items, list, text,
};
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// Seconds that a program of a test may take, unless the spec says otherwise.
const USUAL_LIMIT: u64 = 300;
/// The names of reports that are no program's output.
const RESERVED: [&str; 2] = ["junit", "report"];

/// Things that must hold in the finished image: what a program does, and what files are there.
#[derive(Debug)]
pub struct Test {
    /// Its name in progress, reports and errors.
    pub name: At<Name>,
    /// The program, for those that run one.
    pub program: Option<Program>,
    /// What must hold; each with the place in the spec that asks for it.
    pub checks: Vec<At<Check>>,
}

/// A program that runs in the finished image.
#[derive(Clone, Debug)]
pub struct Program {
    /// Program and arguments; no shell reads them.
    pub run: Vec<At<String>>,
    /// What of the build context it can read, below `/run/edgenode/inputs`.
    pub inputs: Vec<ContextPath>,
    /// Variables beside those of the image.
    pub env: Vec<(EnvName, String)>,
    /// What it reads from its standard input.
    pub stdin: String,
    /// The time that it may take, in seconds.
    pub limit: u64,
    /// The port that it must listen on, if it is a service.
    pub port: Option<u16>,
    /// What it needs of the builder.
    pub needs: Vec<Need>,
    /// What it can read below `/run/secrets`.
    pub secrets: Vec<Secret>,
    /// What it gets of the builder's devices.
    pub devices: Vec<At<DeviceName>>,
}

/// What a program needs that not every builder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A GPU, by way of CDI. Without one the test is skipped.
    Gpu,
    /// All of root's powers, which the client must allow.
    Privileged,
}

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The program ends in time with this code.
    Exit(u8),
    /// The program listens on its port.
    Listens,
    /// What the program writes to a stream.
    Output(Stream, Text),
    /// What a file of the image is like.
    File(ImagePath, FileCheck),
    /// All ELF files below a directory find their libraries.
    Libraries(ImagePath),
    /// The image's Python imports a module.
    Import(String),
    /// The image's Python has a release of a package, or of a series of it.
    Package(String, String),
    /// The image's FFmpeg has an encoder.
    Encoder(String),
    /// The image's FFmpeg has a decoder.
    Decoder(String),
}

/// Where a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a text is like. Newlines at its end do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Is this.
    Equals(String),
    /// Has this in it.
    Contains(String),
    /// Has a line that an extended regular expression fits.
    Matches(String),
    /// Begins with this.
    Starts(String),
    /// Ends with this.
    Ends(String),
    /// Is empty, or is not.
    Empty(bool),
}

/// What a file is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileCheck {
    /// Is there, or is not.
    Exists(bool),
    /// Its permission bits.
    Mode(FileMode),
    /// Its user, or user and group, by names or numbers.
    Owner(String),
    /// Its bytes: a number, or a bound such as `<1000`.
    Size(String),
    /// The digest of its bytes.
    Sha256(Sha256),
    /// What is in it.
    Content(Text),
}

impl Test {
    /// Reads one entry of `tests:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a test", node, problems)?;
        let name = fields.require("name", "ffmpeg-starts", problems);
        let name = name.and_then(|node| checked("a test's name", node, problems, Name::parse));
        let mut checks = Vec::new();
        let program = Program::decode(&mut fields, &mut checks, problems);
        decode_outputs(&mut fields, program.is_some(), &mut checks, problems);
        if let Some(node) = fields.take("files") {
            let files = items("`files`", node, problems, decode_file);
            checks.extend(files.into_iter().flatten());
        }
        list_of(
            "libraries",
            "a directory of the image",
            ImagePath::parse,
            Check::Libraries,
            &mut fields,
            &mut checks,
            problems,
        );
        list_of("imports", "a Python module", module, Check::Import, &mut fields, &mut checks, problems);
        list_of("encoders", "an encoder", word, Check::Encoder, &mut fields, &mut checks, problems);
        list_of("decoders", "a decoder", word, Check::Decoder, &mut fields, &mut checks, problems);
        if let Some(node) = fields.take("versions") {
            checks.extend(entries("`versions`", node, problems, |package, node, problems| {
                let version = checked_version(node, problems, word)?;
                if let Err(help) = word(&package.value) {
                    let message = format!("`{}` is not a Python package", package.value.escape_debug());
                    problems.error_with_help(package.span, message, help);
                    return None;
                }
                let span = package.span.to(version.span);
                Some(At::new(Check::Package(package.value.clone(), version.value), span))
            }));
        }
        fields.finish(problems);
        if checks.is_empty() && program.is_none() {
            problems.error_with_help(
                node.span.first(),
                "the test says nothing that must hold",
                "add `run:` with a program, `files:`, `libraries:`, `imports:`, `versions:`, `encoders:` or `decoders:`",
            );
        }
        let name = name?;
        if RESERVED.contains(&name.value.as_str()) {
            problems.error_with_help(
                name.span,
                format!("no test can be called `{name}`: a report has that name"),
                "take another name",
            );
        }
        Some(Self { name, program, checks })
    }
}

impl Program {
    fn decode(fields: &mut Fields<'_>, checks: &mut Vec<At<Check>>, problems: &mut Problems) -> Option<Self> {
        let (run, script) = (fields.take("run"), fields.take("script"));
        let span = run.or(script).map(|node| node.span);
        let mut inputs = list_of_paths(fields, problems);
        let run = match (run, script) {
            (Some(run), None) => {
                if matches!(&run.value, Value::List(words) if words.is_empty()) {
                    let help = "for example `run: [ffmpeg, -version]`";
                    problems.error_with_help(run.span, "a test runs a command", help);
                }
                arguments("`run`", run, problems)
            }
            (None, Some(script)) => {
                let path = checked("a path in the build context", script, problems, ContextPath::parse);
                path.map(|path| script_command(path, &mut inputs)).unwrap_or_default()
            }
            (Some(_), Some(script)) => {
                problems.error_with_help(script.span, "a test runs one program", "write `run` or `script`");
                Vec::new()
            }
            (None, None) => Vec::new(),
        };
        let mut run = run;
        if let Some(node) = fields.take("arguments") {
            run.extend(arguments("`arguments`", node, problems));
        }
        let env = match fields.take("env") {
            Some(node) => entries("`env`", node, problems, variable),
            None => Vec::new(),
        };
        let stdin = fields.take("stdin").and_then(|node| text("`stdin`", node, problems));
        let limit = fields.take("timeout");
        let limit = limit.and_then(|node| checked("a time", node, problems, Duration::parse));
        let port = fields.take("listens").and_then(|node| checked("a port", node, problems, port));
        let needs = fields.take("needs").map(|node| decode_needs(node, problems)).unwrap_or_default();
        let secrets = fields.take("secrets").map(|node| items("`secrets`", node, problems, Secret::decode));
        let secrets = secrets.unwrap_or_default();
        let devices = fields.take("devices").map(|node| devices(node, problems)).unwrap_or_default();
        let exit = fields.take("exit_code").and_then(|node| {
            checked("an exit code", node, problems, |text| {
                text.parse::<u8>().map_err(|_| "write a number from 0 to 255".to_owned())
            })
        });
        let span = match span {
            Some(span) => span,
            None => {
                let of_programs = [
                    (env.is_empty(), "env"),
                    (stdin.is_none(), "stdin"),
                    (limit.is_none(), "timeout"),
                    (port.is_none(), "listens"),
                    (needs.is_empty(), "needs"),
                    (secrets.is_empty(), "secrets"),
                    (devices.is_empty(), "devices"),
                    (exit.is_none(), "exit_code"),
                    (run.is_empty(), "arguments"),
                    (inputs.is_empty(), "inputs"),
                ];
                let lonely: Vec<_> =
                    of_programs.iter().filter(|(absent, _)| !absent).map(|(_, key)| *key).collect();
                if !lonely.is_empty() {
                    let message = format!("{} of a test without a program", list(&lonely));
                    problems.error_with_help(
                        fields.span().first(),
                        message,
                        "add `run:`, for example `[ffmpeg, -version]`",
                    );
                }
                return None;
            }
        };
        match (exit, &port) {
            (Some(exit), _) => checks.push(At::new(Check::Exit(exit.value), exit.span)),
            // A service that listens is ended by the test.
            (None, Some(_)) => {}
            (None, None) => checks.push(At::new(Check::Exit(0), span)),
        }
        checks.extend(port.as_ref().map(|port| At::new(Check::Listens, port.span)));
        Some(Self {
            run,
            inputs,
            env,
            stdin: stdin.map(|stdin| stdin.value).unwrap_or_default(),
            limit: limit.map_or(USUAL_LIMIT, |limit| limit.value.nanoseconds().div_ceil(1_000_000_000)),
            port: port.map(|port| port.value),
            needs,
            secrets,
            devices,
        })
    }

    /// A program with nothing but its words.
    pub fn new(run: Vec<At<String>>) -> Self {
        Self {
            run,
            inputs: Vec::new(),
            env: Vec::new(),
            stdin: String::new(),
            limit: USUAL_LIMIT,
            port: None,
            needs: Vec::new(),
            secrets: Vec::new(),
            devices: Vec::new(),
        }
    }
}

/// Python scripts run with the image's Python, all others with its shell.
fn script_command(path: At<ContextPath>, inputs: &mut Vec<ContextPath>) -> Vec<At<String>> {
    let program = if path.value.as_str().ends_with(".py") { "python3" } else { "/bin/sh" };
    let words = [program.to_owned(), format!("/run/edgenode/inputs/{path}")];
    if !inputs.contains(&path.value) {
        inputs.push(path.value.clone());
    }
    words.map(|word| At::new(word, path.span)).to_vec()
}

fn list_of_paths(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<ContextPath> {
    let Some(node) = fields.take("inputs") else { return Vec::new() };
    let read = |node: &Node, problems: &mut Problems| {
        checked("a path in the build context", node, problems, ContextPath::parse)
    };
    items("`inputs`", node, problems, read).into_iter().map(|path| path.value).collect()
}

fn arguments(what: &str, node: &Node, problems: &mut Problems) -> Vec<At<String>> {
    items(what, node, problems, |node, problems| value("an argument", node, problems))
}

fn variable(key: &At<String>, node: &Node, problems: &mut Problems) -> Option<(EnvName, String)> {
    let name = EnvName::parse(&key.value).map_err(|help| {
        let message = format!("`{}` is not the name of a variable", key.value.escape_debug());
        problems.error_with_help(key.span, message, help);
    });
    Some((name.ok()?, value("the value of a variable", node, problems)?.value))
}

/// Text without NUL, which no process can be given.
fn value(what: &str, node: &Node, problems: &mut Problems) -> Option<At<String>> {
    let value = text(what, node, problems)?;
    if value.value.contains('\0') {
        problems.error(node.span, format!("{what} must not contain NUL"));
        return None;
    }
    Some(value)
}

fn decode_needs(node: &Node, problems: &mut Problems) -> Vec<Need> {
    const ALL: [(&str, Need); 2] = [("gpu", Need::Gpu), ("privileged", Need::Privileged)];
    let read = |node: &Node, problems: &mut Problems| {
        let word = text("a need", node, problems)?;
        if let Some((_, need)) = ALL.iter().find(|(name, _)| *name == word.value) {
            return Some(*need);
        }
        let help = match nearest(&word.value, ALL.map(|(name, _)| name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `gpu` or `privileged`".to_owned(),
        };
        let message = format!("`{}` is nothing that a builder has", word.value.escape_debug());
        problems.error_with_help(word.span, message, help);
        None
    };
    match &node.value {
        Value::List(_) => items("`needs`", node, problems, read),
        _ => read(node, problems).into_iter().collect(),
    }
}

/// `stdout` and `stderr`, and the short form of the most common of their checks.
fn decode_outputs(
    fields: &mut Fields<'_>,
    has_program: bool,
    checks: &mut Vec<At<Check>>,
    problems: &mut Problems,
) {
    let mut found = Vec::new();
    if let Some(node) = fields.take("stdout_contains") {
        let texts = items("`stdout_contains`", node, problems, |n, p| value("an expected text", n, p));
        found.extend(
            texts
                .into_iter()
                .map(|text| At::new(Check::Output(Stream::Stdout, Text::Contains(text.value)), text.span)),
        );
    }
    for (key, stream) in [("stdout", Stream::Stdout), ("stderr", Stream::Stderr)] {
        let Some(node) = fields.take(key) else { continue };
        let Some(mut fields) = Fields::open("an output", node, problems) else { continue };
        let texts = decode_texts(&mut fields, problems);
        fields.finish(problems);
        found.extend(texts.into_iter().map(|text| At::new(Check::Output(stream, text.value), text.span)));
    }
    match found.first() {
        Some(first) if !has_program => {
            let help = "add `run:`, for example `[ffmpeg, -version]`";
            problems.error_with_help(first.span, "a test without a program has no output", help);
        }
        _ => checks.extend(found),
    }
}

/// What a text is like, by the fields of a mapping. Each takes one text or a list of them.
fn decode_texts(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<At<Text>> {
    type Kind = fn(String) -> Text;
    const KINDS: [(&str, Kind); 5] = [
        ("equals", Text::Equals),
        ("contains", Text::Contains),
        ("matches", Text::Matches),
        ("starts", Text::Starts),
        ("ends", Text::Ends),
    ];
    let mut texts = Vec::new();
    for (key, kind) in KINDS {
        let Some(node) = fields.take(key) else { continue };
        let mut read = |node: &Node| {
            texts.extend(
                value("an expected text", node, problems).map(|text| At::new(kind(text.value), text.span)),
            )
        };
        match &node.value {
            Value::List(items) => items.iter().for_each(&mut read),
            _ => read(node),
        }
    }
    if let Some(empty) = fields.take("empty").and_then(|node| boolean("`empty`", node, problems)) {
        texts.push(At::new(Text::Empty(empty.value), empty.span));
    }
    texts
}

/// One entry of `files`: a path alone, or a mapping with `path`.
fn decode_file(node: &Node, problems: &mut Problems) -> Option<Vec<At<Check>>> {
    if let Value::Scalar(_) = node.value {
        let path = checked("a path in the image", node, problems, ImagePath::parse)?;
        return Some(vec![At::new(Check::File(path.value, FileCheck::Exists(true)), path.span)]);
    }
    let mut fields = Fields::open("an entry of `files`", node, problems)?;
    let path = fields.require("path", "/etc/app.yaml", problems);
    let path = path.and_then(|node| checked("a path in the image", node, problems, ImagePath::parse));
    let mut found: Vec<At<FileCheck>> = Vec::new();
    let exists = fields.take("exists").and_then(|node| boolean("`exists`", node, problems));
    found.extend(exists.map(|exists| At::new(FileCheck::Exists(exists.value), exists.span)));
    let mode = fields.take("mode").and_then(|node| checked("a file mode", node, problems, FileMode::parse));
    found.extend(mode.map(|mode| At::new(FileCheck::Mode(mode.value), mode.span)));
    let owner = fields.take("owner").and_then(|node| checked("an owner", node, problems, owner));
    found.extend(owner.map(|owner| At::new(FileCheck::Owner(owner.value), owner.span)));
    let size = fields.take("size").and_then(|node| checked("a size", node, problems, size));
    found.extend(size.map(|size| At::new(FileCheck::Size(size.value), size.span)));
    let digest = fields.take("sha256").and_then(|node| checked("a SHA-256", node, problems, Sha256::parse));
    found.extend(digest.map(|digest| At::new(FileCheck::Sha256(digest.value), digest.span)));
    let texts = decode_texts(&mut fields, problems);
    found.extend(texts.into_iter().map(|text| At::new(FileCheck::Content(text.value), text.span)));
    fields.finish(problems);
    let path = path?;
    if found.is_empty() {
        found.push(At::new(FileCheck::Exists(true), path.span));
    }
    let file = |check: At<FileCheck>| At::new(Check::File(path.value.clone(), check.value), check.span);
    Some(found.into_iter().map(file).collect())
}

fn list_of<T>(
    key: &'static str,
    what: &str,
    parse: fn(&str) -> Result<T, String>,
    check: fn(T) -> Check,
    fields: &mut Fields<'_>,
    checks: &mut Vec<At<Check>>,
    problems: &mut Problems,
) {
    let Some(node) = fields.take(key) else { return };
    let read = |node: &Node, problems: &mut Problems| checked(what, node, problems, parse);
    let found = items(&format!("`{key}`"), node, problems, read);
    checks.extend(found.into_iter().map(|item| At::new(check(item.value), item.span)));
}

/// Names of packages, versions, encoders: no blanks, not like an option.
pub(super) fn word(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        Ok(text.to_owned())
    } else {
        Err("it has letters, digits, `.`, `_`, `+` and `-`".to_owned())
    }
}

pub(super) fn module(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if text.split('.').all(part) {
        Ok(text.to_owned())
    } else {
        Err("write a module such as `numpy.linalg`".to_owned())
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err("write a TCP port such as `8080`".to_owned()),
    }
}

pub(super) fn owner(text: &str) -> Result<String, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, "root"));
    match (word(user), word(group)) {
        (Ok(_), Ok(_)) => Ok(text.to_owned()),
        _ => Err("write a user, or user and group, such as `root:root` or `1000:1000`".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix(['<', '>']).unwrap_or(text);
    if (1..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("write a number of bytes such as `12`, or a bound such as `<1000` or `>0`".to_owned())
    }
}

impl Check {
    /// The check in one line, for progress and reports.
    pub fn describe(&self) -> String {
        match self {
            Self::Exit(0) => "succeeds".to_owned(),
            Self::Exit(code) => format!("ends with code {code}"),
            Self::Listens => "listens".to_owned(),
            Self::Output(stream, text) => format!("{} {}", stream.word(), text.describe()),
            Self::File(path, check) => format!("{path} {}", check.describe()),
            Self::Libraries(path) => format!("{path} has all libraries"),
            Self::Import(module) => format!("imports {module}"),
            Self::Package(package, version) => format!("has {package} {version}"),
            Self::Encoder(name) => format!("encodes with {name}"),
            Self::Decoder(name) => format!("decodes with {name}"),
        }
    }
}

impl Stream {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl Text {
    /// The kind of the check and what it looks for, as the script of tests takes them.
    pub fn words(&self) -> [String; 2] {
        let (kind, text) = match self {
            Self::Equals(text) => ("equals", text.as_str()),
            Self::Contains(text) => ("contains", text.as_str()),
            Self::Matches(text) => ("matches", text.as_str()),
            Self::Starts(text) => ("starts", text.as_str()),
            Self::Ends(text) => ("ends", text.as_str()),
            Self::Empty(empty) => ("empty", if *empty { "true" } else { "false" }),
        };
        [kind.to_owned(), text.to_owned()]
    }

    fn describe(&self) -> String {
        match self {
            Self::Empty(true) => "is empty".to_owned(),
            Self::Empty(false) => "is not empty".to_owned(),
            other => {
                let [kind, text] = other.words();
                format!("{kind} `{}`", shorten(&text).escape_debug())
            }
        }
    }
}

impl FileCheck {
    fn describe(&self) -> String {
        match self {
            Self::Exists(true) => "exists".to_owned(),
            Self::Exists(false) => "does not exist".to_owned(),
            Self::Mode(mode) => format!("has mode {:o}", mode.bits()),
            Self::Owner(owner) => format!("belongs to {owner}"),
            Self::Size(size) => format!("has {size} bytes"),
            Self::Sha256(_) => "has the digest".to_owned(),
            Self::Content(text) => text.describe(),
        }
    }
}

/// Reports are named after their tests, so no two tests share a name.
pub(super) fn refuse_equal_names(tests: &[Test], problems: &mut Problems) {
    for (i, test) in tests.iter().enumerate() {
        if let Some(first) = tests[..i].iter().find(|t| t.name == test.name) {
            let message = format!("the test `{}` is here for the second time", test.name);
            problems.error_with_help(
                test.name.span,
                message,
                format!("the first is at {}", first.name.span.place()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn decoded(test: &str) -> Result<Vec<String>, String> {
        let text = format!("name: n\nbase: debian:13\ntests:\n  - {test}\n");
        match parse(&text) {
            Ok(spec) => {
                let checks = spec.tests[0].checks.iter();
                Ok(checks.map(|check| format!("{} {}", check.span, check.value.describe())).collect())
            }
            Err(found) => Err(found.iter().map(|found| found.line()).collect::<Vec<_>>().join("\n")),
        }
    }

    #[test]
    fn every_check_has_its_place() {
        let test = "{name: t, run: [a], stdout_contains: [x, y], stderr: {empty: true, matches: '^$'}, \
                    files: [/a, {path: /b, mode: 600, size: '>0'}], imports: [os.path], versions: {pip: 25}}";
        let expected = [
            "4:20 succeeds",
            "4:43 stdout contains `x`",
            "4:46 stdout contains `y`",
            "4:81 stderr matches `^$`",
            "4:66 stderr is empty",
            "4:96 /a exists",
            "4:117 /b has mode 600",
            "4:128 /b has >0 bytes",
            "4:146 imports os.path",
            "4:167 has pip 25",
        ];
        assert_eq!(decoded(test).expect("valid"), expected);
    }

    #[test]
    fn a_service_that_listens_need_not_end() {
        assert_eq!(decoded("{name: t, run: [a], listens: 80}").expect("valid"), ["4:34 listens"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (test, expected) in [
            ("{name: t}", "4:5: the test says nothing that must hold; add `run:`"),
            ("{name: t, run: []}", "a test runs a command; for example"),
            ("{name: t, run: [a], script: b}", "a test runs one program"),
            ("{name: report, run: [a]}", "no test can be called `report`"),
            ("{name: t, files: [/a], timeout: 3s}", "`timeout` of a test without a program"),
            ("{name: t, stdout: {empty: true}}", "a test without a program has no output"),
            ("{name: t, run: [a], devices: [gpu]}", "write vendor, class and name"),
            ("{name: t, files: [/a], secrets: [s]}", "`secrets` of a test without a program"),
            ("{name: t, run: [a], needs: gpus}", "did you mean `gpu`?"),
            ("{name: t, run: [a], exit_code: 256}", "write a number from 0 to 255"),
            ("{name: t, run: [a], stdout: {equal: x}}", "did you mean `equals`?"),
            ("{name: t, files: [{path: /a, size: 1k}]}", "write a number of bytes"),
            ("{name: t, files: [{path: /a, owner: 'a b'}]}", "write a user, or user and group"),
            ("{name: t, imports: [a-b]}", "write a module such as"),
            ("{name: t, encoders: ['-x']}", "is not an encoder"),
            ("{name: t, run: [a], listens: 0}", "write a TCP port"),
        ] {
            let found = decoded(test).expect_err(test);
            assert!(found.contains(expected), "{test}: {expected:?} is not in {found:?}");
        }
    }
}
