//! What the client asked for. BuildKit hands it over in the environment, one numbered variable for each option.

use std::collections::BTreeMap;

use buildkit_llb::Platform;
use serde::Deserialize;

use crate::{Error, RunOptions};

/// The name of a variable that holds one option, without its number.
const OPTION: &str = "BUILDKIT_FRONTEND_OPT_";

/// Which steps run again although their results are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoCache {
    /// None.
    #[default]
    None,
    /// All (`--no-cache`).
    All,
    /// Those of the named targets (`--no-cache-filter`).
    Only(Vec<String>),
}

/// A cache that the client wants to be read.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct CacheImport {
    /// `registry`, `local`, `gha`, …
    #[serde(rename = "Type")]
    pub kind: String,
    /// Its attributes.
    #[serde(rename = "Attrs", default)]
    pub attributes: BTreeMap<String, String>,
}

/// A worker of the daemon, as `BUILDKIT_WORKERS` lists it.
#[derive(Debug, Deserialize)]
struct Worker {
    #[serde(default)]
    platforms: Vec<WorkerPlatform>,
}

#[derive(Debug, Deserialize)]
struct WorkerPlatform {
    architecture: String,
    os: String,
    #[serde(default)]
    variant: String,
}

/// The options of one build.
#[derive(Clone, Debug, Default)]
pub struct Options {
    all: BTreeMap<String, String>,
    /// The client's session.
    pub session_id: String,
    /// The platform of the daemon's first worker, if it told.
    pub worker_platform: Option<Platform>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`, normalized; empty if not given.
    pub platforms: Vec<Platform>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--no-cache` and `--no-cache-filter`.
    pub no_cache: NoCache,
    /// `--cache-from`.
    pub cache_imports: Vec<CacheImport>,
    /// `default`, `pull` or `local`: whether a newer image is looked for.
    pub image_resolve_mode: String,
    /// Namespace of cache mounts.
    pub cache_mount_ns: Option<String>,
    /// What containers of steps get.
    pub run: RunOptions,
    /// The subrequest, where no image is wanted.
    pub request_id: Option<String>,
}

impl Options {
    /// The names of the contexts that the client named with `--build-context`, without their platforms.
    pub fn named_contexts(&self) -> impl Iterator<Item = &str> {
        let names = self.all.keys().filter_map(|key| key.strip_prefix("context:"));
        names.map(|name| name.split("::").next().unwrap_or(name))
    }

    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// An option whose value cannot be understood.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        let mut options = Self::default();
        for (name, value) in variables {
            if name.starts_with(OPTION) {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                all.insert(key.to_owned(), value.to_owned());
            } else if name == "BUILDKIT_SESSION_ID" {
                options.session_id = value;
            } else if name == "BUILDKIT_WORKERS" {
                options.worker_platform = worker_platform(&value);
            }
        }
        options.build_args = with_prefix(&all, "build-arg:");
        options.labels = with_prefix(&all, "label:");
        options.target = all.get("target").filter(|target| !target.is_empty()).cloned();
        options.request_id = all.get("requestid").filter(|id| !id.is_empty()).cloned();
        options.cache_mount_ns = options.build_args.get("BUILDKIT_CACHE_MOUNT_NS").cloned();
        options.platforms = platforms(all.get("platform").map_or("", String::as_str))?;
        options.no_cache = match all.get("no-cache") {
            None => NoCache::None,
            Some(all) if all.is_empty() => NoCache::All,
            Some(names) => NoCache::Only(comma_list(names)),
        };
        options.cache_imports = cache_imports(&all)?;
        options.run = RunOptions::parse(&all, &options.build_args)?;
        options.image_resolve_mode = resolve_mode(all.get("image-resolve-mode"))?;
        options.all = all;
        Ok(options)
    }

    /// An option that has no field of its own.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all.get(key).map(String::as_str)
    }

    /// The session that a directory of the client is read from.
    pub fn session_of(&self, local: &str) -> &str {
        self.get(&format!("local-sessionid:{local}")).unwrap_or(&self.session_id)
    }

    /// The capabilities that the client demands. What follows a `+` is how it wants them, and does not count.
    pub fn demanded_capabilities(&self) -> Vec<&str> {
        let list = self.get("frontend.caps").unwrap_or_default().split(',');
        list.map(|cap| cap.split('+').next().unwrap_or_default()).filter(|cap| !cap.is_empty()).collect()
    }
}

fn with_prefix(all: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    all.iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

fn comma_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn platforms(text: &str) -> Result<Vec<Platform>, Error> {
    comma_list(text).iter().map(|text| Platform::parse(text).map_err(Error::from)).collect()
}

fn worker_platform(json: &str) -> Option<Platform> {
    let workers: Vec<Worker> = serde_json::from_str(json).ok()?;
    let WorkerPlatform { architecture, os, variant } =
        workers.into_iter().next()?.platforms.into_iter().next()?;
    Some(Platform { architecture, os, variant, ..Platform::default() }.normalized())
}

fn cache_imports(all: &BTreeMap<String, String>) -> Result<Vec<CacheImport>, Error> {
    if let Some(json) = all.get("cache-imports") {
        return serde_json::from_str(json)
            .map_err(|error| Error::user(format!("the option `cache-imports` is not valid: {error}")));
    }
    let references = comma_list(all.get("cache-from").map_or("", String::as_str));
    let registry = |reference| CacheImport {
        kind: "registry".to_owned(),
        attributes: BTreeMap::from([("ref".to_owned(), reference)]),
    };
    Ok(references.into_iter().map(registry).collect())
}

fn resolve_mode(value: Option<&String>) -> Result<String, Error> {
    match value.map(String::as_str) {
        None | Some("" | "default") => Ok("default".to_owned()),
        Some(mode @ ("pull" | "local")) => Ok(mode.to_owned()),
        Some(other) => Err(Error::user(format!("the option `image-resolve-mode` cannot be `{other}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(options: &[&str]) -> Result<Options, Error> {
        let numbered = options.iter().enumerate().map(|(i, o)| (format!("{OPTION}{i}"), (*o).to_owned()));
        Options::from_env(numbered)
    }

    #[test]
    fn values_keep_equal_signs_and_newlines() {
        let options = options(&["build-arg:A=x=y\nz", "build-arg:B=", "filename=a=b.yaml"]).expect("valid");
        assert_eq!(options.build_args["A"], "x=y\nz");
        assert_eq!(options.build_args["B"], "");
        assert_eq!(options.get("filename"), Some("a=b.yaml"));
    }

    #[test]
    fn no_cache_for_all_or_some() {
        assert_eq!(options(&[]).expect("valid").no_cache, NoCache::None);
        assert_eq!(options(&["no-cache="]).expect("valid").no_cache, NoCache::All);
        let some = options(&["no-cache=a, b"]).expect("valid").no_cache;
        assert_eq!(some, NoCache::Only(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn caches_in_both_forms() {
        let json = r#"cache-imports=[{"Type":"registry","Attrs":{"ref":"r/a:c"}},{"Type":"gha"}]"#;
        let imports = options(&[json]).expect("valid").cache_imports;
        assert_eq!((imports.len(), imports[0].attributes["ref"].as_str()), (2, "r/a:c"));
        let imports = options(&["cache-from=r/a,r/b"]).expect("valid").cache_imports;
        assert_eq!((imports.len(), imports[1].attributes["ref"].as_str()), (2, "r/b"));
    }

    #[test]
    fn sessions_of_single_directories() {
        let mut options = options(&["local-sessionid:context=two"]).expect("valid");
        options.session_id = "one".into();
        assert_eq!((options.session_of("context"), options.session_of("dockerfile")), ("two", "one"));
    }

    #[test]
    fn the_worker_tells_its_platform() {
        let json = r#"[{"id":"x","platforms":[{"architecture":"arm64","os":"linux","variant":"v8"}],"gcPolicy":null}]"#;
        let env = [("BUILDKIT_WORKERS".to_owned(), json.to_owned())];
        let platform = Options::from_env(env).expect("valid").worker_platform;
        assert_eq!(platform.map(|p| p.to_string()).as_deref(), Some("linux/arm64"));
    }

    #[test]
    fn refuses_what_it_cannot_understand() {
        for bad in ["platform=linux", "cache-imports={", "image-resolve-mode=never"] {
            assert!(options(&[bad]).is_err(), "{bad:?} is taken");
        }
    }

    proptest! {
        #[test]
        fn every_build_argument_arrives(name in "[A-Za-z_][A-Za-z0-9_]{0,20}", value in "\\PC{0,80}") {
            let all = [(format!("{OPTION}0"), format!("build-arg:{name}={value}"))];
            let options = Options::from_env(all).expect("build arguments are never refused");
            prop_assert_eq!(options.build_args.get(&name), Some(&value));
        }

        #[test]
        fn never_panics(lines in proptest::collection::vec("[a-z:=,-]{0,40}", 0..8)) {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let _ = options(&lines);
        }
    }
}
