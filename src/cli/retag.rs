//! `edgenode retag`: gives an image in a registry the tag that its versions make. Nothing is pulled: only the manifest is
//! sent back by another name, in one request, so that nothing is ever half done.

use clap::Args;
use serde_json::json;

use super::registry::split;
use super::tags::ImageArguments;
use super::{Failure, REFUSED, Told};
use crate::spec::ImageReference;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The image, such as `ratio1/base_edge_node_amd64_cpu:latest`.
    image: String,
    /// The tag, instead of the one that the versions make.
    #[arg(long)]
    tag: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Move the tag where it names another image.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    how: ImageArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<Told, Failure> {
    let reference = ImageReference::parse(&arguments.image)
        .map_err(|help| Failure::new(format!("`{}` is no image; {help}", arguments.image)))?;
    let (host, name, from) = split(&reference);
    let repository = arguments.how.repository(&host, &name)?;
    // All that can go wrong is tried before the tag is set.
    let tag = match &arguments.tag {
        Some(tag) => tag.clone(),
        None => arguments.how.tag(&repository, &from)?.0,
    };
    let target = ImageReference::parse(&format!("{host}/{name}:{tag}"))
        .map_err(|help| Failure::new(format!("`{tag}` is no tag; {help}")))?;
    let manifest = repository
        .manifest(&from)?
        .ok_or_else(|| Failure::new(format!("there is no {from} in {host}/{name}")))?;
    let digest = &manifest.digest;
    let before = repository.manifest(&tag)?.map(|before| before.digest);
    let told = |done: &str, verb: &str| {
        let json =
            json!({"image": reference.as_str(), "tag": target.as_str(), "digest": digest, "done": done});
        Told::new(format!("{verb} {target} ({digest})\n"), json)
    };
    match &before {
        Some(before) if before == digest => return Ok(told("nothing", "already")),
        Some(before) if !arguments.force => {
            let message =
                format!("{target} is another image ({before}); `--force` moves the tag to {digest}");
            return Err(Failure::new(message).code(REFUSED));
        }
        _ => {}
    }
    if arguments.dry_run {
        return Ok(told("dry run", "would tag"));
    }
    repository.tag(&tag, &manifest)?;
    Ok(told("tagged", "tagged"))
}
