//! Puts the components' branches together: what they need of the distribution, the system, the merged image, its
//! shared indexes, and its tests.

use std::collections::BTreeMap;

use super::look::{Look, mount_lists};
use super::planner::{Collected, Planner, Provided, RUN_DIR, Script};
use super::suites;
use super::tests::add_test;
use super::{
    Action, Config, Device, Mount, Plan, Release, Run, RunResult, SSH_SOCKET, SecretFile, SshAgent, StepId,
    component_label,
};
use crate::components::{System, install_wheels};
use crate::diagnostic::Severity;
use crate::lock::LockUse;
use crate::resolve::{Node, machine};
use crate::spec::{Command, Span, Status};

const LINKS: Script = Script { name: "links.sh", text: include_str!("../components/scripts/links.sh") };
const FIT: Script = Script { name: "fit.sh", text: include_str!("../components/scripts/fit.sh") };
const SEAL: Script = Script { name: "seal.sh", text: include_str!("../components/scripts/seal.sh") };
const LIST_PARTS: Script =
    Script { name: "sbom-list.sh", text: include_str!("../components/scripts/sbom-list.sh") };

/// Plans a node.
pub fn plan(node: &Node) -> Plan {
    let at = node.base.span;
    let lock = match &node.lock {
        LockUse::Fixed(lock) => Some(lock.clone()),
        LockUse::None | LockUse::Making(_) => None,
    };
    let mut planner = Planner::new(node.base.value.clone(), at, node.lock.clone());
    planner.set_netrc(node.netrc.clone());
    planner.set_mirror(node.mirror.clone());
    planner.set_wheelhouse(node.wheelhouse);
    planner.set_constraints(node.constraints.clone());
    for component in &node.components {
        component.value.plan(component.span, &mut planner);
    }
    install_wheels(&mut planner, node);
    for component in &node.components {
        component.value.finish(component.span, &mut planner);
    }
    let looks = planner.look(|_| true);
    let owners = planner.find_owners(&looks);
    let system = node.system.plan(&owners, &mut planner);
    let config = Config {
        labels: labels(node.name.value.as_str(), node.status, &node.fleet_labels, &planner),
        path: planner.all_provided().iter().flat_map(|p| p.path.clone()).collect(),
        env: environment(&node.system, &node.fleet_env, planner.all_provided()),
        entrypoint: planner.all_provided().iter().find_map(|p| p.entrypoint.clone()),
        settings: node.image.clone(),
    };
    let fits = check_fit(&mut planner, &looks, system, at);
    let image = assemble(&mut planner, system, fits, &node.commands, &config, at);
    planner.check_layers(image, at);
    let mut tests: Vec<_> =
        node.tests.iter().map(|test| add_test(&mut planner, image, test, &[], &config)).collect();
    let suites: Vec<_> = node.suites.iter().flat_map(|suite| suites::tests(suite, &planner)).collect();
    for suite in suites {
        // A test of the spec takes the place of one of its name.
        if node.tests.iter().all(|test| test.name != suite.test.name) {
            tests.push(add_test(&mut planner, image, &suite.test, &suite.files, &config));
        }
    }
    let parts = list_parts(&mut planner, image);
    let release = Release {
        repository: node.repository.clone(),
        tag: node.tag.clone(),
        versions: versions(&planner),
        wheels: planner.chosen().cloned(),
    };
    let site = planner.interpreter().map(|interpreter| interpreter.home.site());
    let Collected { steps, provided: components, pending, sources, archives, problems } =
        planner.into_collected();
    let (problems, warnings): (Vec<_>, _) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    let problems = match &lock {
        // What is missing names itself.
        Some(lock) if problems.is_empty() => lock.doubts.clone(),
        _ => problems,
    };
    Plan {
        name: node.name.to_string(),
        steps,
        components,
        looks: looks.iter().map(|look| look.step).chain(owners.iter().map(|(_, step)| *step)).collect(),
        image,
        tests,
        require_tests: node.require_tests,
        config,
        release,
        decisions: node.decisions.clone(),
        parts,
        lock,
        pending,
        site,
        sources,
        archives,
        problems,
        warnings,
    }
}

fn environment(system: &System, fleet: &[(String, String)], provided: &[Provided]) -> Vec<(String, String)> {
    system
        .env()
        .into_iter()
        .chain(fleet.iter().cloned())
        .chain(provided.iter().flat_map(|p| p.env.clone()))
        .collect()
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
    let trees: Vec<_> = planner.all_provided().iter().map(|provided| provided.tree).collect();
    let lay = |planner: &mut Planner, root: StepId, trees: Vec<StepId>, what: &str| {
        planner.step(format!("[image] {what}"), at, Action::Assemble { root, trees })
    };
    if commands.is_empty() {
        // The layers of the components are those of their trees. The indexes are made without the trees that are in
        // none, which then need not be there for it.
        let indexed = indexed(planner);
        let laid = lay(planner, system, indexed, "assemble");
        let seal = seal(planner, laid, fits, config, at);
        return lay(planner, system, [trees, vec![seal]].concat(), "assemble and seal");
    }
    // A command may have changed any file.
    let mut laid = lay(planner, system, trees, "assemble");
    for command in commands {
        laid = add_command(planner, laid, fits, command, config);
    }
    let seal = seal(planner, laid, fits, config, at);
    lay(planner, laid, vec![seal], "assemble and seal")
}

/// The trees in which the loader finds libraries, by itself or in the directories that components name.
fn indexed(planner: &Planner) -> Vec<StepId> {
    let provided = planner.all_provided();
    let named: Vec<_> = provided.iter().flat_map(|p| &p.libraries_of).collect();
    let is_indexed = |p: &&Provided| p.indexed || named.iter().any(|component| p.belongs_to(component));
    provided.iter().filter(is_indexed).map(|provided| provided.tree).collect()
}

/// Makes the shared indexes of `root`, and the working directory if it is not there.
fn seal(planner: &mut Planner, root: StepId, fits: StepId, config: &Config, at: Span) -> StepId {
    let provided = planner.all_provided().iter();
    let libraries = provided.clone().flat_map(|p| p.libraries.clone()).collect();
    let records = provided.filter_map(|p| Some((p.name.clone(), p.records?)));
    let records = records.map(|(name, from)| Mount {
        at: format!("{RUN_DIR}/records/{name}"),
        from,
        part: "/".to_owned(),
    });
    let records: Vec<_> = records.collect();
    let workdir = config.settings.workdir.as_ref().map(|dir| dir.value.as_str());
    let mut run: Run = planner.script(&SEAL, root, libraries);
    run.env.push(("WORKDIR".to_owned(), workdir.unwrap_or("/").to_owned()));
    if !records.is_empty() {
        run.env.push(("RECORDS".to_owned(), format!("{RUN_DIR}/records")));
    }
    run.mounts.extend(records);
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
    let mut env = config.environment(&planner.facts().env);
    env.extend(command.ssh.iter().map(|_| ("SSH_AUTH_SOCK".to_owned(), SSH_SOCKET.to_owned())));
    let run = Run {
        root,
        argv: command.run.iter().map(|argument| argument.value.clone()).collect(),
        env,
        cwd: "/".to_owned(),
        user: String::new(),
        mounts,
        caches: Vec::new(),
        scratch: Vec::new(),
        secrets: command.secrets.iter().map(SecretFile::in_run).collect(),
        agent: command.ssh.as_ref().map(SshAgent::new),
        network: command.network,
        devices: command.devices.iter().map(Device::required).collect(),
        privileged: false,
        result: RunResult::Root,
    };
    planner.run(format!("[command] {}", command.name), command.name.span, run)
}

/// Whether the trees fit together, and on the system, by the lists of what is in them. The result is empty.
fn check_fit(planner: &mut Planner, looks: &[Look], system: StepId, at: Span) -> StepId {
    let links = planner.script(&LINKS, system, Vec::new());
    let links = planner.run("[system] list links".to_owned(), at, links);
    let base = planner.base();
    let mut run = planner.script(&FIT, base, Vec::new());
    let (lists, system) = (format!("{RUN_DIR}/lists"), format!("{RUN_DIR}/system"));
    run.mounts.extend(mount_lists(looks, &lists));
    run.mounts.push(Mount { at: system.clone(), from: links, part: "/".to_owned() });
    run.env.extend([("LISTS".to_owned(), lists), ("SYSTEM".to_owned(), system)]);
    planner.run("[image] check that the parts fit".to_owned(), at, run)
}

/// Lists what is in the finished image. It runs there, as a mount of the whole image would have to be hashed.
fn list_parts(planner: &mut Planner, image: StepId) -> StepId {
    let mut run = planner.script(&LIST_PARTS, image, Vec::new());
    if let Some(from) = planner.local_wheels() {
        let at = format!("{RUN_DIR}/local");
        run.mounts.push(Mount { at: at.clone(), from, part: "/".to_owned() });
        run.env.push(("LOCAL".to_owned(), at));
    }
    planner.run("[sbom] list parts".to_owned(), Span::default(), run)
}

/// Labels that tell what is in the image without starting it.
fn labels(
    name: &str,
    status: Option<Status>,
    fleet: &[(String, String)],
    planner: &Planner,
) -> Vec<(String, String)> {
    let components = planner.all_provided().iter().filter(|p| p.part_of.is_none());
    let mut labels: Vec<_> = components.map(|p| (component_label(&p.name), p.version.clone())).collect();
    labels
        .extend(planner.kept().iter().map(|v| (component_label(v.name), format!("{} (vendor)", v.version))));
    labels.extend(fleet.iter().cloned());
    labels.extend(status.map(|status| ("ai.ratio1.status".to_owned(), status.word().to_owned())));
    labels.push(("org.opencontainers.image.title".to_owned(), name.to_owned()));
    labels.sort();
    labels
}

/// What is known of the image's versions before it is built.
fn versions(planner: &Planner) -> BTreeMap<String, String> {
    let facts = planner.facts();
    let provided = planner.all_provided().iter().map(|p| (p.name.clone(), p.version.clone()));
    let kept = planner.kept().iter().map(|v| (v.name.to_owned(), v.version.clone()));
    let versions =
        provided.chain(kept).filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
    // Numbers of things are no versions, nor is the release that wheels of CUDA are made for.
    let mut versions: BTreeMap<_, _> = versions.filter(|(_, version)| version.contains('.')).collect();
    versions.extend(planner.chosen().into_iter().flat_map(|chosen| chosen.pinned.clone()));
    versions.insert("machine".to_owned(), machine(&facts.architecture).to_owned());
    let base = facts.reference.split('@').next().unwrap_or_default();
    if let Some((_, tag)) = base.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        versions.insert("base.tag".to_owned(), tag.to_owned());
    }
    versions
}
