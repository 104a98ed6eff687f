//! Puts the components' branches together: what they need of the distribution, the system, the merged image, its
//! shared indexes, and its tests.

use std::collections::BTreeMap;

use super::planner::{Collected, Planner, Provided, RUN_DIR, Script};
use super::suites;
use super::tests::add_test;
use super::{Action, Config, Mount, Plan, Release, Run, RunResult, SecretFile, StepId, component_label};
use crate::components::{System, install_wheels};
use crate::lock::LockUse;
use crate::resolve::Node;
use crate::spec::{Command, Span, Status};

const NEEDS: Script = Script { name: "needs.sh", text: include_str!("../components/scripts/needs.sh") };
const FIT: Script = Script { name: "fit.sh", text: include_str!("../components/scripts/fit.sh") };
const SEAL: Script = Script { name: "seal.sh", text: include_str!("../components/scripts/seal.sh") };

/// Plans a node.
pub fn plan(node: Node) -> Plan {
    let at = node.base.span;
    let locked = matches!(node.lock, LockUse::Fixed(_));
    let mut planner = Planner::new(node.base.value, at, node.lock);
    planner.set_netrc(node.netrc);
    for component in &node.components {
        component.value.plan(component.span, &mut planner);
    }
    install_wheels(&mut planner);
    for component in &node.components {
        component.value.finish(component.span, &mut planner);
    }
    let lists = needs(&mut planner);
    let system = node.system.plan(lists, &mut planner);
    let config = Config {
        labels: labels(node.name.value.as_str(), node.status, node.fleet_labels, &planner),
        path: planner.all_provided().iter().flat_map(|p| p.path.clone()).collect(),
        env: environment(&node.system, node.fleet_env, planner.all_provided()),
        entrypoint: planner.all_provided().iter().find_map(|p| p.entrypoint.clone()),
        settings: node.image,
    };
    let image = assemble(&mut planner, system, &node.commands, &config, at);
    let mut tests: Vec<_> =
        node.tests.iter().map(|test| add_test(&mut planner, image, test, &[], &config)).collect();
    let suites: Vec<_> = node.suites.iter().flat_map(|suite| suites::tests(suite, &planner)).collect();
    for suite in suites {
        // A test of the spec takes the place of one of its name.
        if node.tests.iter().all(|test| test.name != suite.test.name) {
            tests.push(add_test(&mut planner, image, &suite.test, &suite.files, &config));
        }
    }
    let release = Release {
        repository: node.repository,
        tag: node.tag,
        versions: versions(&planner),
        wheels: planner.chosen().cloned(),
    };
    let Collected { steps, provided: components, pending, sources, archives, problems } =
        planner.into_collected();
    Plan {
        name: node.name.to_string(),
        steps,
        components,
        image,
        tests,
        require_tests: node.require_tests,
        config,
        release,
        decisions: node.decisions,
        locked,
        pending,
        sources,
        archives,
        problems,
    }
}

/// For each component, which packages own the libraries that its files need. A component that changes but needs the
/// same leaves the system step cached, because that step only sees the lists.
fn needs(planner: &mut Planner) -> Vec<(String, StepId)> {
    let provided: Vec<_> = planner.all_provided().iter().filter_map(part).collect();
    let mut lists = Vec::new();
    for (name, tree, built_in, optional, span) in &provided {
        // A library of one component may come from another, so every tree is looked at.
        let at = |name: &str| format!("{RUN_DIR}/trees/{name}");
        let mut run = planner.script(&NEEDS, *built_in, vec![at(name)]);
        run.mounts.push(Mount { at: at(name), from: *tree, part: "/".to_owned() });
        if *optional {
            run.env.push(("ALLOW_MISSING".to_owned(), "1".to_owned()));
        }
        let step = planner.run(format!("[{name}] find needed packages"), *span, run);
        lists.push((name.clone(), step));
    }
    lists
}

fn part(provided: &Provided) -> Option<(String, StepId, StepId, bool, Span)> {
    let Provided { name, tree, built_in, optional_libraries, span, .. } = provided;
    Some((name.clone(), *tree, (*built_in)?, *optional_libraries, *span))
}

fn environment(
    system: &System,
    fleet: Vec<(String, String)>,
    provided: &[Provided],
) -> Vec<(String, String)> {
    system.env().into_iter().chain(fleet).chain(provided.iter().flat_map(|p| p.env.clone())).collect()
}

/// Lays the trees on the system, lets the commands of the spec change the result, and lays the shared indexes on it.
fn assemble(
    planner: &mut Planner,
    system: StepId,
    commands: &[Command],
    config: &Config,
    at: Span,
) -> StepId {
    let fits = check_fit(planner, system, at);
    let records: Vec<_> =
        planner.all_provided().iter().filter_map(|p| Some((p.name.clone(), p.records?))).collect();
    let libraries: Vec<_> = planner.all_provided().iter().flat_map(|p| p.libraries.clone()).collect();
    let mut trees: Vec<_> = planner.all_provided().iter().map(|provided| provided.tree).collect();
    let laid = Action::Assemble { root: system, trees: trees.clone() };
    let mut laid = planner.step("[image] assemble".to_owned(), at, laid);
    for command in commands {
        laid = add_command(planner, laid, fits, command, config);
    }
    let workdir = config.settings.workdir.as_ref().map(|dir| dir.value.as_str());
    let mut run: Run = planner.script(&SEAL, laid, libraries);
    run.env.push(("WORKDIR".to_owned(), workdir.unwrap_or("/").to_owned()));
    if !records.is_empty() {
        run.env.push(("RECORDS".to_owned(), format!("{RUN_DIR}/records")));
    }
    run.mounts.extend(records.into_iter().map(|(name, from)| Mount {
        at: format!("{RUN_DIR}/records/{name}"),
        from,
        part: "/".to_owned(),
    }));
    // Nothing is read from there: a root that does not fit may be unable to run anything, so it must not be tried.
    run.mounts.push(Mount { at: format!("{RUN_DIR}/fits"), from: fits, part: "/".to_owned() });
    let seal = planner.run("[image] seal".to_owned(), at, run);
    let (root, trees) = match commands {
        // The layers of the components are those of their trees.
        [] => {
            trees.push(seal);
            (system, trees)
        }
        // A command may have changed any file.
        _ => (laid, vec![seal]),
    };
    planner.step("[image] assemble and seal".to_owned(), at, Action::Assemble { root, trees })
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
        secrets: command
            .secrets
            .iter()
            .map(|secret| SecretFile::new(format!("/run/secrets/{}", secret.id), secret))
            .collect(),
        network: command.network,
        gpu: false,
        privileged: false,
        result: RunResult::Root,
    };
    planner.run(format!("[command] {}", command.name), command.name.span, run)
}

/// Whether the trees fit together, and on the system. The result is empty.
fn check_fit(planner: &mut Planner, system: StepId, at: Span) -> StepId {
    let mounts = planner.all_provided().iter().map(|provided| Mount {
        at: format!("{RUN_DIR}/trees/{}", provided.name),
        from: provided.tree,
        part: "/".to_owned(),
    });
    let mounts: Vec<_> = mounts.collect();
    let mut run = planner.script(&FIT, system, Vec::new());
    run.env.push(("TREES".to_owned(), format!("{RUN_DIR}/trees")));
    run.mounts.extend(mounts);
    planner.run("[image] check that the parts fit".to_owned(), at, run)
}

/// Labels that tell what is in the image without starting it.
fn labels(
    name: &str,
    status: Option<Status>,
    fleet: Vec<(String, String)>,
    planner: &Planner,
) -> Vec<(String, String)> {
    let mut labels: Vec<_> =
        planner.all_provided().iter().map(|p| (component_label(&p.name), p.version.clone())).collect();
    labels
        .extend(planner.kept().iter().map(|v| (component_label(v.name), format!("{} (vendor)", v.version))));
    labels.extend(fleet);
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
    let machine = match facts.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    versions.insert("machine".to_owned(), machine.to_owned());
    let base = facts.reference.split('@').next().unwrap_or_default();
    if let Some((_, tag)) = base.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        versions.insert("base.tag".to_owned(), tag.to_owned());
    }
    versions
}
