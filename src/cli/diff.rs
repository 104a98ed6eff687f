//! `edgenode diff`: what two specs or images have in different versions, and how their layers differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::load::{Archives, load};
use super::registry::split;
use super::tags::ImageArguments;
use super::versions::contents;
use super::{Failure, Told};
use crate::spec::ImageReference;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A spec, or an image in a registry.
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
    /// The layers of an image: digest to compressed bytes.
    layers: BTreeMap<String, u64>,
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
    let new = after.layers.iter().filter(|(digest, _)| !before.layers.contains_key(*digest));
    let new: Vec<_> = new.map(|(_, bytes)| *bytes).collect();
    let [size_before, size_after] = [&before, &after].map(|side| side.layers.values().sum::<u64>());
    if !after.layers.is_empty() && !before.layers.is_empty() {
        text.push_str(&format!(
            "{} of {} layers are new, {:.1} MB of {:.1} MB; it was {:.1} MB\n",
            new.len(),
            after.layers.len(),
            new.iter().sum::<u64>() as f64 / 1e6,
            size_after as f64 / 1e6,
            size_before as f64 / 1e6,
        ));
    }
    let versions: Vec<_> = differing
        .iter()
        .map(|(name, before, after)| json!({"name": name, "before": before, "after": after}))
        .collect();
    let bytes = json!({"before": size_before, "after": size_after, "new": new.iter().sum::<u64>()});
    Ok(Told::new(text, json!({"versions": versions, "bytes": bytes})))
}

fn side(what: &str, arguments: &Arguments) -> Result<Side, Failure> {
    let path = Path::new(what);
    if path.is_file() {
        let loaded = load(path, None)?;
        let architecture = loaded.architectures().remove(0);
        let mut versions = loaded.declared_versions();
        let plan = loaded.plan(&architecture, Archives::LeftOut)?;
        let plan = plan.ok_or_else(|| {
            Failure::new(format!("what the base image of {what} has is known to a builder only"))
        })?;
        versions.extend(plan.release.versions);
        return Ok(Side { versions, layers: BTreeMap::new() });
    }
    let reference = ImageReference::parse(what)
        .map_err(|help| Failure::new(format!("`{what}` is no file and no image; {help}")))?;
    let (host, name, tag) = split(&reference);
    let mut repository = arguments.how.repository(&host, &name)?;
    let manifest = repository
        .manifest(&tag)?
        .ok_or_else(|| Failure::new(format!("there is no {tag} in {host}/{name}")))?;
    let image = contents(&mut repository, &manifest, arguments.how.layers)?;
    let image = image.into_iter().next().ok_or_else(|| Failure::new("the index lists no image"))?;
    Ok(Side { versions: image.versions, layers: image.layers })
}
