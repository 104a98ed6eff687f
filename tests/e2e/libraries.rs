//! What is done to installed shared libraries, and the check that none is there twice, tried on libraries of a few lines.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SONAMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/checks/sonames.py");
const SLIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/components/scripts/wheels-slim.py");

/// Compiles a library with symbols that nothing loads.
fn library(path: &Path, soname: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    let source = path.with_extension("c");
    fs::write(&source, "static int hidden(void) { return 42; } int answer(void) { return hidden(); }")
        .expect("written");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-g", "-O0", &format!("-Wl,-soname,{soname}"), "-o"])
        .arg(path)
        .arg(&source);
    assert!(gcc.status().expect("gcc starts").success());
    fs::remove_file(source).expect("removed");
}

fn python(script: &str, arguments: &[&str], path: Option<&Path>) -> Output {
    let mut python = Command::new("python3");
    if let Some(path) = path {
        python.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default()));
    }
    python.args(["-B", script]).args(arguments).output().expect("python3 starts")
}

#[test]
fn a_library_that_is_there_twice_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let top = dir.path().display().to_string();
    let check = || {
        let output = python(SONAMES, &[&top], None);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    library(&dir.path().join("one/libcublas.so.12.8"), "libcublas.so.12");
    library(&dir.path().join("one/libcudart.so.12.8"), "libcudart.so.12");
    symlink("libcublas.so.12.8", dir.path().join("one/libcublas.so.12")).expect("linked");
    fs::hard_link(dir.path().join("one/libcudart.so.12.8"), dir.path().join("libcudart.so")).expect("linked");
    // A package's own copy, which only it finds.
    library(&dir.path().join("torchvision.libs/libcudart.e8e8b82a.so.12"), "libcudart.so.12");
    assert_eq!(check(), (true, String::new()));
    // The file's own name does not matter.
    library(&dir.path().join("two/other.so"), "libcublas.so.12");
    let (fits, told) = check();
    assert!(!fits && told.contains("libcublas.so.12 is there more than once"), "{told}");
    assert!(!told.contains("libcudart"), "{told}");
}

/// A tree with one package: a library under two names, as wheels hold them, and a static archive.
fn package() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let name = |name: &str| dir.path().join("package").join(name);
    library(&name("libanswer.so.1"), "libanswer.so.1");
    fs::copy(name("libanswer.so.1"), name("libanswer.so")).expect("copied");
    fs::write(name("libanswer.a"), "!<arch>\n").expect("written");
    fs::create_dir(dir.path().join("package-1.dist-info")).expect("made");
    let record = "package/libanswer.so,sha256=old,1\npackage/libanswer.so.1,sha256=old,1\n\
                  package/libanswer.a,sha256=old,8\npackage-1.dist-info/RECORD,,\n";
    fs::write(dir.path().join("package-1.dist-info/RECORD"), record).expect("written");
    dir
}

fn slim(dir: &TempDir, path: Option<&Path>) -> String {
    let output = python(SLIM, &[&dir.path().display().to_string()], path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(dir.path().join("package-1.dist-info/RECORD")).expect("read")
}

#[test]
fn packages_are_freed_of_what_nothing_loads() {
    let dir = package();
    let one = dir.path().join("package/libanswer.so");
    let before = fs::metadata(&one).expect("there").len();
    let record = slim(&dir, None);
    assert!(!dir.path().join("package/libanswer.a").exists() && !record.contains("libanswer.a"), "{record}");
    let after = fs::metadata(&one).expect("there");
    assert!(after.len() < before, "{before} bytes, and {} still", after.len());
    let calls = format!("import ctypes; print(ctypes.CDLL('{}').answer())", one.display());
    let output = Command::new("python3").args(["-c", &calls]).output().expect("python3 starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n");
    // The record names the size and the digest of what is there now.
    assert!(!record.contains("old") && record.contains(&format!(",{}\n", after.len())), "{record}");
}

#[test]
fn copies_become_one_file() {
    let dir = package();
    // With nothing to strip they stay as large as they are.
    let tools = tools("exit 1");
    let record = slim(&dir, Some(tools.path()));
    let inode = |name: &str| fs::metadata(dir.path().join("package").join(name)).expect("there").ino();
    assert_eq!(inode("libanswer.so"), inode("libanswer.so.1"));
    assert!(record.contains("package/libanswer.so,sha256=old"), "{record}");
}

/// A directory with a program `strip`.
fn tools(script: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let strip = dir.path().join("strip");
    fs::write(&strip, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(strip, fs::Permissions::from_mode(0o755)).expect("set");
    dir
}

#[test]
fn a_library_that_stripping_would_change_is_left_alone() {
    let dir = package();
    let one = dir.path().join("package/libanswer.so");
    let before = fs::read(&one).expect("read");
    // It strips, and changes a byte of what is loaded: the first one after the headers.
    let tools =
        tools("/usr/bin/strip \"$@\" && printf x | dd of=\"$3\" bs=1 seek=1024 conv=notrunc 2>/dev/null");
    slim(&dir, Some(tools.path()));
    assert!(fs::read(&one).expect("read") == before, "the library has changed");
}
