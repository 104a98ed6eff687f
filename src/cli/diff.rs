//! `edgenode diff`: what two specs, locks or images have in different versions, how many bytes are new, and which
//! vulnerabilities the images' lists of parts name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::load::{Archives, load, read_lock};
use super::registry::split;
use super::tags::ImageArguments;
use super::versions::contents;
use super::vulnerabilities::{Vulnerabilities, compared, vulnerabilities};
use super::{Failure, Told};
use crate::spec::ImageReference;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A spec, a lock, or an image in a registry.
    before: String,
    /// Another one.
    after: String,
    #[command(flatten)]
    how: ImageArguments,
}

/// What is compared.
#[derive(Debug, Default)]
struct Side {
    versions: BTreeMap<String, String>,
    /// What is pulled for it, the layers of an image or the files of a lock: digest to bytes.
    downloads: BTreeMap<String, u64>,
    /// Of an image with a list of its parts beside it.
    vulnerabilities: Option<Vulnerabilities>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let (before, after) = (side(&arguments.before, arguments)?, side(&arguments.after, arguments)?);
    let names: BTreeSet<_> = before.versions.keys().chain(after.versions.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .map(|name| (name, before.versions.get(name), after.versions.get(name)))
        .filter(|(_, before, after)| before != after)
        .collect();
    let mut text = String::new();
    for (name, before, after) in &differing {
        let show = |version: &Option<&String>| version.map_or("-", String::as_str).to_owned();
        text.push_str(&format!("{name:32} {:>16} -> {}\n", show(before), show(after)));
    }
    let new = after.downloads.iter().filter(|(digest, _)| !before.downloads.contains_key(*digest));
    let new: Vec<_> = new.map(|(_, bytes)| *bytes).collect();
    let [size_before, size_after] = [&before, &after].map(|side| side.downloads.values().sum::<u64>());
    if !after.downloads.is_empty() && !before.downloads.is_empty() {
        text.push_str(&format!(
            "{} of {} {} are new, {:.1} MB of {:.1} MB; it was {:.1} MB\n",
            new.len(),
            after.downloads.len(),
            if is_lock(&arguments.after) { "files" } else { "layers" },
            new.iter().sum::<u64>() as f64 / 1e6,
            size_after as f64 / 1e6,
            size_before as f64 / 1e6,
        ));
    }
    text.push_str(&compared(before.vulnerabilities.as_ref(), after.vulnerabilities.as_ref()));
    let versions: Vec<_> = differing
        .iter()
        .map(|(name, before, after)| json!({"name": name, "before": before, "after": after}))
        .collect();
    let bytes = json!({"before": size_before, "after": size_after, "new": new.iter().sum::<u64>()});
    let vulnerabilities = json!({"before": before.vulnerabilities, "after": after.vulnerabilities});
    Ok(Told::new(text, json!({"versions": versions, "bytes": bytes, "vulnerabilities": vulnerabilities})))
}

fn side(what: &str, arguments: &Arguments) -> Result<Side, Failure> {
    let path = Path::new(what);
    if is_lock(what) {
        return of_lock(path);
    }
    if path.is_file() || is_named(what, &[".yaml", ".yml"]) {
        let loaded = load(path, None)?;
        let architecture = loaded.architectures().remove(0);
        let mut versions = loaded.declared_versions();
        let plan = loaded.plan(&architecture, Archives::LeftOut)?;
        let plan = plan.ok_or_else(|| {
            Failure::new(format!("what the base image of {what} has is known to a builder only"))
        })?;
        versions.extend(plan.release.versions);
        return Ok(Side { versions, ..Side::default() });
    }
    let reference = ImageReference::parse(what)
        .map_err(|help| Failure::new(format!("`{what}` is no file and no image; {help}")))?;
    let (host, name, tag) = split(&reference);
    let repository = arguments.how.repository(&host, &name)?;
    let manifest = repository
        .manifest(&tag)?
        .ok_or_else(|| Failure::new(format!("there is no {tag} in {host}/{name}")))?;
    let image = contents(&repository, &manifest, arguments.how.layers)?;
    let image = image.into_iter().next().ok_or_else(|| Failure::new("the index lists no image"))?;
    let vulnerabilities = vulnerabilities(&repository, &manifest, &image.digest)?;
    Ok(Side { versions: image.versions, downloads: image.layers, vulnerabilities })
}

fn is_lock(what: &str) -> bool {
    is_named(what, &[".lock"])
}

/// Whether a file is meant, though it may not be there: images are not called like that.
fn is_named(what: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| what.ends_with(ending))
}

/// What a lock has for its first platform.
fn of_lock(path: &Path) -> Result<Side, Failure> {
    let lock = read_lock(path, 0, vec![path.to_owned()])?;
    let platform = lock.platforms.into_values().next();
    let mut platform =
        platform.ok_or_else(|| Failure::new(format!("{} is for no platform", path.display())))?;
    let mut side = Side::default();
    side.versions.insert("base".to_owned(), platform.base.clone());
    for (name, file) in platform.files_mut() {
        let (name, version) = name.rsplit_once(' ').unwrap_or((&name, ""));
        // A package of the distribution has its architecture behind its name.
        let name = name.split(':').next().unwrap_or(name);
        side.versions.insert(name.to_owned(), version.to_owned());
        side.downloads.insert(file.sha256.to_string(), file.size.unwrap_or_default());
    }
    Ok(side)
}
