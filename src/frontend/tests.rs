//! Runs the tests of a spec and reads what they found.

use buildkit_frontend::{Error, Gateway};
use buildkit_llb::{Copy, File, Meta, Mkfile, Output};
use futures_util::future::try_join_all;

use super::sources::Sources;
use super::{marshal, read_text};
use crate::lower::Lowered;
use crate::plan::{Plan, VERDICT};
use crate::report::{Report, Verdict};

/// What is read of a verdict.
const MAX_VERDICT_BYTES: usize = 1 << 14;

/// Runs all tests; gives what each of their checks found.
pub(super) async fn run<'p>(
    gateway: &Gateway,
    sources: &Sources,
    plan: &'p Plan,
    lowered: &Lowered,
) -> Result<Report<'p>, Error> {
    let checks = || plan.tests.iter().flat_map(|test| &test.checks);
    let mut all = File::on(&Output::scratch());
    for (number, check) in checks().enumerate() {
        all = all.copy(Copy::new(&lowered.output(check.step), VERDICT, format!("/{number}")));
    }
    let mut verdicts = Vec::new();
    if checks().next().is_some() {
        let output = all.meta(Meta::named("[test] collect verdicts")).output();
        let definition = marshal(&output, sources)?;
        let root = gateway.solve(&definition).await.map_err(|error| explain(error, plan, sources))?;
        let root = &root;
        let read = |number: usize| async move {
            read_text(gateway, root, &format!("/{number}"), MAX_VERDICT_BYTES).await
        };
        let texts = try_join_all((0..checks().count()).map(read)).await;
        let texts = texts.map_err(|error| explain(error, plan, sources))?;
        verdicts = texts.into_iter().map(|text| Verdict::parse(&text.unwrap_or_default())).collect();
    }
    Ok(Report::new(&plan.name, &plan.tests, verdicts))
}

/// Says what to do where the client did not allow what a test needs.
fn explain(error: Error, plan: &Plan, sources: &Sources) -> Error {
    let refused = error.to_string().contains("security.insecure is not allowed");
    match plan.tests.iter().find(|test| test.privileged) {
        Some(test) if refused => {
            let help = format!(
                "the test `{}` needs a privileged container: add `--allow security.insecure` on a builder whose \
                 configuration has it among its `insecure-entitlements`",
                test.name
            );
            sources.locate(error.context(&help), test.name.span)
        }
        _ => error,
    }
}

/// The reports, and what each program wrote to its standard output.
pub(super) fn files(sources: &Sources, plan: &Plan, lowered: &Lowered, report: &Report<'_>) -> Output {
    let mut all = File::on(&Output::scratch());
    let json = report.json(&sources.names());
    for (name, text) in
        [("/report.txt", report.text()), ("/report.json", json), ("/junit.xml", report.junit())]
    {
        all = all.mkfile(Mkfile::new(name, 0o644, text.into_bytes()).timestamp(0));
    }
    for test in &plan.tests {
        if let Some(program) = test.program {
            all = all.copy(Copy::new(&lowered.output(program), "/stdout", format!("/{}.txt", test.name)));
        }
    }
    all.meta(Meta::named("[test] collect reports")).output()
}
