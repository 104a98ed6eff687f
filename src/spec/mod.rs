//! The language: spec text → [`Spec`]. No I/O, no defaults that depend on other fields.

mod args;
mod command;
mod decode;
mod edition;
mod extend;
mod grammar;
mod image;
mod mention;
mod node;
mod package_address;
pub mod schema;
mod secret;
mod span;
mod status;
mod suite;
mod tag;
mod target;
mod test;
mod wish;

pub(crate) use args::nearest_name;
pub use args::{Arg, Values};
pub use command::Command;
pub use decode::{Fields, boolean, checked, checked_version, entries, items, list, not_a_mapping, text};
pub use edition::EDITIONS;
pub use extend::{Document, document, merge, normal_name, to_text};
pub use grammar::{
    ContextPath, DebianPackage, DeviceName, Duration, EnvName, FileMode, ImagePath, ImageReference, Locale,
    Name, PackagePattern, PlatformName, Port, Repository, Requirement, Sha256, Signal, TimeZone, Url, User,
    UserId, UserName, Version,
};
pub use image::{Healthcheck, ImageSettings};
pub use mention::{Mention, tell_others, tell_own};
pub use node::{MAX_BYTES, Node, Scalar, Value, parse as parse_yaml};
pub use package_address::{PackageAddress, PackageOrigin, PackageRequirement, RemoteFile};
pub use secret::{Secret, Secrets};
pub use span::{At, Span};
pub use status::Status;
pub use suite::Suite;
pub use tag::TagSchema;
pub use target::{CpuLevel, DriverRange, Target};
pub use test::{Check, FileCheck, Need, Program, Stream, Test, Text};
pub use wish::{Bound, Wish};

use std::collections::BTreeSet;

use crate::components::{Declared, REGISTRY, System};
use crate::diagnostic::{Diagnostic, Problems};
use crate::lint::LintSettings;
use crate::resolve::BaseFacts;

/// A spec as written: every value checked by its grammar, nothing chosen yet.
#[derive(Debug)]
pub struct Spec {
    /// Its text as a tree, with everything it extends merged into it and all arguments put in.
    pub root: Node,
    /// What a build may set.
    pub args: Vec<Arg>,
    /// What the node is called.
    pub name: At<Name>,
    /// How far it can be relied on, if it says so.
    pub status: Option<At<Status>>,
    /// The image everything stands on.
    pub base: At<ImageReference>,
    /// The repository that its images are pushed to.
    pub repository: Option<At<Repository>>,
    /// How the tags of its images are made.
    pub tag: Option<At<TagSchema>>,
    /// The platforms that it is meant for; none for any.
    pub platforms: Vec<At<PlatformName>>,
    /// The nodes that it must run on.
    pub target: Target,
    /// A file of the build context with facts of the site, which come before ours.
    pub catalog: Option<At<ContextPath>>,
    /// The packages of the distribution.
    pub system: System,
    /// The declared components in the order of the registry, whatever their order in the text.
    pub components: Vec<At<Box<dyn Declared>>>,
    /// What the image's configuration says.
    pub image: ImageSettings,
    /// Programs that run in the assembled image and may change it, in their order.
    pub commands: Vec<Command>,
    /// What must hold in the finished image.
    pub tests: Vec<Test>,
    /// The secrets that its steps read.
    pub secrets: Secrets,
    /// Which rules of the linter it does not keep.
    pub lint: LintSettings,
    /// Tests that come with the program.
    pub suites: Vec<At<Suite>>,
    /// Whether there is no image where a test fails.
    pub require_tests: bool,
}

impl Spec {
    /// All secrets that steps read.
    pub fn all_secrets(&self) -> Vec<&Secret> {
        let commands = self.commands.iter().flat_map(|command| &command.secrets);
        let tests = self.tests.iter().filter_map(|test| test.program.as_ref());
        self.secrets.netrc.iter().chain(commands).chain(tests.flat_map(|program| &program.secrets)).collect()
    }

    /// All ssh agents that steps use.
    pub fn all_agents(&self) -> Vec<&Secret> {
        self.commands.iter().filter_map(|command| command.ssh.as_ref()).collect()
    }

    /// The files of the build context that must be read before versions are chosen.
    pub fn reads(&self) -> Vec<At<ContextPath>> {
        let components = self.components.iter().flat_map(|component| component.value.reads());
        self.catalog.iter().cloned().chain(components).collect()
    }

    /// What of the build context is a file or a directory must be known before versions are chosen.
    pub fn compared(&self) -> Vec<At<ContextPath>> {
        self.components.iter().flat_map(|component| component.value.compared()).collect()
    }

    /// What of the build context the image's steps copy or read, and those of its tests, if they run.
    pub fn copied(&self, with_tests: bool) -> Vec<At<ContextPath>> {
        let components = self.components.iter().flat_map(|component| component.value.copied());
        let commands = self.commands.iter().flat_map(|command| command.inputs.iter().cloned());
        let tests = self.tests.iter().filter(|_| with_tests).flat_map(|test| {
            let programs = test.program.iter();
            programs.flat_map(|program| &program.inputs).map(|path| At::new(path.clone(), test.name.span))
        });
        components.chain(commands).chain(tests).collect()
    }

    /// The wheels of the build context.
    pub fn local_wheels(&self) -> Vec<At<ContextPath>> {
        self.components.iter().flat_map(|component| component.value.local_wheels()).collect()
    }
}

impl Spec {
    /// The files of the base image that tell what the image already has.
    pub fn inspects(&self) -> BTreeSet<String> {
        let python = self.components.iter().find_map(|component| component.value.python_home());
        let components =
            self.components.iter().flat_map(|component| component.value.inspects(python.as_ref()));
        components.chain(self.system.inspects()).collect()
    }

    /// The addresses of the package indexes that must be read before versions are chosen, each once.
    pub fn indexes(&self, facts: &BaseFacts) -> Vec<At<String>> {
        let mut indexes: Vec<At<String>> = Vec::new();
        for index in self.components.iter().flat_map(|component| component.value.indexes(facts)) {
            if indexes.iter().all(|have| have.value != index.value) {
                indexes.push(index);
            }
        }
        indexes
    }
}

/// Reads a spec that stands for itself. All its problems are reported at once, in the order of the text.
pub fn parse(text: &str) -> Result<Spec, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    match document(text, 0, &mut problems) {
        Some(document) => decode(&document.root, problems),
        None => problems.check(None),
    }
}

/// Gives a spec's values their types, after everything it extends is merged into it. `problems` holds what reading its
/// files found.
pub fn decode(root: &Node, problems: Problems) -> Result<Spec, Vec<Diagnostic>> {
    decode_with(root, &Values::default(), problems)
}

/// The same for a build that sets arguments.
pub fn decode_with(root: &Node, values: &Values, mut problems: Problems) -> Result<Spec, Vec<Diagnostic>> {
    let (root, args) = args::expand(root, values, &mut problems);
    let spec = decode_spec(&root, args, &mut problems);
    problems.check(spec)
}

fn decode_spec(root: &Node, args: Vec<Arg>, problems: &mut Problems) -> Option<Spec> {
    let mut fields = Fields::open("the spec", root, problems)?;
    if let Some(edition) = fields.take("apiVersion") {
        edition::check(edition, problems)?;
    }
    // Already followed, and already put in.
    fields.take("extends");
    fields.take("args");
    let name = fields.require("name", "media-node", problems);
    let name = name.and_then(|node| checked("a name", node, problems, Name::parse));
    let base = fields.require("base", "debian:13", problems);
    let base = base.and_then(|node| checked("an image", node, problems, ImageReference::parse));
    let status = fields.take("status").and_then(|node| Status::decode(node, problems));
    let repository = fields.take("repository");
    let repository = repository.and_then(|node| checked("a repository", node, problems, Repository::parse));
    let tag = fields.take("tag").and_then(|node| checked("a tag", node, problems, TagSchema::parse));
    let platforms = match fields.take("platforms") {
        Some(node) => items("`platforms`", node, problems, |node, problems| {
            checked("a platform", node, problems, PlatformName::parse)
        }),
        None => Vec::new(),
    };
    let target = fields.take("target").and_then(|node| Target::decode(node, problems));
    let catalog = fields.take("catalog");
    let catalog =
        catalog.and_then(|n| checked("a path in the build context", n, problems, ContextPath::parse));
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
    let commands = match fields.take("commands") {
        Some(node) => items("`commands`", node, problems, Command::decode),
        None => Vec::new(),
    };
    let tests = match fields.take("tests") {
        Some(node) => items("`tests`", node, problems, Test::decode),
        None => Vec::new(),
    };
    let secrets = fields.take("secrets").and_then(|node| Secrets::decode(node, problems));
    let lint = fields.take("lint").and_then(|node| LintSettings::decode(node, problems));
    let suites = match fields.take("suites") {
        Some(node) => items("`suites`", node, problems, Suite::decode),
        None => Vec::new(),
    };
    let require_tests = fields.take("require_tests");
    let require_tests = require_tests.and_then(|node| boolean("`require_tests`", node, problems));
    fields.finish(problems);
    test::refuse_equal_names(&tests, problems);
    Some(Spec {
        root: root.clone(),
        args,
        name: name?,
        status,
        base: base?,
        repository,
        tag,
        platforms,
        target: target.unwrap_or_default(),
        catalog,
        system: system?,
        components,
        image,
        commands,
        tests,
        secrets: secrets.unwrap_or_default(),
        lint: lint.unwrap_or_default(),
        suites,
        require_tests: require_tests.is_some_and(|required| required.value),
    })
}
