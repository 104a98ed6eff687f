//! What an image is called, and what its labels tell of versions that were chosen while it was built.

use std::collections::BTreeMap;

use buildkit_frontend::{Error, Gateway};
use futures_util::future::try_join_all;

use super::marshal;
use super::read_text;
use super::sources::Sources;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lower::Lowered;
use crate::plan::{PACKAGE_LABEL, Release, TAG_LABEL, component_label};

/// What is read of a list of wheels.
const MAX_LIST_BYTES: usize = 1 << 20;
/// The packages whose version is that of CUDA, which torch's wheels ask for. Source: their metadata.
const CUDA_RUNTIMES: [&str; 3] =
    ["nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu13"];

/// What is only known when the image is being built.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Labels.
    pub(super) labels: Vec<(String, String)>,
    /// The image's names, joined by commas, for exporters that leave the name to the frontend.
    pub(super) names: Option<String>,
}

/// Reads which wheels were chosen, and makes the image's tag of that.
pub(super) async fn name(
    gateway: &Gateway,
    sources: &Sources,
    release: &Release,
    lowered: &Lowered,
) -> Result<Named, Error> {
    let packages = chosen(gateway, sources, release, lowered).await?;
    let mut labels = Vec::new();
    let cuda = CUDA_RUNTIMES.iter().find_map(|runtime| packages.get(*runtime));
    labels.extend(cuda.map(|version| (component_label("cuda"), version.clone())));
    for name in release.wheels.iter().flat_map(|wheels| &wheels.named) {
        labels.extend(packages.get(name).map(|version| (format!("{PACKAGE_LABEL}{name}"), version.clone())));
    }
    let Some(schema) = &release.tag else { return Ok(Named { labels, names: None }) };
    let mut versions = packages.clone();
    versions.extend(release.versions.clone());
    versions.extend(cuda.map(|version| ("cuda".to_owned(), version.clone())));
    let tag = schema.value.render(&versions).map_err(|message| {
        sources.report(&[Diagnostic { severity: Severity::Error, message, help: None, span: schema.span }])
    })?;
    let names = release.repository.as_ref().map(|repository| format!("{repository}:{tag}"));
    labels.push((TAG_LABEL.to_owned(), tag));
    Ok(Named { labels, names })
}

/// The chosen Python packages with their versions.
async fn chosen(
    gateway: &Gateway,
    sources: &Sources,
    release: &Release,
    lowered: &Lowered,
) -> Result<BTreeMap<String, String>, Error> {
    let Some(wheels) = &release.wheels else { return Ok(BTreeMap::new()) };
    let root = gateway.solve(&marshal(&lowered.output(wheels.step), sources)?).await?;
    let root = &root;
    let read = |group: &String| {
        let path = format!("/{group}.txt");
        async move { read_text(gateway, root, &path, MAX_LIST_BYTES).await }
    };
    let lists = try_join_all(wheels.groups.iter().map(read)).await?;
    Ok(lists.iter().flatten().flat_map(|list| packages(list)).collect())
}

/// The packages of a list as uv writes it: `name==version \` or `name==version ; marker`, then lines with digests.
fn packages(list: &str) -> impl Iterator<Item = (String, String)> {
    list.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric())).filter_map(|line| {
        let (name, version) = line.split_once("==")?;
        let version = version.split([' ', ';', '\\']).next().unwrap_or_default();
        Some((crate::spec::normal_name(name), version.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_of_a_list() {
        let list =
            "Foo_Bar==1.2.3 \\\n    --hash=sha256:00\ntorch==2.9.1+cu128 ; platform_machine == 'x86_64' \\\n";
        let found: Vec<_> = packages(list).collect();
        let expected = [("foo-bar", "1.2.3"), ("torch", "2.9.1+cu128")];
        assert_eq!(found, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
}
