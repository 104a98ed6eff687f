//! `files:` files and directories of the build context, at their place in the image.

use super::{Component, Declared, Registration, docker};
use crate::diagnostic::Problems;
use crate::plan::{Action, Part, Planner, Provided};
use crate::resolve::{Context, link_of};
use crate::spec::{At, ContextPath, Fields, FileMode, ImagePath, Node, Span, checked, items};

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "files", decode };

#[derive(Clone, Debug)]
struct File {
    from: At<ContextPath>,
    to: At<ImagePath>,
    mode: Option<FileMode>,
}

#[derive(Clone, Debug)]
struct Files(Vec<File>);

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let files = items("`files`", node, problems, decode_file);
    refuse_equal_places(&files, problems);
    Some(Box::new(Files(files)))
}

fn decode_file(node: &Node, problems: &mut Problems) -> Option<File> {
    let mut fields = Fields::open("an entry of `files`", node, problems)?;
    let from = fields.require("from", "app/config.yaml", problems);
    let from = from.and_then(|n| checked("a path in the build context", n, problems, ContextPath::parse));
    let to = fields.require("to", "/etc/app/config.yaml", problems);
    let to = to.and_then(|n| checked("a path in the image", n, problems, ImagePath::parse));
    let mode = fields.take("mode").and_then(|n| checked("a file mode", n, problems, FileMode::parse));
    fields.finish(problems);
    Some(File { from: from?, to: to?, mode: mode.map(|mode| mode.value) })
}

fn refuse_equal_places(files: &[File], problems: &mut Problems) {
    for (i, file) in files.iter().enumerate() {
        if let Some(first) = files[..i].iter().find(|f| f.to == file.to && f.from == file.from) {
            let message = format!("`{}` is put at `{}` for the second time", file.from, file.to);
            problems.error_with_help(
                file.to.span,
                message,
                format!("the first is at {}", first.to.span.place()),
            );
        }
    }
}

/// An entry, and where it comes to lie.
#[derive(Debug)]
struct Placed<'f> {
    file: &'f File,
    at: String,
    /// Whether it is known to be one file.
    is_file: bool,
}

/// Where entries come to lie, one after another: a file goes into what is a directory by then, as in Dockerfiles. What
/// nobody knows the kind of is taken for a directory, which can lie almost anywhere; so is a file in what an earlier entry
/// may have brought, where there may be a directory of that name.
fn place<'f>(files: &'f [File], context: &Context<'_>) -> Vec<Placed<'f>> {
    let mut placed: Vec<Placed<'f>> = Vec::new();
    for file in files {
        let (from, to) = (&file.from.value, file.to.value.as_str());
        let is_in_tree = placed.iter().any(|other| !other.is_file && is_below(to, &other.at));
        let is_file = context.is_directory(from) == Some(false) && !is_in_tree;
        let holds = |other: &Placed<'_>| is_below(&other.at, to) || other.at == to && !other.is_file;
        let name = from.as_str().rsplit('/').next().unwrap_or_default();
        let at = match is_file && placed.iter().any(holds) {
            true => format!("{}/{name}", to.trim_end_matches('/')),
            false => to.to_owned(),
        };
        placed.push(Placed { file, at, is_file });
    }
    placed
}

/// Whether a path lies in a directory, at whatever depth.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// Reports an entry below the place of an earlier one that is a file, which is in the way, and warns of a file that takes
/// the place of an earlier one. Directories are merged, and a file may take the place of one that comes with a directory:
/// that is how a whole tree is copied with one file of it changed.
fn check_each_other(placed: &[Placed<'_>], context: &Context<'_>, problems: &mut Problems) {
    let help = "take one of them out, or give it another `to`, which for a file is the file's own place";
    for (i, Placed { file, at, .. }) in placed.iter().enumerate() {
        let in_the_way = |first: &&Placed<'_>| first.is_file && (first.at == *at || is_below(at, &first.at));
        let Some(first) = placed[..i].iter().find(in_the_way) else { continue };
        let (line, from) = (first.file.to.span.line(), &first.file.from);
        if first.at != *at {
            let message = format!("`{at}` cannot lie below `{}`, which is a file ({line})", first.at);
            problems.error_with_help(file.to.span, message, help);
        } else if context.is_directory(&file.from.value) == Some(true) {
            let message =
                format!("`{at}` cannot be both the file `{from}` ({line}) and the directory `{}`", file.from);
            problems.error_with_help(file.to.span, message, help);
        } else {
            let message = format!("`{at}` is `{}`, and nothing is left of `{from}` ({line})", file.from);
            problems.warning(file.to.span, message, help);
        }
    }
}

/// Reports entries at or below the place of a file that a component certainly has. What lies above one may be a directory,
/// which is merged with the component's.
fn check_components(placed: &[Placed<'_>], context: &Context<'_>, problems: &mut Problems) {
    let installed = context.installed();
    for Placed { file, at, .. } in placed {
        let is_taken = |own: &&At<(&str, String)>| own.value.1 == *at || is_below(at, &own.value.1);
        let Some(At { value: (key, path), span }) = installed.iter().find(is_taken) else { continue };
        let message = match path == at {
            true => format!("`{at}` is a file of `{key}` ({})", span.line()),
            false => format!("`{at}` cannot lie below `{path}`, a file of `{key}` ({})", span.line()),
        };
        let help = match path.as_str() {
            docker::ENTRYPOINT => "give it another `to`, and name that in `entrypoint:`".to_owned(),
            _ => format!(
                "give it another `to`, or leave `{key}` out; one of `commands`, which run later, can replace the file, \
                 with the new one among its `inputs`"
            ),
        };
        problems.error_with_help(file.to.span, message, help);
    }
}

/// Reports entries that would put a directory, or a file, in the place of a link of the distribution, and with it hide all
/// that lies behind it.
fn check_links(placed: &[Placed<'_>], context: &Context<'_>, problems: &mut Problems) {
    for Placed { file, at, .. } in placed {
        let Some(link) = link_of(at, context.facts.links_to_usr()) else { continue };
        let release = &context.facts.os_release;
        let message =
            format!("`{link}` is a link in {} {}, which this would replace", release.id, release.version_id);
        let help = match (at == link, file.from.value.as_str().rsplit('/').next()) {
            (true, Some(name)) => {
                format!("write `/usr{at}/{name}` for a file, and `/usr{at}` for what is in a directory")
            }
            _ => format!("write `/usr{}`", file.to),
        };
        problems.error_with_help(file.to.span, message, help);
    }
}

impl Declared for Files {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn copied(&self) -> Vec<At<ContextPath>> {
        self.0.iter().map(|file| file.from.clone()).collect()
    }

    /// Those that lie at, above or below the place of another one.
    fn compared(&self) -> Vec<At<ContextPath>> {
        let touches = |one: &str, other: &str| one == other || is_below(one, other) || is_below(other, one);
        let is_compared = |(place, file): &(usize, &File)| {
            let mut others = self.0.iter().enumerate().filter(|(other, _)| other != place);
            others.any(|(_, other)| touches(file.to.value.as_str(), other.to.value.as_str()))
        };
        let compared = self.0.iter().enumerate().filter(is_compared);
        compared.map(|(_, file)| file.from.clone()).collect()
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let placed = place(&self.0, context);
        check_each_other(&placed, context, problems);
        check_components(&placed, context, problems);
        check_links(&placed, context, problems);
        Some(Box::new(self.clone()))
    }
}

impl Component for Files {
    fn plan(&self, span: Span, planner: &mut Planner) {
        if self.0.is_empty() {
            return;
        }
        let from = planner.context(self.0.iter().map(|file| file.from.to_string()));
        let parts = self.0.iter().map(|file| Part {
            from: format!("/{}", file.from),
            to: file.to.to_string(),
            mode: file.mode.map(FileMode::bits),
            directory: true,
            optional: false,
        });
        let action = Action::Place { from, parts: parts.collect() };
        let tree = planner.step("[files] put in place".to_owned(), span, action);
        planner.provide(Provided {
            small: true,
            ..Provided::new(REGISTRATION.key, format!("{} entries", self.0.len()), tree, span)
        });
    }
}
