//! `edgenode tags`: the tag that an image's versions make.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::load::{Archives, load};
use super::registry::{Patience, Repository, split};
use super::versions::{Contents, contents};
use super::{Failure, REFUSED, Told};
use crate::spec::{Duration, ImageReference, TagSchema};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A spec, or an image in a registry.
    what: String,
    /// The directory that paths in the spec count from.
    #[arg(long)]
    context: Option<std::path::PathBuf>,
    #[command(flatten)]
    image: ImageArguments,
}

/// How images in registries are reached and read.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// The schema of the tag, such as `py{python.minor}-th{torch.minor}`; by default the tag that the image was built
    /// with.
    #[arg(long)]
    schema: Option<String>,
    /// Read the versions of Python packages from the layers, whatever the labels tell.
    #[arg(long)]
    pub(super) layers: bool,
    /// Speak to the registry without TLS.
    #[arg(long)]
    pub(super) plain_http: bool,
    /// How often what failed is tried again.
    #[arg(long, default_value_t = 4)]
    retries: u32,
    /// The time before it is tried again, which doubles each time.
    #[arg(long, default_value = "500ms")]
    backoff: String,
}

impl ImageArguments {
    pub(super) fn repository(&self, host: &str, name: &str) -> Result<Repository, Failure> {
        let wait = Duration::parse(&self.backoff)
            .map_err(|help| Failure::new(format!("`{}` is not a time; {help}", self.backoff)))?;
        let wait = std::time::Duration::from_nanos(wait.nanoseconds());
        Repository::new(host, name, self.plain_http, Patience { retries: self.retries, wait })
    }

    /// What is in an image, and the one tag that all its platforms have.
    pub(super) fn tag(&self, repository: &Repository, tag: &str) -> Result<(String, Vec<Contents>), Failure> {
        let manifest = repository
            .manifest(tag)?
            .ok_or_else(|| Failure::new(format!("there is no {tag} in the repository")))?;
        let schema = match &self.schema {
            Some(schema) => {
                Some(TagSchema::parse(schema).map_err(|help| Failure::new(format!("`{schema}`: {help}")))?)
            }
            None => None,
        };
        let contents = contents(repository, &manifest, self.layers)?;
        let mut tags: Vec<(String, &str)> = Vec::new();
        for image in &contents {
            let tag = match (&schema, &image.tag) {
                (Some(schema), _) => schema.render(&image.versions).map_err(Failure::new)?,
                (None, Some(tag)) => tag.clone(),
                (None, None) => {
                    return Err(Failure::new(format!(
                        "the image for {} has no label that tells its tag; give a `--schema`, such as \
                         `py{{python.minor}}-th{{torch.minor}}`",
                        image.platform
                    )));
                }
            };
            tags.push((tag, &image.platform));
        }
        let (first, platform) = tags.first().ok_or_else(|| Failure::new("the index lists no image"))?;
        if let Some((other, on)) = tags.iter().find(|(tag, _)| tag != first) {
            let message = format!("the platforms differ: {first} on {platform}, {other} on {on}");
            return Err(Failure::new(message).code(REFUSED));
        }
        Ok((first.clone(), contents.clone()))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let path = Path::new(&arguments.what);
    if path.is_file() {
        return of_spec(path, arguments.context.as_deref());
    }
    let reference = ImageReference::parse(&arguments.what)
        .map_err(|help| Failure::new(format!("`{}` is no file and no image; {help}", arguments.what)))?;
    let (host, name, tag) = split(&reference);
    let repository = arguments.image.repository(&host, &name)?;
    let (tag, contents) = arguments.image.tag(&repository, &tag)?;
    let versions: serde_json::Map<_, _> =
        contents.into_iter().map(|image| (image.platform, json!(image.versions))).collect();
    Ok(Told::new(format!("{tag}\n"), json!({"image": reference.as_str(), "tag": tag, "versions": versions})))
}

/// The tag of a spec, as far as the spec says which versions it has.
fn of_spec(path: &Path, context: Option<&Path>) -> Result<Told, Failure> {
    let loaded = load(path, context)?;
    let Some(schema) = loaded.spec.tag.as_ref().map(|tag| tag.value.clone()) else {
        return Err(Failure::new(format!("{} has no `tag`", path.display())));
    };
    let architecture = loaded.architectures().remove(0);
    let mut versions = loaded.declared_versions();
    let Some(plan) = loaded.plan(&architecture, Archives::LeftOut)? else {
        return Err(Failure::new(
            "what the base image has is known to a builder only; name an image that was built",
        ));
    };
    versions.extend(plan.release.versions);
    let tag = schema.render(&versions).map_err(|message| {
        Failure::new(format!(
            "{}: {message}; a version that the spec leaves open is known when it is built: lock the spec, pin it, or name the image",
            path.display()
        ))
    })?;
    let repository = plan.release.repository.as_ref().map(ToString::to_string);
    let text = match &repository {
        Some(repository) => format!("{repository}:{tag}\n"),
        None => format!("{tag}\n"),
    };
    Ok(Told::new(text, json!({"tag": tag, "repository": repository, "versions": versions})))
}
