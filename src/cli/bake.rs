//! `edgenode bake`: a bake file for all specs of a directory.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::load::{Loaded, load, specs};
use super::{Failure, Told};
use crate::resolve::ARCHIVED_ARG;
use crate::spec::Status;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory with the specs, from which the paths in them count.
    directory: PathBuf,
    /// The build context, as seen from where `docker buildx bake` will be run.
    #[arg(long, default_value = ".")]
    context: String,
}

/// What goes into the file for one spec.
#[derive(Debug)]
struct Target {
    name: String,
    file: String,
    platforms: Vec<String>,
    repository: String,
    status: Status,
    family: &'static str,
    /// What it is made of, as far as the spec says: when one of them changes, so does the image.
    files: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let mut targets = Vec::new();
    for path in specs(&arguments.directory)? {
        let loaded = load(&path, Some(&arguments.directory))?;
        targets.push(target(&loaded, &path, &arguments.directory));
    }
    if targets.is_empty() {
        let message = format!(
            "{} has no spec: a spec names its frontend on the first line",
            arguments.directory.display()
        );
        return Err(Failure::new(message));
    }
    let text = write(&targets, &arguments.context);
    let groups = groups(&targets);
    let about: serde_json::Map<_, _> = targets
        .iter()
        .map(|target| {
            let about =
                json!({"family": target.family, "files": target.files, "status": target.status.word()});
            (target.name.clone(), about)
        })
        .collect();
    Ok(Told::new(text, json!({"groups": groups, "targets": about})))
}

fn target(loaded: &Loaded, path: &Path, directory: &Path) -> Target {
    let spec = &loaded.spec;
    let relative = |path: &Path| path.strip_prefix(directory).unwrap_or(path).to_string_lossy().into_owned();
    let reads = spec.reads().into_iter().map(|path| path.to_string());
    let has = |key: &str| spec.components.iter().any(|component| component.value.key() == key);
    let name = spec.name.to_string();
    let lock = Some(loaded.lock_path()).filter(|lock| lock.is_file());
    Target {
        file: relative(path),
        files: loaded.files.iter().chain(lock.iter()).map(|path| relative(path)).chain(reads).collect(),
        platforms: spec.platforms.iter().map(ToString::to_string).collect(),
        repository: match &spec.repository {
            Some(repository) => repository.value.as_str().trim_start_matches("docker.io/").to_owned(),
            None => name.clone(),
        },
        status: spec.status.as_ref().map_or(Status::Experimental, |status| status.value),
        family: if has("tensorrt") || name.contains("gpu") { "gpu" } else { "cpu" },
        // Bake's names have no dots.
        name: name.replace('.', "_"),
    }
}

/// The groups with their targets: one for each status, and one for each family without what is archived.
fn groups(targets: &[Target]) -> BTreeMap<&'static str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for target in targets {
        groups.entry(target.status.word()).or_default().push(&target.name);
        if target.status != Status::Archived {
            groups.entry(target.family).or_default().push(&target.name);
        }
    }
    groups
}

/// What is the same in all bake files. Who wants to push elsewhere, or to cache, sets variables.
const HEAD: &str = r#"# The registry and its owner's part of the name are put in front of each repository: `localhost:5000/`.
variable "REGISTRY" { default = "" }
# The tag that is pushed first; `edgenode retag` then gives the one that the versions make. Targets that share a repository
# put their names behind it.
variable "TAG" { default = "latest" }
# A repository for the cache of all targets, each by a tag of its own; none by default.
variable "CACHE" { default = "" }
# How new layers are packed, where it is not BuildKit's usual `gzip`: `zstd` is faster and smaller, and wants containerd 1.5
# or Docker Engine 23 where the image runs.
variable "COMPRESSION" { default = "" }
# Whether the software bill of materials is attached, beside how the image was made.
variable "SBOM" { default = "false" }
"#;

fn write(targets: &[Target], context: &str) -> String {
    let mut text = String::from("# Made by `edgenode bake`; the specs are what to change.\n");
    text.push_str(HEAD);
    let _ = writeln!(
        text,
        "# Where the specs are, as seen from here.\nvariable \"SPECS\" {{ default = {} }}\n",
        quote(context)
    );
    text.push_str("group \"default\" { targets = [\"production\"] }\n");
    for (group, names) in groups(targets) {
        let names: Vec<_> = names.into_iter().map(quote).collect();
        let _ = writeln!(text, "group {} {{ targets = [{}] }}", quote(group), names.join(", "));
    }
    for target in targets {
        text.push_str(&write_target(target, has_its_tag(target, targets)));
    }
    text
}

/// Whether a target may push what `TAG` says: of several with one repository only the one that is not archived, if there
/// is no other; else they would push over one another.
fn has_its_tag(target: &Target, targets: &[Target]) -> bool {
    let others =
        || targets.iter().filter(|other| other.repository == target.repository && other.name != target.name);
    others().count() == 0
        || (target.status != Status::Archived && others().all(|other| other.status == Status::Archived))
}

fn write_target(target: &Target, has_its_tag: bool) -> String {
    let Target { name, file, platforms, repository, status, .. } = target;
    let platforms: Vec<_> = platforms.iter().map(|platform| quote(platform)).collect();
    let tag = if has_its_tag { String::new() } else { format!("-{name}") };
    let cache = format!("type=registry,ref=${{CACHE}}:{name}");
    let mut text = format!(
        "\ntarget {} {{\n  context    = SPECS\n  dockerfile = {}\n  platforms  = [{}]\n  tags       = [{}]\n",
        quote(name),
        quote(file),
        platforms.join(", "),
        format_args!("\"${{REGISTRY}}{}:${{TAG}}{tag}\"", escape(repository)),
    );
    if *status == Status::Archived {
        let _ = writeln!(text, "  args       = {{ {ARCHIVED_ARG} = \"true\" }}");
    }
    let _ = writeln!(text, "  cache-from = CACHE != \"\" ? [\"{cache}\"] : []");
    let _ = writeln!(text, "  cache-to   = CACHE != \"\" ? [\"{cache},mode=max\"] : []");
    text.push_str("  output     = COMPRESSION != \"\" ? [\"type=image,compression=${COMPRESSION}\"] : []\n");
    text.push_str(
        "  attest     = [\"type=provenance,mode=max\", \"type=sbom,disabled=${SBOM != \"true\"}\"]\n}\n",
    );
    text
}

/// A string of HCL, in which nothing is looked up.
fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{")
}
