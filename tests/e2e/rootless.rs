//! A builder without root's powers on its machine: everything that a spec can ask of a step is done there too, and the
//! image is the same.

use std::fs;

use crate::components::trusting_base;
use crate::harness::{Build, Daemon, Fresh, Server, small_ffmpeg};

/// A package, users, a program that is compiled, wheels, a command, a file with an owner and tests.
fn spec(server: &Server, base: &str) -> String {
    let (url, sha256) = server.put("/ffmpeg.tar.gz", small_ffmpeg("rootless"));
    format!(
        "name: node\nbase: {base}\n\
         system: {{packages: [ed], locale: en_US.UTF-8, users: [{{name: node, id: 1000}}]}}\n\
         python: {{version: 3.13, venv: /opt/venv}}\n\
         ffmpeg: {{version: 1.0.0, url: '{url}', sha256: {sha256}}}\n\
         wheels: {{requirements: [six==1.17.0]}}\n\
         files: [{{from: mine, to: /srv/mine, mode: '0640'}}]\n\
         commands: [{{name: owner, run: [chown, 'node:node', /srv/mine]}}]\n\
         tests:\n\
         \x20 - {{name: ffmpeg, run: [ffmpeg], stdout_contains: [rootless]}}\n\
         \x20 - {{name: six, run: [python3, -c, 'import six; print(six.__version__)'], stdout_contains: [1.17.0]}}\n\
         \x20 - {{name: owner, run: [stat, -c, '%U %a', /srv/mine], stdout_contains: [node 640]}}\n"
    )
}

#[test]
fn a_builder_without_root_gives_the_same_image() {
    let (server, base) = (Server::start(), trusting_base());
    let build = || {
        let build = Build::new(&spec(&server, &base));
        fs::write(build.dir().join("mine"), "mine\n").expect("written");
        build
    };
    let daemon = Daemon::start_as("rootless");
    let map = fs::read_to_string(format!("/proc/{}/uid_map", daemon.id())).expect("read");
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"], "it is not rootless");
    let rootless = Fresh::with(daemon);
    build().on(&rootless.builder).with("--target", "test").succeed();
    assert_eq!(build().on(&rootless.builder).listing(), build().on("newest").listing());
}
