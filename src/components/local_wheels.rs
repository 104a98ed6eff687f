//! `wheels.local`: wheels that lie in the build context. Each is a branch of its own, installed as it is; what it depends
//! on is resolved with all other requirements.

use super::wheels::Tools;
use crate::diagnostic::Problems;
use crate::plan::{Action, Mount, Part, Planner, Provided, StepId};
use crate::resolve::{Context, SourceArchive};
use crate::spec::{At, ContextPath, Name, Node, Span, checked, items, normal_name};

/// Where steps find the wheels of the build context.
pub(super) const LOCAL_DIR: &str = "/run/edgenode/local";

/// A wheel of the build context. Source of the form of its name: the binary distribution format (PEP 427).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalWheel {
    /// The package, in the normal form of its name.
    pub name: String,
    version: String,
    path: ContextPath,
    pub span: Span,
}

/// Whether a path of the build context can be that of a wheel.
pub fn is_wheel_path(text: &str) -> bool {
    ContextPath::parse(text).is_ok_and(|path| LocalWheel::of(&At::new(path, Span::default())).is_some())
}

/// Reads the list.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Vec<LocalWheel> {
    let wheels = items("`local`", node, problems, |node, problems| {
        let path = checked("a wheel in the build context", node, problems, ContextPath::parse)?;
        let wheel = LocalWheel::of(&path);
        if wheel.is_none() {
            problems.error_with_help(
                path.span,
                format!("`{path}` does not have the name of a wheel"),
                "keep the name that it was built with, such as `dist/node-1.0-py3-none-any.whl`",
            );
        }
        wheel
    });
    for (i, wheel) in wheels.iter().enumerate() {
        if let Some(first) = wheels[..i].iter().find(|other| other.name == wheel.name) {
            let message = format!("the package `{}` is here for the second time", wheel.name);
            problems.error_with_help(wheel.span, message, format!("the first is at {}", first.span));
        }
    }
    wheels
}

impl LocalWheel {
    fn of(path: &At<ContextPath>) -> Option<Self> {
        let parts: Vec<_> = file_name(&path.value).strip_suffix(".whl")?.split('-').collect();
        let ([name, version, _, _, _] | [name, version, _, _, _, _]) = parts.as_slice() else { return None };
        let name = Name::parse(name).ok()?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '!' | '_');
        if !version.starts_with(|c: char| c.is_ascii_digit()) || !version.chars().all(fits) {
            return None;
        }
        Some(Self {
            name: normal_name(name.as_str()),
            version: (*version).to_owned(),
            path: path.value.clone(),
            span: path.span,
        })
    }

    /// The requirement that only this file meets. Its characters are those of names, so it needs no escapes.
    pub(super) fn requirement(&self) -> String {
        format!("{} @ file://{LOCAL_DIR}/{}", self.name, file_name(&self.path))
    }

    /// Refuses a package that the spec has from elsewhere.
    pub(super) fn check(&self, context: &Context<'_>, problems: &mut Problems) {
        if context.has(&self.name) {
            problems.error_with_help(
                self.span,
                format!("`{}` is a component of the spec already", self.name),
                format!("take `{}:` out, or this wheel", self.name),
            );
        }
    }

    /// Adds the step that installs it.
    pub(super) fn plan(&self, files: StepId, installer: &SourceArchive, planner: &mut Planner) {
        let Some(interpreter) = planner.interpreter().cloned() else { return };
        let tools = Tools::new(interpreter, installer, planner);
        let mut run = tools.run_offline(planner);
        let at = format!("{LOCAL_DIR}/{}", file_name(&self.path));
        run.argv.push(at.clone());
        // The file alone, so that no other wheel's change runs this step again.
        run.mounts.push(Mount { at, from: files, part: format!("/{}", file_name(&self.path)) });
        tools.slim(&mut run, planner);
        let label = format!("{} {}", self.name, self.version);
        let tree = planner.run(format!("[{label}] install wheel"), self.span, run);
        let version = self.version.clone();
        planner.provide(Provided { version, ..tools.provided(&self.name, tree, self.span) });
    }
}

/// The step that has all of them side by side.
pub(super) fn gather(wheels: &[LocalWheel], span: Span, planner: &mut Planner) -> StepId {
    let from = planner.context(wheels.iter().map(|wheel| wheel.path.to_string()));
    let parts = wheels.iter().map(|wheel| Part {
        from: format!("/{}", wheel.path),
        to: format!("/{}", file_name(&wheel.path)),
        mode: None,
        directory: false,
    });
    let action = Action::Place { from, parts: parts.collect() };
    planner.step("[wheels] gather local wheels".to_owned(), span, action)
}

fn file_name(path: &ContextPath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(path: &str) -> Option<LocalWheel> {
        LocalWheel::of(&At::new(ContextPath::parse(path).ok()?, Span::default()))
    }

    #[test]
    fn the_names_of_wheels() {
        let found = wheel("dist/My_App-1.0.2-py3-none-any.whl").expect("a wheel");
        assert_eq!((found.name.as_str(), found.version.as_str()), ("my-app", "1.0.2"));
        assert_eq!(found.requirement(), "my-app @ file:///run/edgenode/local/My_App-1.0.2-py3-none-any.whl");
        assert!(wheel("a-1-1_build-cp313-cp313-manylinux_2_28_x86_64.whl").is_some());
        for path in [
            "a.whl",
            "a-1-any.whl",
            "a-1-py3-none-any.zip",
            "a b-1-py3-none-any.whl",
            "a-$(x)-py3-none-any.whl",
        ] {
            assert_eq!(wheel(path), None, "{path}");
        }
    }
}
