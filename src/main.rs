//! The program in the frontend image. BuildKit starts it with its options in the environment and talks to it over
//! stdin and stdout. Started by anyone else it is the command line, unless it was built without.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os("BUILDKIT_SESSION_ID").is_some() {
        edgenode::catalog::Catalog::read_ahead();
        return buildkit_frontend::run(edgenode::frontend::EdgeNode);
    }
    command_line()
}

#[cfg(feature = "cli")]
fn command_line() -> ExitCode {
    edgenode::cli::run()
}

#[cfg(not(feature = "cli"))]
fn command_line() -> ExitCode {
    use std::io::Write;
    let help = "edgenode is a BuildKit frontend: put `# syntax=ratio1/edgenode:1` on the first line of a spec\n\
                and run `docker buildx build -f node.yaml .`\n";
    // There is nobody else to tell when stderr is closed.
    let _ = std::io::stderr().write_all(help.as_bytes());
    ExitCode::from(2)
}
