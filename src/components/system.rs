//! `system:` the packages of the distribution. This branch alone owns dpkg's database, users and `/etc`.

use crate::diagnostic::Problems;
use crate::spec::{At, DebianPackage, Fields, Node, Span, checked, items};

/// What the spec asks the distribution for.
#[derive(Debug)]
pub struct System {
    /// Packages, sorted.
    pub packages: Vec<At<DebianPackage>>,
    /// Its place in the spec.
    pub span: Span,
}

impl System {
    /// A spec without the field: only what the components need is installed.
    pub fn empty(span: Span) -> Self {
        Self { packages: Vec::new(), span: Span { start: span.start, end: span.start } }
    }

    /// Reads `system:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`system`", node, problems)?;
        let mut packages = match fields.take("packages") {
            Some(node) => items("`packages`", node, problems, |node, problems| {
                checked("a package", node, problems, DebianPackage::parse)
            }),
            None => Vec::new(),
        };
        fields.finish(problems);
        packages.sort_by(|a, b| a.value.cmp(&b.value));
        for pair in packages.windows(2).filter(|pair| pair[0] == pair[1]) {
            let message = format!("the package `{}` is here twice", pair[1]);
            problems.error_with_help(pair[1].span, message, format!("it is also at {}", pair[0].span));
        }
        Some(Self { packages, span: node.span })
    }
}
