//! The list of what is in an image: as a file, and beside an image whose client asks for it.

use buildkit_frontend::{Attestation, Error, Gateway, Options, Reference};
use buildkit_llb::Output;

use super::epoch::Epoch;
use super::sources::Sources;
use super::{marshal, read_text, text_files};
use crate::lower::Lowered;
use crate::plan::Plan;
use crate::resolve::BaseFacts;
use crate::sbom::{Parts, document, time, wheel_files};

/// Where the document lies.
const FILE: &str = "/sbom.spdx.json";
/// What is read of a list; large images have some thousand parts.
const MAX_LIST_BYTES: usize = 4 << 20;
/// The option of clients that want a list of parts beside the image.
const OPTION: &str = "attest:sbom";

/// Whether the client wants our document beside the image. One who names a generator gets what that finds: BuildKit runs
/// it where a frontend has no document of its own.
pub(super) fn is_wanted(options: &Options) -> bool {
    options.get(OPTION).is_some_and(|value| {
        let names_generator = |word: &str| word.trim_matches('"').starts_with("generator=");
        let is_off = |word: &str| word == "disabled=true" || word == "false";
        !value.split(',').any(|word| names_generator(word) || is_off(word))
    })
}

/// The document as a tree.
pub(super) async fn files(
    gateway: &Gateway,
    sources: &Sources,
    plan: &Plan,
    lowered: &Lowered,
    base: &BaseFacts,
    epoch: Epoch,
) -> Result<Output, Error> {
    let root = gateway.solve(&marshal(&lowered.output(plan.parts), sources)?).await?;
    let read = async |root: &Reference, path: &str| {
        Ok::<_, Error>(read_text(gateway, root, path, MAX_LIST_BYTES).await?.unwrap_or_default())
    };
    let parts = Parts::parse(
        &read(&root, "/debs").await?,
        &read(&root, "/python").await?,
        &read(&root, "/local").await?,
    );
    let wheels = match (&plan.lock, &plan.release.wheels) {
        (Some(lock), _) => {
            let wheels = lock.wheels.iter().flatten();
            wheels.map(|(name, wheel)| ((name.clone(), wheel.version.clone()), wheel.file.clone())).collect()
        }
        (None, Some(chosen)) => {
            let root = gateway.solve(&marshal(&lowered.output(chosen.step), sources)?).await?;
            wheel_files(&read(&root, "/wheels").await?)
        }
        (None, None) => Default::default(),
    };
    // Without a time it is the first one, so that the same image has the same document.
    let created = time(epoch.seconds().unwrap_or_default());
    let document = document(plan, base, &parts, &wheels, &created);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    Ok(text_files("[sbom] write", [(FILE, format!("{text}\n"))]))
}

/// The document as it lies beside an image.
pub(super) fn attestation(reference: Reference) -> Attestation {
    Attestation {
        reference,
        path: FILE.to_owned(),
        predicate_type: Attestation::SPDX.to_owned(),
        reason: "sbom".to_owned(),
    }
}
