//! The least a frontend can do: it connects and returns nothing. Benchmarks take it as the floor.

use buildkit_frontend::{BuildResult, Error, Frontend, Gateway};

struct Empty;

impl Frontend for Empty {
    async fn build(&self, _: Gateway) -> Result<BuildResult, Error> {
        Ok(BuildResult::empty())
    }
}

fn main() -> std::process::ExitCode {
    buildkit_frontend::run(Empty)
}
