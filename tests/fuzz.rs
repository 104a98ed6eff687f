//! Hostile bytes of every kind: the seeds of `fuzz/`, what once was a crash, and mutations of both, the same ones in every
//! run. `make fuzz` looks for new ways with libFuzzer, and `EDGENODE_FUZZ_INPUTS` makes more mutations here.

#![expect(clippy::expect_used, reason = "helpers of tests")]

#[path = "support/generate.rs"]
mod generate;
#[path = "support/targets.rs"]
mod targets;
#[path = "support/whole_way.rs"]
mod whole_way;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edgenode::spec::schema::{SPEC, Shape};
use targets::{TARGETS, Target, structured_is_built};

/// Mutations of each kind of input.
const INPUTS: usize = 1000;
/// No input is that long, and none takes that long.
const MAX_BYTES: usize = 1 << 14;
const PATIENCE: Duration = Duration::from_secs(20);

fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

fn files(directory: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("read")).collect()
}

/// The seeds of a kind of input; the specs of the project are seeds, too.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut seeds = files(&fuzz(&format!("seeds/{name}")));
    if matches!(name, "spec" | "extends") {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for directory in ["specs", "specs/archive", "specs/experimental", "examples/media-node"] {
            seeds.extend(
                files(&root.join(directory)).into_iter().filter(|text| text.starts_with(b"# syntax=")),
            );
        }
    }
    assert!(!seeds.is_empty(), "there are no seeds of {name}");
    seeds
}

/// `\x0a`, `\"` and `\\` as the bytes they stand for.
fn unescaped(word: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), word.as_bytes());
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low].map(char::from).iter().collect::<String>();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
                behind
            }
            (b'\\', [escaped, behind @ ..]) => {
                bytes.push(*escaped);
                behind
            }
            _ => {
                bytes.push(*first);
                behind
            }
        };
    }
    bytes
}

/// The words of the dictionary, in libFuzzer's form.
fn words() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(fuzz("words.dict")).expect("read");
    let words = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    words.map(unescaped).collect()
}

/// Numbers that look random and are the same in every run. Source: Marsaglia, “Xorshift RNGs”.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// A range of a text.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(1 + (length - start).min(64)))
    }
}

fn mutated(seeds: &[Vec<u8>], words: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut data = numbers.one(seeds).clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.range(data.len());
        match numbers.below(6) {
            0 if !data.is_empty() => {
                let place = numbers.below(data.len());
                data[place] = numbers.below(256) as u8;
            }
            1 => drop(data.drain(at)),
            2 => drop(data.splice(at.start..at.start, numbers.one(words).clone())),
            3 => drop(data.splice(at, numbers.one(words).clone())),
            4 => {
                let again = data[at.clone()].repeat(1 + numbers.below(20));
                drop(data.splice(at.start..at.start, again));
            }
            _ => {
                let other = numbers.one(seeds);
                let part = other[numbers.range(other.len())].to_vec();
                drop(data.splice(at, part));
            }
        }
    }
    data.truncate(MAX_BYTES);
    data
}

fn inputs() -> usize {
    std::env::var("EDGENODE_FUZZ_INPUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(INPUTS)
}

/// Gives an input to a target. A crash is told with what caused it, which goes into `fuzz/crashes`.
fn give((name, target): Target, data: &[u8]) {
    let started = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| target(data)));
    assert!(
        ended.is_ok() && started.elapsed() < PATIENCE,
        "{name} fails after {:?}; put these {} bytes into fuzz/crashes/{name}:\n{}",
        started.elapsed(),
        data.len(),
        data.escape_ascii()
    );
}

fn run(name: &str) {
    let target = *TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let (mut seeds, words) = (seeds(name), words());
    seeds.extend(files(&fuzz(&format!("crashes/{name}"))));
    seeds.iter().for_each(|seed| give(target, seed));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..inputs() {
        give(target, &mutated(&seeds, &words, &mut numbers));
    }
}

macro_rules! runs {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })+

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),+];
            assert_eq!(TARGETS.map(|(name, _)| name), run);
            let mut programs: Vec<_> = fs::read_dir(fuzz("fuzz_targets")).expect("there").flatten()
                .map(|entry| entry.path().file_stem().expect("a name").to_string_lossy().into_owned()).collect();
            let mut names = run.to_vec();
            (programs.sort(), names.sort_unstable());
            assert_eq!(programs, names, "fuzz/fuzz_targets");
        }
    };
}

runs!(spec, structured, extends, requirements, catalog, lock, options, tag, grammars, llb, ignore, base);

#[test]
fn generated_specs_are_often_built() {
    let mut numbers = Numbers(7);
    let mut built = 0;
    for length in 0..60 {
        let choices: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
        built += usize::from(structured_is_built(&choices));
    }
    assert!(built > 10, "{built} of 60: nothing is lowered");
}

#[test]
fn a_crash_would_be_found() {
    let fails: Target = ("fails", |data| assert!(!data.ends_with(b"x")));
    give(fails, b"y");
    assert!(catch_unwind(|| give(fails, b"x")).is_err());
}

/// The keys of the language.
fn keys(shape: &Shape, found: &mut BTreeSet<&'static str>) {
    match shape {
        Shape::Fields(table) => table.iter().for_each(|field| {
            found.insert(field.key);
            keys(&field.shape, found);
        }),
        Shape::Words(words) => found.extend(*words),
        Shape::List(item, _) | Shape::Filled(item) | Shape::Entries(_, item) => keys(item, found),
        Shape::Any(shapes) => shapes.iter().for_each(|one| keys(one, found)),
        Shape::Text(_) | Shape::Switch => {}
    }
}

#[test]
fn the_dictionary_has_the_words_of_the_language() {
    let mut wanted = BTreeSet::new();
    keys(&Shape::Fields(SPEC), &mut wanted);
    let have = words();
    let missing: Vec<_> =
        wanted.iter().filter(|key| !have.iter().any(|word| word == key.as_bytes())).collect();
    assert!(missing.is_empty(), "fuzz/words.dict lacks {missing:?}");
    assert!(have.contains(&b"\n".to_vec()) && have.contains(&b"\"".to_vec()), "escapes are read");
}
