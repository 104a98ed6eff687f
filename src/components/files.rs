//! `files:` files and directories of the build context, at their place in the image.

use super::{Component, Declared, Registration};
use crate::diagnostic::Problems;
use crate::plan::{Action, Part, Planner, Provided};
use crate::resolve::Context;
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

impl Declared for Files {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn copied(&self) -> Vec<At<ContextPath>> {
        self.0.iter().map(|file| file.from.clone()).collect()
    }

    fn resolve(&self, _: &Context<'_>, _: Span, _: &mut Problems) -> Option<Box<dyn Component>> {
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
        });
        let action = Action::Place { from, parts: parts.collect() };
        let tree = planner.step("[files] put in place".to_owned(), span, action);
        planner.provide(Provided {
            small: true,
            ..Provided::new(REGISTRATION.key, format!("{} entries", self.0.len()), tree, span)
        });
    }
}
