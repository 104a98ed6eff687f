//! The language: spec text → [`Spec`]. No I/O, no defaults that depend on other fields.

mod decode;
mod grammar;
mod image;
mod node;
mod span;
mod test;

pub use decode::{Fields, boolean, checked, entries, items, list, text};
pub use grammar::{
    DebianPackage, EnvName, ImagePath, ImageReference, Name, Requirement, Sha256, Url, Version,
};
pub use image::ImageSettings;
pub use node::{MAX_BYTES, Node, Scalar, Value, parse as parse_yaml};
pub use span::{At, Span};
pub use test::Test;

use crate::components::{Declared, REGISTRY, System};
use crate::diagnostic::{Diagnostic, Problems};

/// A spec as written: every value checked by its grammar, nothing chosen yet.
#[derive(Debug)]
pub struct Spec {
    /// What the node is called.
    pub name: At<Name>,
    /// The image everything stands on.
    pub base: At<ImageReference>,
    /// The packages of the distribution.
    pub system: System,
    /// The declared components in the order of the registry, whatever their order in the text.
    pub components: Vec<At<Box<dyn Declared>>>,
    /// What the image's configuration says.
    pub image: ImageSettings,
    /// What must hold in the finished image.
    pub tests: Vec<Test>,
}

/// Reads a spec. All its problems are reported at once, in the order of the text.
pub fn parse(spec: &str) -> Result<Spec, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let spec = decode_spec(spec.trim_start_matches('\u{feff}'), &mut problems);
    problems.check(spec)
}

fn decode_spec(text: &str, problems: &mut Problems) -> Option<Spec> {
    let root = parse_yaml(text, problems)?;
    let mut fields = Fields::open("the spec", &root, problems)?;
    let name = fields.require("name", "media-node", problems);
    let name = name.and_then(|node| checked("a name", node, problems, Name::parse));
    let base = fields.require("base", "debian:13", problems);
    let base = base.and_then(|node| checked("an image", node, problems, ImageReference::parse));
    let system = match fields.take("system") {
        Some(node) => System::decode(node, problems),
        None => Some(System::empty(root.span)),
    };
    let mut components = Vec::new();
    for component in REGISTRY {
        if let Some(node) = fields.take(component.key) {
            let declared = (component.decode)(node, problems);
            components.extend(declared.map(|declared| At::new(declared, node.span)));
        }
    }
    let image = ImageSettings::decode(&mut fields, problems);
    let tests = match fields.take("tests") {
        Some(node) => items("`tests`", node, problems, Test::decode),
        None => Vec::new(),
    };
    fields.finish(problems);
    test::refuse_equal_names(&tests, problems);
    Some(Spec { name: name?, base: base?, system: system?, components, image, tests })
}
