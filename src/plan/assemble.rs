//! Puts the components' branches together: what they need of the distribution, the system, the merged image, its
//! shared indexes, and its tests.

use super::planner::{Planner, Provided, RUN_DIR, Script};
use super::{Action, Config, Mount, Plan, Run, RunResult, StepId};
use crate::components::{System, install_wheels};
use crate::resolve::Node;
use crate::spec::{Command, Span, Status, Test};

const LOOK: Script = Script { name: "look.sh", text: include_str!("../components/scripts/look.sh") };
const LINKS: Script = Script { name: "links.sh", text: include_str!("../components/scripts/links.sh") };
const FIT: Script = Script { name: "fit.sh", text: include_str!("../components/scripts/fit.sh") };
const SEAL: Script = Script { name: "seal.sh", text: include_str!("../components/scripts/seal.sh") };
const CHECK: Script = Script { name: "check.sh", text: include_str!("../components/scripts/check.sh") };

/// Plans a node.
pub fn plan(node: &Node) -> Plan {
    let at = node.base.span;
    let mut planner = Planner::new(node.base.value.clone(), at);
    for component in &node.components {
        component.value.plan(component.span, &mut planner);
    }
    let resolution = install_wheels(&mut planner, node);
    let looks = look(&mut planner);
    let system = node.system.plan(&looks, &mut planner);
    let provided = planner.all_provided().iter().zip(&looks);
    let independent = provided.filter(|(p, _)| !p.is_wheels).map(|(_, (_, look))| *look).collect();
    let config = Config {
        labels: labels(node.name.value.as_str(), node.status, &planner),
        path: planner.all_provided().iter().flat_map(|p| p.path.clone()).collect(),
        env: environment(&node.system, planner.all_provided()),
        entrypoint: planner.all_provided().iter().find_map(|p| p.entrypoint.clone()),
        settings: node.image.clone(),
    };
    let fits = check_fit(&mut planner, &looks, system, at);
    let image = assemble(&mut planner, system, fits, &node.commands, &config, at);
    let tests = node.tests.iter().map(|test| add_test(&mut planner, image, test, &config)).collect();
    let (steps, components) = planner.into_parts();
    Plan { steps, components, resolution, independent, image, tests, config }
}

/// What is seen in each component's tree: which packages own the libraries that its files need, and which files it has.
/// What comes after only sees these lists, so that a component that changes but needs the same leaves the system step
/// cached, and nothing but the component's own step has to have its tree.
fn look(planner: &mut Planner) -> Vec<(String, StepId)> {
    let provided: Vec<_> = planner.all_provided().iter().map(Look::new).collect();
    provided.into_iter().map(|look| (look.name.clone(), look.plan(planner))).collect()
}

/// A look at a component's tree.
struct Look {
    name: String,
    tree: StepId,
    built_in: Option<StepId>,
    optional_libraries: bool,
    span: Span,
}

impl Look {
    fn new(provided: &Provided) -> Self {
        let Provided { tree, built_in, optional_libraries, span, .. } = *provided;
        Self { name: provided.name.clone(), tree, built_in, optional_libraries, span }
    }

    fn plan(&self, planner: &mut Planner) -> StepId {
        let at = format!("{RUN_DIR}/tree");
        let root = self.built_in.unwrap_or(planner.base());
        let mut run = planner.script(&LOOK, root, vec![at.clone()]);
        run.mounts.push(Mount { at, from: self.tree, part: "/".to_owned() });
        let libraries = match (self.built_in, self.optional_libraries) {
            (None, _) => "none",
            (Some(_), true) => "optional",
            (Some(_), false) => "required",
        };
        run.env.push(("LIBRARIES".to_owned(), libraries.to_owned()));
        let what = if self.built_in.is_some() { "find needed packages" } else { "list files" };
        planner.run(format!("[{}] {what}", self.name), self.span, run)
    }
}

fn environment(system: &System, provided: &[Provided]) -> Vec<(String, String)> {
    system.env().into_iter().chain(provided.iter().flat_map(|p| p.env.clone())).collect()
}

/// Lays the trees on the system, lets the commands of the spec change the result, and lays the shared indexes on it.
fn assemble(
    planner: &mut Planner,
    system: StepId,
    fits: StepId,
    commands: &[Command],
    config: &Config,
    at: Span,
) -> StepId {
    let provided = planner.all_provided().iter();
    let mut trees: Vec<_> = provided.clone().map(|provided| provided.tree).collect();
    let indexed: Vec<_> =
        provided.filter(|provided| provided.indexed).map(|provided| provided.tree).collect();
    let lay = |trees: Vec<StepId>, planner: &mut Planner| {
        planner.step("[image] assemble".to_owned(), at, Action::Assemble { root: system, trees })
    };
    match commands {
        // The layers of the components are those of their trees. The indexes are made without the trees that are in
        // none, which then need not be there for it.
        [] => {
            let laid = lay(indexed, planner);
            trees.push(seal(planner, laid, fits, config, at));
            planner.step("[image] assemble and seal".to_owned(), at, Action::Assemble { root: system, trees })
        }
        // A command may have changed any file.
        _ => {
            let mut laid = lay(trees, planner);
            for command in commands {
                laid = add_command(planner, laid, fits, command, config);
            }
            let trees = vec![seal(planner, laid, fits, config, at)];
            planner.step("[image] assemble and seal".to_owned(), at, Action::Assemble { root: laid, trees })
        }
    }
}

/// Makes the shared indexes of `root`, and the working directory if it is not there.
fn seal(planner: &mut Planner, root: StepId, fits: StepId, config: &Config, at: Span) -> StepId {
    let workdir = config.settings.workdir.as_ref().map(|dir| dir.value.as_str());
    let mut run: Run = planner.script(&SEAL, root, Vec::new());
    run.env.push(("WORKDIR".to_owned(), workdir.unwrap_or("/").to_owned()));
    // Nothing is read from there: a root that does not fit may be unable to run anything, so it must not be tried.
    run.mounts.push(Mount { at: format!("{RUN_DIR}/fits"), from: fits, part: "/".to_owned() });
    planner.run("[image] seal".to_owned(), at, run)
}

/// A command of the spec runs in the image as it is so far, with the image's environment.
fn add_command(
    planner: &mut Planner,
    root: StepId,
    fits: StepId,
    command: &Command,
    config: &Config,
) -> StepId {
    let mut mounts = vec![Mount { at: format!("{RUN_DIR}/fits"), from: fits, part: "/".to_owned() }];
    if !command.inputs.is_empty() {
        let paths: Vec<_> = command.inputs.iter().map(|path| path.value.to_string()).collect();
        let from = planner.context(paths.clone());
        mounts.extend(paths.iter().map(|path| Mount {
            at: format!("{RUN_DIR}/inputs/{path}"),
            from,
            part: format!("/{path}"),
        }));
    }
    let run = Run {
        root,
        argv: command.run.iter().map(|argument| argument.value.clone()).collect(),
        env: config.environment(&planner.facts().env),
        cwd: "/".to_owned(),
        user: String::new(),
        mounts,
        caches: Vec::new(),
        scratch: Vec::new(),
        network: command.network,
        result: RunResult::Root,
    };
    planner.run(format!("[command] {}", command.name), command.name.span, run)
}

/// Whether the trees fit together, and on the system, by the lists of what is in them. The result is empty.
fn check_fit(planner: &mut Planner, looks: &[(String, StepId)], system: StepId, at: Span) -> StepId {
    let links = planner.script(&LINKS, system, Vec::new());
    let links = planner.run("[system] list links".to_owned(), at, links);
    let base = planner.base();
    let mut run = planner.script(&FIT, base, Vec::new());
    let (lists, system) = (format!("{RUN_DIR}/lists"), format!("{RUN_DIR}/system"));
    run.mounts.extend(looks.iter().map(|(name, from)| Mount {
        at: format!("{lists}/{name}"),
        from: *from,
        part: "/has".to_owned(),
    }));
    run.mounts.push(Mount { at: system.clone(), from: links, part: "/".to_owned() });
    run.env.extend([("LISTS".to_owned(), lists), ("SYSTEM".to_owned(), system)]);
    planner.run("[image] check that the parts fit".to_owned(), at, run)
}

/// Labels that tell what is in the image without starting it.
fn labels(name: &str, status: Option<Status>, planner: &Planner) -> Vec<(String, String)> {
    let components = planner.all_provided().iter().filter(|p| p.part_of.is_none());
    let mut labels: Vec<_> = components.map(|p| (component_label(&p.name), p.version.clone())).collect();
    labels
        .extend(planner.kept().iter().map(|v| (component_label(v.name), format!("{} (vendor)", v.version))));
    labels.extend(status.map(|status| ("ai.ratio1.status".to_owned(), status.word().to_owned())));
    labels.push(("org.opencontainers.image.title".to_owned(), name.to_owned()));
    labels.sort();
    labels
}

fn component_label(name: &str) -> String {
    format!("ai.ratio1.edgenode.{name}")
}

/// A test runs in the finished image with the image's environment; its report is the step's result.
fn add_test(planner: &mut Planner, image: StepId, test: &Test, config: &Config) -> StepId {
    let mut arguments = vec![test.name.to_string(), test.stdout_contains.len().to_string()];
    arguments.extend(test.stdout_contains.iter().chain(&test.run).map(|text| text.value.clone()));
    let mut run = planner.script(&CHECK, image, arguments);
    // The script's own variable wins; it is not passed on to the program.
    let env = config.environment(&planner.facts().env);
    run.env.extend(env.into_iter().filter(|(name, _)| name != "OUT"));
    if let Some(workdir) = &config.settings.workdir {
        run.cwd = workdir.to_string();
    }
    planner.run(format!("[test] {}", test.name), test.name.span, run)
}
