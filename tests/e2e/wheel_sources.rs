//! Packages that are required by the address of their source: a git repository, a directory in one, an archive.

use std::fs;

use crate::harness::{Build, Server, archive, wheel};
use crate::repositories::Repository;
use crate::wheels::{node, python_files, wheelhouse};

const TOKEN: &str = "open-sesame";

/// A project of one module that says its own name.
fn project(name: &str, requires: &str, built_with: &str) -> [(String, String); 2] {
    let project = format!(
        "[build-system]\nrequires = {built_with}\nbuild-backend = 'setuptools.build_meta'\n[project]\nname = '{name}'\n\
         dynamic = ['version']\n{requires}\n[tool.setuptools]\npy-modules = ['{name}']\n[tool.setuptools_scm]\n"
    );
    [("pyproject.toml".to_owned(), project), (format!("{name}.py"), format!("told = '{name}'\n"))]
}

const SCM: &str = "['setuptools==80.9.0', 'setuptools-scm==9.2.2']";

/// An extension in C, in a project that says nothing of how it is built.
const NATIVE: [(&str, &str); 2] = [
    (
        "native/setup.py",
        "from setuptools import Extension, setup\n\
         setup(name='NAME', version='1.0', ext_modules=[Extension('NAME', ['native.c'])])\n",
    ),
    (
        "native/native.c",
        "#include <Python.h>\n\
         static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }\n\
         static PyMethodDef methods[] = {{\"answer\", answer, METH_NOARGS, \"\"}, {NULL}};\n\
         static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"NAME\", NULL, -1, methods};\n\
         PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&module); }\n",
    ),
];

#[test]
fn sources_are_built_into_wheels_whose_dependencies_are_resolved_with_the_rest() {
    // Packages that no index has.
    let id = std::process::id();
    let [near, far, native] = ["near", "far", "native"].map(|name| format!("edgenode_{name}_{id}"));
    let requires = "[project.optional-dependencies]\nold = ['six==1.16.0']\n";
    let mut files: Vec<_> = project(&near, requires, SCM).into();
    files.extend(NATIVE.map(|(path, text)| (path.to_owned(), text.replace("NAME", &native))));
    let repository = Repository::of(&files, 1_700_000_000);
    let server = repository.serve_for_token(TOKEN);
    let (address, commit) = (server.address.trim_end_matches("#main"), repository.commit());
    // An archive of source tells its version itself.
    let info = format!("Metadata-Version: 2.1\nName: {far}\nVersion: 1.0\n");
    let [(toml, project), (module, code)] = project(&far, &format!("dependencies = ['{near}']\n"), SCM);
    let packed = archive(&[(&toml, &project), (&module, &code), ("PKG-INFO", &info), ("docs/README", "")]);
    let (archive_url, archive_sum) = Server::start().put(&format!("/{far}-1.0.tar.gz"), packed);

    let node = node().replace("/opt/venv", &format!("/opt/venv/{id}"));
    let spec = format!(
        "{node}wheels:\n  groups: {{six: [six]}}\n  files: [requirements.txt]\n  requirements:\n    \
             - {near}[old] @ git+{address}@{commit}\n\
             tests:\n  - name: told\n    run: [python3, -c, 'import six, {native}, {far}, {near}; \
             print(six.__version__, {native}.answer(), {far}.told, {near}.told)']\n"
    );
    let build = || {
        let build = Build::new(&spec);
        let lines = format!(
            "{native} @ git+{address}@{commit}#subdirectory=native  # in C\n\
             {far} @ {archive_url} --hash=sha256:{archive_sum}\n"
        );
        fs::write(build.dir().join("requirements.txt"), lines).expect("written");
        build.env("GIT_AUTH_TOKEN", TOKEN)
    };
    build().fail(&["could not read Username", "`--secret id=GIT_AUTH_TOKEN,env=…`", "node.yaml:"]);

    let known = || build().with("--secret", "id=GIT_AUTH_TOKEN");
    let reports = known().with("--target", "test").files();
    let told = fs::read_to_string(reports.path().join("told.txt")).expect("a report");
    assert_eq!(told, format!("1.16.0 42 {far} {near}\n"));
    let lock = known().with("--target", "lock").files();
    let lock = fs::read_to_string(lock.path().join("node.lock")).expect("a lock");
    for part in ["setuptools-80.9.0", "setuptools_scm-9.2.2", "six-1.16.0", &archive_url] {
        assert!(lock.contains(part), "{part} is not in:\n{lock}");
    }
    let locked = || {
        let build = known();
        fs::write(build.dir().join("node.lock"), &lock).expect("written");
        build
    };
    assert_eq!(python_files(locked()), python_files(known()));

    let graph = locked().with("--target", "graph").files();
    let graph = fs::read_to_string(graph.path().join("graph.txt")).expect("a graph");
    let builds: Vec<_> = graph.lines().filter(|line| line.contains("] build wheel ")).collect();
    assert_eq!(builds.len(), 3, "{graph}");
    // Of the whole, only what finds out what is out there had a network.
    assert!(!graph.contains("(run with a network"), "{graph}");
    for build in [known(), locked()] {
        let sbom = build.with("--target", "sbom").files();
        let sbom = fs::read_to_string(sbom.path().join("sbom.spdx.json")).expect("a document");
        for part in [format!("git+{address}@{commit}"), archive_sum.clone()] {
            assert!(sbom.contains(&part), "{part} is not in:\n{sbom}");
        }
        assert!(sbom.contains("pkg:pypi/six@") && !sbom.contains("pkg:pypi/edgenode"), "{sbom}");
        assert!(!sbom.contains(TOKEN) && !lock.contains(TOKEN));
    }
    locked().with("--target", "bundle").fail(&["is a git repository", "require the wheel"]);

    // A commit more of one builds nothing but what is of it.
    let next = repository.add("native/README", "for people\n", 1_700_000_001);
    let changed = known();
    let lines =
        fs::read_to_string(changed.dir().join("requirements.txt")).expect("read").replace(&commit, &next);
    fs::write(changed.dir().join("requirements.txt"), lines).expect("written");
    let changed = changed.succeed();
    let built: Vec<_> =
        changed.executed().into_iter().filter(|step| step.ends_with("] build wheel")).collect();
    assert_eq!(built, [format!("[{} {}] build wheel", native.replace('_', "-"), &next[..12])]);
}

/// A build backend (PEP 517) that makes a wheel of one module, without any package's help.
const BACKEND: &str = "\
import pathlib, zipfile

def build_wheel(directory, *rest):
    name = 'NAME-1.0-py3-none-any.whl'
    info = 'NAME-1.0.dist-info/'
    with zipfile.ZipFile(pathlib.Path(directory, name), 'w') as made:
        made.writestr('NAME.py', '')
        made.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: NAME\\nVersion: 1.0\\n')
        made.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        made.writestr(info + 'RECORD', f'NAME.py,,\\n{info}METADATA,,\\n{info}WHEEL,,\\n{info}RECORD,,\\n')
    return name
";

/// A project with its backend beside it.
const IN_TREE: &str = "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['build']\n";

/// A project of one module that says less than it is built with: before its release 70 setuptools asks for `wheel`.
const LATE: &str = "[build-system]\nrequires = ['setuptools==69.5.1']\nbuild-backend = 'setuptools.build_meta'\n\
                    [project]\nname = 'NAME'\nversion = '1.0'\n[tool.setuptools]\npy-modules = ['NAME']\n";

#[test]
fn what_sources_are_built_with_comes_from_the_wheelhouse_if_there_is_one() {
    let id = std::process::id();
    let [name, backend, helper] = ["housed", "backend", "helper"].map(|name| format!("edgenode_{name}_{id}"));
    let toml = format!("[build-system]\nrequires = ['{backend}']\nbuild-backend = '{backend}'\n");
    let packed = archive(&[(&format!("{name}-1.0/pyproject.toml"), &toml)]);
    let (url, sum) = Server::start().put(&format!("/{name}-1.0.tar.gz"), packed);
    let spec = format!("{}wheels:\n  requirements:\n    - {name} @ {url}#sha256={sum}\n", node());
    let plain = BACKEND.replace("NAME", &name);
    let hook = format!("\ndef get_requires_for_build_wheel(settings):\n    return ['{helper}']\n");
    let asking = plain.replace("    info =", &format!("    import {helper}\n    info =")) + &hook;
    for code in [plain, asking] {
        let made = wheel(&backend, "1.0", "", &[(&format!("{backend}.py"), code.into_bytes())]);
        let helping = wheel(&helper, "1.0", "", &[(&format!("{helper}.py"), Vec::new())]);
        let house = wheelhouse(&[(&backend, made), (&helper, helping)]);
        let build = Build::new(&spec);
        let build = build.with("--build-context", &format!("wheelhouse={}", house.path().display()));
        let files = python_files(build);
        assert!(files.keys().any(|path| path.ends_with(&format!("/{name}.py"))), "{files:?}");
        let is_left = |path: &String| path.contains(&backend) || path.contains(&helper);
        assert!(!files.keys().any(is_left), "{files:?}");
    }
}

#[test]
fn sources_are_asked_what_else_they_are_built_with() {
    let id = std::process::id();
    let name = format!("edgenode_asked_{id}");
    let files = [("pyproject.toml", LATE), ("NAME.py", "told = 'NAME'\n")];
    let files = files.map(|(path, text)| (path.replace("NAME", &name), text.replace("NAME", &name)));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (url, sum) = Server::start().put(&format!("/{name}-1.0.tar.gz"), archive(&files));
    let spec = format!("{}wheels:\n  requirements:\n    - {name} @ {url}#sha256={sum}\n", node());
    let unlocked = Build::new(&spec);
    let lock = Build::new(&spec).with("--target", "lock").files();
    let lock = fs::read_to_string(lock.path().join("node.lock")).expect("a lock");
    for part in ["setuptools-69.5.1", "/wheel-"] {
        assert!(lock.contains(part), "{part} is not in:\n{lock}");
    }
    let locked = || {
        let build = Build::new(&spec);
        fs::write(build.dir().join("node.lock"), &lock).expect("written");
        build
    };
    let files = python_files(unlocked);
    assert!(files.keys().any(|path| path.ends_with(&format!("/{name}.py"))), "{files:?}");
    assert_eq!(python_files(locked()), files);
    let graph = |build: Build| {
        let graph = build.with("--target", "graph").files();
        fs::read_to_string(graph.path().join("graph.txt")).expect("a graph")
    };
    let (asking, known) = (graph(Build::new(&spec)), graph(locked()));
    for step in ["] install first build requirements (run with", "] ask for build requirements (run,"] {
        assert!(asking.contains(step), "{step} is not in:\n{asking}");
    }
    for words in ["] install first build requirements", "] ask for", "(run with a network"] {
        assert!(!known.contains(words), "{words} is in:\n{known}");
    }
}

#[test]
fn what_sources_ask_for_is_looked_at() {
    let id = std::process::id();
    let name = format!("edgenode_asking_{id}");
    let server = Server::start();
    let open = format!("__import__('urllib.request').request.urlopen('{}/{name}')", server.address());
    for (number, (hook, words)) in [
        ("['NAME @ https://example.org/x.whl']", "'NAME @ https://example.org/x.whl', which is no release"),
        ("['six>=1\\n--index-url=x']", "'--index-url=x', which is no release"),
        ("['Torch']", "write an entry of `sdists` with `uses: [torch]` for it"),
        ("'six'", "asks for 'six', which is no list of requirements"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (open.as_str(), "URLError"),
    ]
    .into_iter()
    .enumerate()
    {
        let backend = format!(
            "{BACKEND}\ndef get_requires_for_build_wheel(settings):\n    print('on the way')\n    return {hook}\n"
        );
        let packed =
            archive(&[("pyproject.toml", IN_TREE), ("build/own.py", &backend.replace("NAME", &name))]);
        let (url, sum) = server.put(&format!("/{name}-1.{number}.tar.gz"), packed);
        let requirement = format!("{name} @ {url}#sha256={sum}");
        let build = Build::new(&format!("{}wheels:\n  requirements:\n    - {requirement}\n", node()));
        build.fail(&["on the way", &words.replace("NAME", &name), "node.yaml:7", "7 | >>>     - "]);
    }
    assert_eq!(server.asked(&format!("/{name}")), 0);
}

#[test]
fn sources_that_are_not_what_the_spec_says_are_told() {
    let id = std::process::id();
    let name = format!("edgenode_other_{id}");
    let files = project(&name, "", "['setuptools==80.9.0', '--index-url=http://example.org']");
    let mut files: Vec<_> = files.into();
    files.push(("empty/README".to_owned(), String::new()));
    files.extend(project(&name, "", SCM).map(|(path, text)| (format!("good/{path}"), text)));
    let lines = "['setuptools', \"six>=1\\n--no-binary six\"]";
    files.extend(project(&name, "", lines).map(|(path, text)| (format!("lines/{path}"), text)));
    let repository = Repository::of(&files, 1_700_000_000);
    let server = repository.serve_for_token(TOKEN);
    let (address, commit) = (server.address.trim_end_matches("#main"), repository.commit());
    let node = node();
    for (requirement, words) in [
        (format!("{name} @ git+{address}@{commit}"), "'--index-url=http://example.org', which is no release"),
        (
            format!("{name} @ git+{address}@{commit}#subdirectory=empty"),
            "neither pyproject.toml nor setup.py",
        ),
        (
            format!("{name} @ git+{address}@{commit}#subdirectory=lines"),
            "--no-binary six', which is no release",
        ),
        (format!("{name} @ git+{address}@{commit}#subdirectory=gone"), "neither pyproject.toml nor setup.py"),
        (
            format!("six @ git+{address}@{commit}#subdirectory=good"),
            "the project is the package edgenode-other-",
        ),
        (format!("{name} @ git+{address}@{}", "0".repeat(40)), "0000000000"),
    ] {
        let build = Build::new(&format!("{node}wheels:\n  requirements:\n    - {requirement}\n"));
        let build = build.env("GIT_AUTH_TOKEN", TOKEN).with("--secret", "id=GIT_AUTH_TOKEN");
        build.fail(&[words, "node.yaml:7", "7 | >>>     - "]);
    }
    // A commit that the builder does not have.
    let commit = repository.add("README", "for people\n", 1_700_000_001);
    let gone = format!("git+http://127.0.0.1:1/gone.git@{commit}");
    for (requirement, token, help) in [
        (format!("git+{address}@{commit}"), "wrong", "`--secret id=GIT_AUTH_TOKEN,env=…`"),
        (gone, TOKEN, "it must reach that repository"),
    ] {
        let build = Build::new(&format!("{node}wheels:\n  requirements:\n    - {name} @ {requirement}\n"));
        let build = build.env("GIT_AUTH_TOKEN", token).with("--secret", "id=GIT_AUTH_TOKEN");
        build.fail(&[help, "node.yaml:7"]);
    }
}
