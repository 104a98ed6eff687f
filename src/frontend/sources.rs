//! The files that a spec is made of: reading them, and showing what is wrong at their lines.

use buildkit_frontend::{BuildContext, Error, Gateway, Warning};
use buildkit_llb::{Definition, Range, SourceFile};

use super::{LANGUAGE, read_text};
use crate::diagnostic::{Diagnostic, Problems};
use crate::lint::Finding;
use crate::lock::{self, Lock};
use crate::lower;
use crate::spec::{At, ContextPath, MAX_BYTES, Node, Span, document, merge};

/// Specs that stand on each other at most.
const MAX_FILES: usize = 8;
/// Snippets that a client shows at most; each carries the whole file, and a message has 16 MiB.
const MAX_SNIPPETS: usize = 5;
/// Findings that a message lists at most.
const MAX_LISTED: usize = 50;

/// The files of a spec, in the order of their numbers: itself, then what it extends.
pub(super) struct Sources {
    pub(super) files: Vec<SourceFile>,
    /// The op that the spec was read from.
    digest: String,
}

impl Sources {
    /// Reads the spec and what it extends, and merges them.
    pub(super) async fn load(
        gateway: &Gateway,
        context: &BuildContext,
    ) -> Result<(Self, Node, Problems), Error> {
        let spec = context.spec();
        let mut sources = Self { files: vec![spec.source_file()], digest: spec.digest.clone() };
        let text = std::str::from_utf8(&spec.data)
            .map_err(|_| Error::user(format!("{} is not a text file (it is not UTF-8)", spec.filename)))?;
        let mut problems = Problems::default();
        let mut roots = Vec::new();
        let mut read = document(text, 0, &mut problems);
        while let Some(found) = read {
            read = None;
            roots.push(found.root);
            if let Some(path) = found.extends {
                let text = sources.add(gateway, context, &path).await?;
                let number = sources.files.len() as u8 - 1;
                read = document(&text, number, &mut problems);
                if read.is_none() {
                    roots.clear();
                }
            }
        }
        match roots.into_iter().rev().reduce(merge) {
            Some(root) => Ok((sources, root, problems)),
            None => Err(sources.report(&problems.check(None::<()>).err().unwrap_or_default())),
        }
    }

    /// Takes one more file of the build context in, and gives its text.
    async fn add(
        &mut self,
        gateway: &Gateway,
        context: &BuildContext,
        path: &At<ContextPath>,
    ) -> Result<String, Error> {
        let name = path.to_string();
        let refuse = |message: String| self.locate(Error::user(message), path.span);
        if self.files.iter().any(|file| file.filename == name) {
            return Err(refuse(format!("the spec extends itself by way of `{name}`")));
        }
        if self.files.len() == MAX_FILES {
            return Err(refuse(format!("more than {MAX_FILES} specs stand on each other")));
        }
        let files = context.files(std::slice::from_ref(&name)).await?;
        let definition = Definition::marshal(&files, &[]).map_err(|error| Error::user(error.to_string()))?;
        let root = gateway.solve(&definition).await?;
        let text = read_text(gateway, &root, &name, MAX_BYTES).await;
        let Some(text) = text.map_err(|error| self.locate(error, path.span))? else {
            return Err(refuse(format!(
                "`{name}` is not in the build context; a spec extends a file that is named from the top of it"
            )));
        };
        self.files.push(SourceFile {
            filename: name,
            language: LANGUAGE.to_owned(),
            data: text.clone().into_bytes(),
            definition: Some(definition.to_pb()),
        });
        Ok(text)
    }

    /// Reads the text of the lock beside the spec, which becomes the last of the files.
    pub(super) fn add_lock(&mut self, text: &str) -> Result<Lock, Error> {
        let filename = lock::file_name(&self.files[0].filename);
        let (language, data) = (LANGUAGE.to_owned(), text.as_bytes().to_vec());
        self.files.push(SourceFile { filename, language, data, definition: None });
        let mut problems = Problems::default();
        let lock = Lock::parse(text, self.files.len() as u8 - 1, &mut problems);
        problems.check(lock).map_err(|found| self.report(&found))
    }

    /// The names of the files.
    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.filename.clone()).collect()
    }

    /// A place as `file:line:column`.
    pub(super) fn place(&self, span: Span) -> String {
        format!("{}:{span}", self.file_name(span))
    }

    /// The name of the file that a place is in.
    pub(super) fn file_name(&self, span: Span) -> &str {
        &self.file(span).filename
    }

    fn file(&self, span: Span) -> &SourceFile {
        self.files.get(usize::from(span.file)).unwrap_or(&self.files[0])
    }

    /// All findings as one error, each with its snippet.
    pub(super) fn report(&self, found: &[Diagnostic]) -> Error {
        let names = self.names();
        let line =
            |found: &Diagnostic| format!("  {}:{}", self.file_name(found.span), found.named(&names).line());
        let mut lines: Vec<_> = found.iter().take(MAX_LISTED).map(line).collect();
        if found.len() > MAX_LISTED {
            lines.push(format!("  and {} more", found.len() - MAX_LISTED));
        }
        let message = match lines.as_slice() {
            [one] => one.trim_start().to_owned(),
            many => format!("{} problems in {}:\n{}", found.len(), self.files[0].filename, many.join("\n")),
        };
        snippets(found)
            .into_iter()
            .take(MAX_SNIPPETS)
            .fold(Error::user(message), |error, (span, ranges)| error.with_source(self.file(span), ranges))
    }

    /// Shows the line that an error comes from, unless it already has one.
    pub(super) fn locate(&self, error: Error, span: Span) -> Error {
        if error.has_source() {
            return error;
        }
        error.with_source(self.file(span), vec![lower::range(span)])
    }

    /// Shows a warning.
    pub(super) async fn warn(&self, gateway: &Gateway, found: &Diagnostic) {
        let Diagnostic { message, help, span, .. } = found.named(&self.names());
        self.warn_at(gateway, span, &message, help.into_iter().collect(), String::new()).await;
    }

    /// Shows a finding of the linter.
    pub(super) async fn warn_of(&self, gateway: &Gateway, Finding { rule, span, detail }: &Finding) {
        let words = format!("{}: {detail}", rule.id);
        self.warn_at(gateway, *span, &words, vec![rule.asks.to_owned()], rule.page()).await;
    }

    async fn warn_at(&self, gateway: &Gateway, span: Span, words: &str, detail: Vec<String>, url: String) {
        // Clients put the words below those of other warnings, without the file.
        let place = span.told(&self.names());
        let warning = Warning {
            digest: self.digest.clone(),
            short: format!("{words} ({place})"),
            detail,
            url,
            source: Some(self.file(span).clone()),
            ranges: vec![lower::range(span)],
        };
        gateway.warn(warning).await;
    }
}

/// The places of the findings. Those that are near each other share a snippet, as clients show every line in between.
fn snippets(found: &[Diagnostic]) -> Vec<(Span, Vec<Range>)> {
    let mut snippets: Vec<(Span, Vec<Range>)> = Vec::new();
    for Diagnostic { span, .. } in found {
        let range = lower::range(*span);
        match snippets.last_mut() {
            Some((last, ranges)) if span.file == last.file && span.start.0 <= last.start.0 + 4 => {
                ranges.push(range);
                *last = *span;
            }
            _ => snippets.push((*span, vec![range])),
        }
    }
    snippets
}
