//! What is in an image of a registry: by its labels, or, for older images, by the names of files in its layers.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::registry::{Manifest, Repository};
use super::{Failure, REGISTRY};
use crate::plan::{PACKAGE_LABEL, TAG_LABEL, VERSION_LABEL};
use crate::resolve::machine;
use crate::spec::normal_name;

/// What one image of an index tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// `linux/amd64`.
    pub(super) platform: String,
    /// The versions, by the names that tags use.
    pub(super) versions: BTreeMap<String, String>,
    /// The tag that it was built with.
    pub(super) tag: Option<String>,
    /// By which the registry knows it.
    pub(super) digest: String,
    /// Its layers: digests to compressed bytes.
    pub(super) layers: BTreeMap<String, u64>,
}

/// What the images of a manifest tell. Layers are read where no label tells a version, or where that is asked for.
pub(super) fn contents(
    repository: &Repository,
    manifest: &Manifest,
    layers: bool,
) -> Result<Vec<Contents>, Failure> {
    let images = images(repository, manifest)?;
    images.iter().map(|image| image_contents(repository, image, layers)).collect()
}

/// The manifests of all images; all of them must be there.
fn images(repository: &Repository, manifest: &Manifest) -> Result<Vec<Manifest>, Failure> {
    let Some(entries) = manifest.json["manifests"].as_array() else { return Ok(vec![manifest.clone()]) };
    let mut images = Vec::new();
    for entry in entries {
        // Attestations are listed beside the images that they are about.
        if entry["platform"]["os"] == "unknown" {
            continue;
        }
        let digest = entry["digest"].as_str().unwrap_or_default();
        let image = repository.manifest(digest)?.ok_or_else(|| {
            let platform = platform(&entry["platform"]);
            Failure::new(format!(
                "the image for {platform} ({digest}) is not in the registry, though the index lists it"
            ))
        })?;
        images.push(image);
    }
    if images.is_empty() {
        return Err(Failure::new("the index lists no image"));
    }
    Ok(images)
}

fn platform(value: &Value) -> String {
    let field = |name: &str| value[name].as_str().unwrap_or_default();
    format!("{}/{}", field("os"), field("architecture"))
}

fn image_contents(repository: &Repository, image: &Manifest, layers: bool) -> Result<Contents, Failure> {
    let digest = image.json["config"]["digest"].as_str().unwrap_or_default();
    let config = repository.json(digest)?.ok_or_else(|| {
        Failure::new(format!("the configuration {digest} of the image is not in the registry"))
    })?;
    let empty = serde_json::Map::new();
    let labels = config.pointer("/config/Labels").and_then(Value::as_object).unwrap_or(&empty);
    let mut versions = BTreeMap::new();
    for (label, value) in labels {
        let name = label.strip_prefix(PACKAGE_LABEL).or_else(|| label.strip_prefix(VERSION_LABEL));
        if let (Some(name), Some(value)) = (name, value.as_str())
            && value.starts_with(|c: char| c.is_ascii_digit())
            && value.contains('.')
        {
            versions.insert(name.to_owned(), value.to_owned());
        }
    }
    let all = image.json["layers"].as_array().map_or(&[][..], Vec::as_slice);
    if layers || versions.is_empty() {
        let progress = progress(all.iter().filter_map(|layer| layer["size"].as_u64()).sum());
        for layer in all {
            read_layer(repository, layer, &progress, &mut versions)?;
        }
        progress.finish_and_clear();
    }
    let machine = machine(config["architecture"].as_str().unwrap_or_default());
    versions.insert("machine".to_owned(), machine.to_owned());
    let tag = labels.get(TAG_LABEL).and_then(Value::as_str).map(str::to_owned);
    let layers = all.iter().filter_map(|l| Some((l["digest"].as_str()?.to_owned(), l["size"].as_u64()?)));
    let layers = layers.collect();
    Ok(Contents { platform: platform(&config), versions, tag, digest: image.digest.clone(), layers })
}

/// A bar for so many bytes; nobody sees it where standard error is no terminal.
fn progress(bytes: u64) -> ProgressBar {
    let template = "reading layers {wide_bar} {bytes}/{total_bytes}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

/// Takes the versions that the names of a layer's files tell.
fn read_layer(
    repository: &Repository,
    layer: &Value,
    progress: &ProgressBar,
    versions: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    let digest = layer["digest"].as_str().unwrap_or_default();
    let kind = layer["mediaType"].as_str().unwrap_or_default();
    let blob = repository.blob(digest)?.ok_or_else(|| {
        Failure::new(format!("the layer {digest} of the image is not in the registry")).code(REGISTRY)
    })?;
    let stream = progress.wrap_read(blob);
    let read = match kind {
        kind if kind.ends_with("gzip") => read_tar(GzDecoder::new(stream), versions),
        kind if kind.ends_with("tar") => read_tar(stream, versions),
        kind => {
            return Err(Failure::new(format!(
                "the layer {digest} is packed as {kind}, which cannot be read"
            )));
        }
    };
    read.map_err(|error| Failure::new(format!("the layer {digest} cannot be read: {error}")).code(REGISTRY))
}

fn read_tar(stream: impl Read, versions: &mut BTreeMap<String, String>) -> std::io::Result<()> {
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if path.ends_with("/patchlevel.h") && path.contains("/include/python3.") {
            let mut text = String::new();
            entry.by_ref().take(1 << 16).read_to_string(&mut text)?;
            let version = text.split("#define PY_VERSION").nth(1).and_then(|rest| rest.split('"').nth(1));
            versions.extend(version.map(|version| ("python".to_owned(), version.to_owned())));
        } else if let Some((name, version)) = distribution(&path) {
            versions.insert(name, version);
        }
    }
    Ok(())
}

/// The Python package that a path belongs to: `…/site-packages/NAME-VERSION.dist-info/METADATA`.
fn distribution(path: &str) -> Option<(String, String)> {
    let directory = path.strip_suffix(".dist-info/METADATA")?;
    let (parent, name) = directory.rsplit_once('/')?;
    let (name, version) = name.rsplit_once('-')?;
    // What a package keeps inside itself for its own use is not installed.
    (parent.ends_with("site-packages") || parent.ends_with("dist-packages"))
        .then(|| (normal_name(name), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_directories() {
        let found = |path| distribution(path).map(|(name, version)| format!("{name} {version}"));
        let path = "opt/python/lib/python3.13/site-packages/Foo_Bar-1.2.dist-info/METADATA";
        assert_eq!(found(path).as_deref(), Some("foo-bar 1.2"));
        for path in [
            "opt/python/lib/python3.13/site-packages/foo-1.2.dist-info/RECORD",
            "opt/python/lib/python3.13/site-packages/setuptools/_vendor/foo-1.2.dist-info/METADATA",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
