//! The life of a frontend: connect, work, return once, end well.

use std::future::Future;
use std::process::ExitCode;

use buildkit_proto::frontend;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::gateway::PATIENCE;
use crate::transport::{Client, connect};
use crate::{BuildResult, Error, Gateway, Options};

/// What the daemon checks in the label of the frontend's image, and a client may demand.
const CAPABILITIES: [&str; 4] = [
    "moby.buildkit.frontend.inputs",
    "moby.buildkit.frontend.subrequests",
    "moby.buildkit.frontend.contexts",
    "moby.buildkit.frontend.gitquerystring",
];

/// A frontend: options and files in, a result out.
pub trait Frontend: Send + 'static {
    /// Builds what the options ask for.
    fn build(&self, gateway: Gateway) -> impl Future<Output = Result<BuildResult, Error>> + Send;
}

/// Runs a frontend that BuildKit has started, over stdin and stdout. Nothing else may be written to stdout.
///
/// Errors of the build, and panics, are returned to BuildKit; the exit code only tells whether that worked.
pub fn run(frontend: impl Frontend) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let pipe = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let served = runtime.block_on(serve(frontend, pipe, variables.collect()));
    // A thread still reads stdin; it must not be waited for.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// The daemon's log is the only place left.
fn fail(message: &str) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "frontend: {message}");
    ExitCode::FAILURE
}

/// Runs a frontend over any pipe, with an environment given by hand. [`run`] is what a program wants; this is for tests.
///
/// # Errors
///
/// When the daemon could not be told how the build ended.
pub async fn serve<IO>(frontend: impl Frontend, pipe: IO, env: Vec<(String, String)>) -> Result<(), Error>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let client = connect(pipe).await?;
    let working = client.clone();
    // As a task of its own, so that a panic is an error like any other.
    let result = match tokio::spawn(async move { work(frontend, working, env).await }).await {
        Ok(result) => result,
        Err(panic) => Err(Error::internal(format!("the frontend is at fault: {}", words(panic)))),
    };
    let request = match result {
        Ok(result) => frontend::ReturnRequest { result: Some(result.into_message()), error: None },
        Err(error) => frontend::ReturnRequest { result: None, error: Some(error.into_status()) },
    };
    match tokio::time::timeout(PATIENCE, client.calls().r#return(request)).await {
        Ok(told) => told.map(|_| ()).map_err(Error::from),
        Err(_) => Err(Error::internal("BuildKit does not answer")),
    }
}

async fn work(
    frontend: impl Frontend,
    client: Client,
    env: Vec<(String, String)>,
) -> Result<BuildResult, Error> {
    let options = Options::from_env(env)?;
    if let Some(unknown) = options.demanded_capabilities().into_iter().find(|cap| !CAPABILITIES.contains(cap))
    {
        return Err(Error::unsupported_capability(unknown));
    }
    let gateway = Gateway::new(client, options).await?;
    frontend.build(gateway).await
}

fn words(panic: tokio::task::JoinError) -> String {
    match panic.try_into_panic() {
        Ok(payload) => match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(words), _) => (*words).to_owned(),
            (_, Some(words)) => words.clone(),
            _ => "panic".to_owned(),
        },
        Err(cancelled) => cancelled.to_string(),
    }
}
