//! Indexes of packages that take releases back or break off, and what a lock makes of that.

use std::fs;
use std::process::Command;

use crate::harness::{Build, Fresh, Server, sha256, wheel};
use crate::lock::{base, lock, locked, no_lock};

/// A package of our own on an index of our own, which nobody has asked before.
struct Index {
    server: Server,
    name: String,
}

impl Index {
    fn of(kind: &str) -> Self {
        Self { server: Server::start(), name: format!("{kind}{}", std::process::id()) }
    }

    /// Where the index has the wheel of a release.
    fn path(&self, version: &str) -> String {
        format!("/index/{0}/{0}-{version}-py3-none-any.whl", self.name)
    }

    /// Offers releases; those with a reason were taken back. What the index tells of them apart from the wheels is all
    /// that a resolution reads, if it tells it.
    fn offer(&self, releases: &[(&str, Option<&str>)], tells: bool) {
        let link = |(version, reason): &(&str, Option<&str>)| {
            // What the wheel says of itself lies behind this, in its other half.
            let padding = ("a_module.py", "# padding\n".repeat(2000).into_bytes());
            let data = wheel(&self.name, version, "", &[padding]);
            let (url, digest) = self.server.put(&self.path(version), data);
            let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {version}\n", self.name);
            let told = format!(" data-core-metadata='sha256={}'", sha256(metadata.as_bytes()));
            self.server.put(&format!("{}.metadata", self.path(version)), metadata.into_bytes());
            let yanked = reason.map(|reason| format!(" data-yanked='{reason}'")).unwrap_or_default();
            let (file, told) = (url.rsplit('/').next().unwrap_or_default(), if tells { &*told } else { "" });
            format!("<a href='{file}#sha256={digest}'{yanked}{told}>{file}</a>\n")
        };
        let page: String = releases.iter().map(link).collect();
        self.server.put(&format!("/index/{}/", self.name), page.into_bytes());
    }

    /// A node that asks for it.
    fn node(&self, wanted: &str) -> String {
        format!(
            "name: node\nbase: {}\npython: {{version: 3.13, vendor: /usr}}\nwheels:\n  indexes: ['{}/index/']\n  \
             requirements: ['{}{wanted}']\n",
            base(),
            self.server.address(),
            self.name
        )
    }

    /// Whether a lock has this release.
    fn is_locked(&self, lock: &str, version: &str) -> bool {
        lock.contains(&format!("{{name: {}, version: {version},", self.name))
    }
}

#[test]
fn a_release_that_was_taken_back_is_for_those_who_name_it() {
    let index = Index::of("yanked");
    index.offer(&[("1.0", None), ("1.1", Some("breaks on Mondays"))], false);
    let range = lock(&index.node(">=1"), "", "lock");
    assert!(index.is_locked(&range, "1.0"), "{range}");
    no_lock(&index.node(">1.0"), &["1.1 was yanked (reason: breaks on Mondays)"]);

    let warning = format!("- `{}==1.1` is yanked (reason: \"breaks on Mondays\")", index.name);
    let exact = index.node("==1.1");
    let told = |build: Build| {
        let log = build.run().log;
        assert!(log.contains(&warning), "{log}");
    };
    let text = lock(&exact, "", "lock");
    assert!(index.is_locked(&text, "1.1"), "{text}");
    told(Build::new(&exact).with("--target", "lock").with("--output", "type=cacheonly"));
    told(Build::new(&exact));

    // What is taken back later is still there for who has it in a lock, until an update is asked for.
    index.offer(&[("1.0", None), ("1.2", None)], false);
    let text = lock(&index.node(">=1"), "", "lock");
    assert!(index.is_locked(&text, "1.2"), "{text}");
    index.offer(&[("1.0", None), ("1.2", Some("too new"))], false);
    let files = locked(&index.node(">=1"), &text).with("--target", "wheels").files();
    let site = files.path().join("usr/local/lib/python3.13/dist-packages");
    assert!(site.join(format!("{}-1.2.dist-info", index.name)).is_dir());
    let kept = lock(&index.node("<2"), &text, "lock");
    assert!(index.is_locked(&kept, "1.2"), "{kept}");
    let updated = lock(&index.node(">=1"), &text, "update");
    assert!(index.is_locked(&updated, "1.0"), "{updated}");
}

#[test]
fn of_packages_that_share_a_file_the_last_one_has_it() {
    let index = Index::of("sharing");
    let names = ["a", "b", "c", "d"].map(|end| format!("{}-{end}", index.name));
    for name in &names {
        let data = wheel(name, "1.0", "", &[("of_many.py", format!("# {name}\n").into_bytes())]);
        let file = format!("{}-1.0-py3-none-any.whl", name.replace('-', "_"));
        let (_, digest) = index.server.put(&format!("/index/{name}/{file}"), data);
        let page = format!("<a href='{file}#sha256={digest}'>{file}</a>\n");
        index.server.put(&format!("/index/{name}/"), page.into_bytes());
    }
    let node = index.node("").replace(&format!("'{}'", index.name), &names.join(", "));
    let text = lock(&node, "", "lock");
    let files = locked(&node, &text).with("--target", "wheels").files();
    let shared = fs::read_to_string(files.path().join("usr/local/lib/python3.13/dist-packages/of_many.py"));
    assert_eq!(shared.expect("read"), format!("# {}\n", names[3]));
}

#[test]
fn a_package_index_that_breaks_off_leaves_no_lock() {
    let index = Index::of("broken");
    let (name, node) = (index.name.clone(), index.node(">=1"));
    index.offer(&[("1.0", None), ("1.1", None)], false);
    index.server.break_off(&[&format!("/index/{name}/")]);
    no_lock(&node, &[&format!("Failed to fetch: `{}/index/{name}/`", index.server.address())]);
    // The older release is whole, and not what was asked for.
    index.server.break_off(&[&index.path("1.1")]);
    no_lock(&node, &[&format!("the index gives no whole wheel of {name}==1.1")]);
    Build::new(&node)
        .fail(&[&format!("the index gives no whole wheel of {name}==1.1"), "[wheels] find versions"]);

    index.offer(&[("1.0", None), ("1.1", None)], true);
    let metadata = format!("{}.metadata", index.path("1.1"));
    index.server.break_off(&[&metadata]);
    no_lock(&node, &[&format!("Failed to fetch: `{}{metadata}`", index.server.address())]);
    index.server.break_off(&[&index.path("1.1")]);
    no_lock(&node, &["no lock is written", &format!("{name} 1.1"), "unexpected EOF"]);

    index.server.break_off(&[]);
    let text = lock(&node, "", "lock");
    assert!(index.is_locked(&text, "1.1"), "{text}");
}

#[test]
fn a_release_that_came_out_after_its_page_was_read_is_found() {
    let index = Index::of("since");
    let installed = |wanted: &str, version: &str| {
        let files = Build::new(&index.node(wanted)).with("--target", "wheels").files();
        let site = files.path().join("usr/local/lib/python3.13/dist-packages");
        assert!(site.join(format!("{}-{version}.dist-info", index.name)).is_dir(), "{wanted}");
    };
    index.offer(&[("1.0", None)], true);
    installed(">=1", "1.0");
    // The page is good for ten minutes, and the builder has it.
    index.offer(&[("1.0", None), ("1.1", None)], true);
    installed(">=0.9", "1.0");
    installed("==1.1", "1.1");
    index.offer(&[("1.0", None), ("1.1", None), ("1.2", None)], true);
    let text = lock(&index.node(">=1"), "", "lock");
    assert!(index.is_locked(&text, "1.2"), "{text}");
    no_lock(&index.node("==1.3"), &["there is no version of", "==1.3"]);
}

/// A Debian package that has nothing but its name.
fn deb(name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let control = dir.path().join("root/DEBIAN");
    fs::create_dir_all(&control).expect("made");
    let fields = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: tests <tests@example.org>\nDescription: a test\n"
    );
    fs::write(control.join("control"), fields).expect("written");
    let (root, file) = (dir.path().join("root"), dir.path().join("package.deb"));
    let output =
        Command::new("dpkg-deb").arg("--build").args([&root, &file]).output().expect("dpkg-deb starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(file).expect("read")
}

/// Where archives have a file: they and their clients write the address of a flat one in both ways.
fn places(below: &str, file: &str) -> [String; 2] {
    [format!("{below}/{file}"), format!("{below}/./{file}")]
}

/// Lays an archive with one package below a path.
pub(crate) fn archive(server: &Server, below: &str, name: &str) {
    let put = |file: &str, data: &[u8]| {
        places(below, file).iter().for_each(|place| {
            server.put(place, data.to_vec());
        });
    };
    let (file, data) = (format!("{name}_1.0_all.deb"), deb(name));
    put(&file, &data);
    let index = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: tests <tests@example.org>\n\
         Filename: ./{file}\nSize: {}\nSHA256: {}\nDescription: a test\n{}\n",
        data.len(),
        sha256(&data),
        "X-Padding: nothing\n".repeat(50)
    );
    put("Packages", index.as_bytes());
    let list = format!(" {} {} Packages\n", sha256(index.as_bytes()), index.len());
    let release = format!("Origin: Tests\nDate: Wed, 25 Nov 2026 00:00:00 UTC\nSHA256:\n{list}");
    put("Release", release.as_bytes());
}

/// An image on `base` that knows the archive at this address, besides others if it `adds`. Of archives like that states
/// are kept at `kept`.
pub(crate) fn knowing(base: &str, archive: &str, adds: bool, kept: &str) -> String {
    let list = format!("deb [trusted=yes] {archive} ./\n");
    let forgets = if adds { "true" } else { "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d" };
    let dockerfile = format!(
        "FROM {base}\nRUN {forgets}\nCOPY list /etc/apt/sources.list.d/tests.list\nCOPY conf /etc/apt/apt.conf.d/99tests\n"
    );
    let build = Build::raw(dockerfile.as_bytes());
    fs::write(build.dir().join("list"), list).expect("written");
    let host = archive.split(['/', ':']).nth(3).unwrap_or_default();
    let conf = format!("Acquire::Snapshots::URI::Host::{host} \"{kept}/@PATH@/@SNAPSHOTID@/\";\n");
    fs::write(build.dir().join("conf"), conf).expect("written");
    let digest = sha256(format!("{archive}{kept}{adds}").as_bytes());
    build.push(&format!("test/archive-{}", &digest[..16]))
}

/// An archive with a package that nobody has asked for before, the package, and an image that knows the archive, besides
/// others if it `adds`.
fn distribution(kind: &str, adds: bool) -> (Server, String, String) {
    let (server, name) = (Server::start(), format!("{kind}{}", std::process::id()));
    archive(&server, "/debian", &name);
    let [at, kept] = ["debian", "kept"].map(|below| format!("{}/{below}", server.address()));
    let base = knowing("debian:13", &at, adds, &kept);
    (server, name, base)
}

#[test]
fn what_an_archive_drops_comes_from_where_it_is_kept() {
    let (server, name, base) = distribution("dropped", false);
    let node = format!("name: node\nbase: {base}\nsystem: {{packages: [{name}]}}\n");
    let text = lock(&node, "", "lock");
    let kept = text.split("/kept/debian/").nth(1).and_then(|rest| rest.lines().next());
    let kept = kept.unwrap_or_else(|| panic!("no snapshot is named:\n{text}"));
    let below = format!("/kept/debian/{}", kept.trim_end_matches(['"', '/']));
    let file = format!("{name}_1.0_all.deb");
    for (from, to) in places("/debian", &file).iter().zip(places(&below, &file)) {
        server.put(&to, server.drop(from).expect("it was there"));
    }
    // What a builder has already it does not ask for.
    let fresh = Fresh::start();
    let build = locked(&node, &text).on(&fresh.builder);
    let log = build.succeed().log;
    assert!(log.contains("the archives have dropped some packages of the lock"), "{log}");
    let status = fs::read_to_string(build.files().path().join("var/lib/dpkg/status")).expect("read");
    assert!(status.contains(&format!("Package: {name}\n")), "{status}");
    // So does what a lock keeps that is made anew.
    let fresh = Fresh::start();
    let more = locked(&format!("{node}files: [{{from: more, to: /more}}]\n"), &text);
    fs::write(more.dir().join("more"), "").expect("written");
    let anew = more.on(&fresh.builder).with("--target", "lock").files();
    let anew = fs::read_to_string(anew.path().join("node.lock")).expect("a lock");
    assert!(anew.contains(&format!("name: \"{name}:all\"")), "{anew}");
    places(&below, &file).iter().for_each(|place| {
        server.drop(place);
    });
    let fresh = Fresh::start();
    locked(&node, &text).on(&fresh.builder).fail(&["invalid response status 404", &below, "node.lock:"]);
}

#[test]
fn a_package_that_a_builder_has_had_is_not_downloaded_again() {
    let (server, name, base) = distribution("kept", true);
    let node = |packages: &str| format!("name: node\nbase: {base}\nsystem: {{packages: [{packages}]}}\n");
    // A builder that frees no space meanwhile.
    let fresh = Fresh::start();
    Build::new(&node(&name)).on(&fresh.builder).succeed();
    // Who only asks what there is leaves the archives alone: others may be installing them, or will.
    let other = "name: other\nbase: debian:13\nsystem: {packages: [netbase]}\n";
    Build::new(other).on(&fresh.builder).with("--target", "lock").files();
    for place in places("/debian", &format!("{name}_1.0_all.deb")) {
        server.drop(&place).expect("it was there");
    }
    let more = node(&format!("{name}, netbase"));
    let image = Build::new(&more).on(&fresh.builder).files();
    let status = fs::read_to_string(image.path().join("var/lib/dpkg/status"));
    assert!(status.expect("read").contains(&format!("Package: {name}\n")));
    Build::new(&more).on(&Fresh::start().builder).fail(&["404", &name]);
}

#[test]
fn a_package_that_came_out_after_the_lists_were_read_is_found() {
    let (server, name, base) = distribution("lists", false);
    let fetched = || places("/debian", "Release").iter().map(|place| server.asked(place)).sum::<usize>();
    // Nobody else's archives on this builder.
    let fresh = Fresh::start();
    let build = |packages: &str| {
        let spec = format!("name: node\nbase: {base}\nsystem: {{packages: [{packages}]}}\n");
        let outcome = Build::new(&spec).on(&fresh.builder).succeed();
        assert!(outcome.executed().contains(&"[system] install packages"), "{}", outcome.log);
    };
    build(&name);
    assert_eq!(fetched(), 1);
    // That is there already.
    build(&format!("{name}, apt"));
    assert_eq!(fetched(), 1, "the lists of a moment ago count");
    let other = format!("other{name}");
    archive(&server, "/debian", &other);
    build(&other);
    assert_eq!(fetched(), 2);
}

#[test]
fn a_distribution_that_breaks_off_leaves_no_lock() {
    let (server, name, base) = distribution("broken", false);
    let node = format!("name: node\nbase: {base}\nsystem: {{packages: [{name}]}}\n");
    server.break_off(&["/debian/./Packages", "/debian/Packages"]);
    no_lock(&node, &[&format!("{}/debian", server.address()), "[system] find packages"]);
    server.break_off(&[&format!("/debian/{name}_1.0_all.deb"), &format!("/debian/./{name}_1.0_all.deb")]);
    no_lock(&node, &["no lock is written", &format!("{name}:all 1.0"), "unexpected EOF"]);
    server.break_off(&[]);
    let text = lock(&node, "", "lock");
    assert!(text.contains(&format!("name: \"{name}:all\"")), "{text}");
}
