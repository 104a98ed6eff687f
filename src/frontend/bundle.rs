//! What a lock names, as a tree that any server of files turns into a mirror.

use std::collections::BTreeMap;

use buildkit_frontend::Error;
use buildkit_llb::{Copy, File, Meta, Mkfile, Output};

use crate::lock::LOCK_TARGET;
use crate::lower::Lowered;
use crate::mirror;
use crate::plan::{Action, Plan, StepId};

/// All downloads of the plan, each below the name of its host, and the list of images that a registry must have.
pub(super) fn bundle(plan: &Plan, lowered: &Lowered) -> Result<Output, Error> {
    if plan.lock.is_none() {
        return Err(Error::user(format!(
            "a bundle has what a lock names, and there is no lock; make it with `--target {LOCK_TARGET} --output .`"
        )));
    }
    let images = Mkfile::new("/images.txt", 0o644, format!("{}\n", plan.base()).into_bytes()).timestamp(0);
    let mut op = File::on(&Output::scratch()).mkfile(images);
    let mut gathered = BTreeMap::new();
    for (number, step) in plan.steps.iter().enumerate() {
        if let Action::Checkout { repository, .. } = &step.action {
            return Err(Error::user(format!(
                "a bundle has files, and {repository} is a git repository; require the wheel that is built from it"
            )));
        }
        if let Action::Fetch { url, file_name, .. } = &step.action {
            if let Some(other) = gathered.insert(mirror::path(url), url).filter(|other| *other != url) {
                return Err(Error::user(format!(
                    "a bundle has one file for {other} and {url}, which differ in what a server of files does not see"
                )));
            }
            let from = lowered.output(StepId(number));
            op = op.copy(Copy::new(&from, format!("/{file_name}"), mirror::path(url)).create_dest_path());
        }
    }
    Ok(op.meta(Meta::named("[bundle] gather downloads")).output())
}
