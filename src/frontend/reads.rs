//! What is read of the build context before versions are chosen: files that the spec names, and what its wheels say of
//! themselves. Each is read once, whatever reads the spec after that.

use std::collections::BTreeMap;

use buildkit_frontend::{BuildContext, Error, Gateway, Reference};
use buildkit_llb::Platform;
use futures_util::future::{try_join_all, try_join3};

use super::sources::Sources;
use super::{marshal, read_text};
use crate::components::{WHEEL_END_BYTES, wheel_mark};
use crate::diagnostic::Problems;
use crate::spec::{At, ContextPath, MAX_BYTES, Span, Spec};

/// What was read. What is not there is left out.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The texts of files, by their paths.
    pub(super) files: BTreeMap<String, String>,
    /// Marks of wheels, by their paths, which change with what the wheels say of themselves.
    pub(super) wheels: BTreeMap<String, String>,
    /// Whether what specs compare is a directory, by its path.
    pub(super) directories: BTreeMap<String, bool>,
}

impl Reads {
    /// Reads what these specs name, their wheels as well if they count.
    ///
    /// # Errors
    ///
    /// A context that cannot be read, wheels that are not in it.
    pub(super) async fn load(
        gateway: &Gateway,
        context: &BuildContext,
        sources: &Sources,
        specs: &[(Platform, Spec)],
        with_wheels: bool,
    ) -> Result<Self, Error> {
        let specs = || specs.iter().map(|(_, spec)| spec);
        let files: Vec<_> = specs().flat_map(Spec::reads).collect();
        // Specs for several platforms name most of them more than once.
        let wheels = specs()
            .filter(|_| with_wheels)
            .flat_map(Spec::local_wheels)
            .map(|wheel| (wheel.to_string(), wheel.span));
        let wheels: BTreeMap<_, _> = wheels.collect();
        let compared: BTreeMap<_, _> =
            specs().flat_map(Spec::compared).map(|path| (path.to_string(), path.span)).collect();
        let mut reads = Self::default();
        let named = wheels.keys().chain(compared.keys()).cloned();
        let names: Vec<_> = files.iter().map(ToString::to_string).chain(named).collect();
        if names.is_empty() {
            return Ok(reads);
        }
        let root = gateway.solve(&marshal(&context.files(&names).await?, sources)?).await?;
        let text = async |At { value: path, span }: &At<ContextPath>| {
            let text = read_text(gateway, &root, path.as_str(), MAX_BYTES).await;
            let text = text.map_err(|error| sources.locate(error, *span))?;
            Ok::<_, Error>(text.map(|text| (path.to_string(), text)))
        };
        let mark = async |(path, span): (String, Span)| {
            let mark = mark(gateway, &root, &path).await.map_err(|error| sources.locate(error, span))?;
            Ok::<_, Error>((path, span, mark))
        };
        let kind = async |(path, span): (String, Span)| {
            let kind = gateway.is_directory_opt(&root, &path).await;
            let kind = kind.map_err(|error| sources.locate(error, span))?;
            Ok::<_, Error>(kind.map(|kind| (path, kind)))
        };
        let (texts, marks, kinds) = try_join3(
            try_join_all(files.iter().map(text)),
            try_join_all(wheels.into_iter().map(mark)),
            try_join_all(compared.into_iter().map(kind)),
        )
        .await?;
        reads.files.extend(texts.into_iter().flatten());
        reads.directories.extend(kinds.into_iter().flatten());
        let mut problems = Problems::default();
        for (path, span, mark) in marks {
            match mark {
                Some(mark) => drop(reads.wheels.insert(path, mark)),
                None => tell_missing(&path, span, &mut problems),
            }
        }
        problems.check(Some(reads)).map_err(|found| sources.report(&found))
    }

    /// What of it is one spec's: arguments can name other files for another platform.
    pub(super) fn of(&self, spec: &Spec) -> Self {
        Self {
            files: pick(spec.reads(), &self.files),
            wheels: pick(spec.local_wheels(), &self.wheels),
            directories: pick(spec.compared(), &self.directories),
        }
    }
}

/// What was read of these paths.
fn pick<T: Clone>(paths: Vec<At<ContextPath>>, from: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let own = paths.iter().filter_map(|path| from.get_key_value(path.value.as_str()));
    own.map(|(path, value)| (path.clone(), value.clone())).collect()
}

/// Reports those of the `paths` that are not in the build context.
pub(super) async fn require(
    gateway: &Gateway,
    context: &BuildContext,
    sources: &Sources,
    paths: &[At<ContextPath>],
) -> Result<(), Error> {
    if paths.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = paths.iter().map(ToString::to_string).collect();
    let root = gateway.solve(&marshal(&context.files(&names).await?, sources)?).await?;
    let mut problems = Problems::default();
    for path in paths {
        if !gateway.has(&root, path.value.as_str()).await? {
            tell_missing(path.value.as_str(), path.span, &mut problems);
        }
    }
    problems.check(Some(())).map_err(|found| sources.report(&found))
}

fn tell_missing(path: &str, span: Span, problems: &mut Problems) {
    problems.error_with_help(
        span,
        format!("`{path}` is not in the build context"),
        "name a file beside the spec, and see whether `.dockerignore` leaves it out",
    );
}

/// What tells a wheel from another one; `None` where there is no such file.
async fn mark(gateway: &Gateway, root: &Reference, path: &str) -> Result<Option<String>, Error> {
    let end = gateway.read_end_opt(root, path, WHEEL_END_BYTES).await?;
    Ok(end.map(|end| wheel_mark(&end)))
}
