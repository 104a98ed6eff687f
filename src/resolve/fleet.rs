//! `target:` with its names looked up: what the nodes can run, and what the image says about it.

use crate::catalog::{Capability, Catalog, CudaRelease, JetPackRelease, compare, numbers};
use crate::diagnostic::Problems;
use crate::spec::{At, CpuLevel, DriverRange, Span, Target};
use crate::suggest::nearest;

/// The nodes that the image must run on.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// NVIDIA's drivers.
    pub driver: Option<At<DriverRange>>,
    /// GPUs: the name in the spec, and the compute capability.
    pub gpus: Vec<At<(String, Capability)>>,
    /// The oldest processor.
    pub cpu: Option<At<CpuLevel>>,
    /// What the boards run.
    pub board: Option<At<JetPackRelease>>,
}

impl Fleet {
    /// Looks the names up. Those that nobody knows are reported.
    pub fn resolve(target: &Target, catalog: &Catalog, problems: &mut Problems) -> Self {
        let gpus = target.gpus.iter().filter_map(|gpu| {
            let found = catalog.capability(&gpu.value);
            if found.is_none() {
                let message = format!("the catalog does not know the GPU `{}`", gpu.value.escape_debug());
                let near = catalog
                    .gpus
                    .iter()
                    .find(|row| nearest(&gpu.value, [row.gpu.to_lowercase().as_str()]).is_some());
                let help = match near {
                    Some(near) => format!("did you mean `{}`?", near.gpu),
                    None => "write its compute capability, such as `8.6`, or a product such as `RTX 4090`"
                        .to_owned(),
                };
                problems.error_with_help(gpu.span, message, help);
            }
            Some(At::new((gpu.value.clone(), found?), gpu.span))
        });
        let gpus = gpus.collect();
        let board = target.l4t.as_ref().and_then(|l4t| {
            let found = catalog.jetpack.iter().find(|row| row.l4t == l4t.value.as_str());
            if found.is_none() {
                let near = nearest_releases(l4t.value.as_str(), catalog, |_| true);
                problems.error_with_help(
                    l4t.span,
                    format!("the catalog does not know L4T {l4t}, and nothing is guessed about it"),
                    format!("the nearest that it knows are {near}"),
                );
            }
            Some(At::new(found?.clone(), l4t.span))
        });
        let fleet = Self { driver: target.driver.clone(), gpus, cpu: target.cpu.clone(), board };
        fleet.check_boards(catalog, problems);
        fleet
    }

    /// Reports GPUs that are on no board which the release of L4T is for.
    fn check_boards(&self, catalog: &Catalog, problems: &mut Problems) {
        let Some(board) = &self.board else { return };
        let (l4t, jetpack) = (&board.value.l4t, &board.value.jetpack);
        for gpu in &self.gpus {
            let (name, capability) = &gpu.value;
            if board.value.gpus.contains(capability) {
                continue;
            }
            let have: Vec<_> = board.value.gpus.iter().map(ToString::to_string).collect();
            let message = format!(
                "the boards of L4T {l4t} (JetPack {jetpack}, {}) have compute capability {}, and `{name}` has {capability}",
                board.span.line(),
                have.join(" or ")
            );
            let help = match nearest_releases(l4t, catalog, |row| row.gpus.contains(capability)).as_str() {
                "" => format!("the catalog knows no L4T for `{name}`; leave one of them out"),
                near => format!("there is L4T {near} for it; or leave one of them out"),
            };
            problems.error_with_help(gpu.span, message, help);
        }
    }

    /// Reports machines whose processor is of another architecture than the image, unless the spec is for `both`.
    pub(super) fn check_architecture(&self, architecture: &str, both: bool, problems: &mut Problems) {
        if architecture == BOARDS || both {
            return;
        }
        let board = self.board.iter().map(|board| (board.span, format!("L4T {}", board.value.l4t)));
        let gpus = self.gpus.iter().filter(|gpu| is_board(&gpu.value.0));
        let gpus = gpus.map(|gpu| (gpu.span, format!("`{}`", gpu.value.0)));
        for (span, what) in board.chain(gpus) {
            problems.error_with_help(
                span,
                format!("{what} is for {BOARDS} machines, and the image is for {architecture}"),
                format!("write `platforms: [linux/{BOARDS}]`, or leave it out of `target`"),
            );
        }
    }

    /// Its parts: where each is, and what it is called.
    pub(super) fn parts(&self) -> Vec<(Span, &'static str)> {
        let parts = self.driver.iter().map(|driver| (driver.span, "target.driver"));
        let parts = parts.chain(self.gpus.iter().map(|gpu| (gpu.span, "target.gpus")));
        let parts = parts.chain(self.cpu.iter().map(|cpu| (cpu.span, "target.cpu")));
        parts.chain(self.board.iter().map(|board| (board.span, "target.l4t"))).collect()
    }

    /// The same fleet without the part at a place.
    pub(super) fn without(&self, span: Span) -> Self {
        Self {
            driver: self.driver.clone().filter(|driver| driver.span != span),
            gpus: self.gpus.iter().filter(|gpu| gpu.span != span).cloned().collect(),
            cpu: self.cpu.clone().filter(|cpu| cpu.span != span),
            board: self.board.clone().filter(|board| board.span != span),
        }
    }

    /// Whether the nodes have NVIDIA's GPUs, as far as the spec says.
    pub fn has_gpus(&self) -> bool {
        self.driver.is_some() || !self.gpus.is_empty() || self.board.is_some()
    }

    /// Why the nodes cannot run programs for a release of CUDA: nothing where they can, or where nobody knows.
    pub fn refuse_cuda(&self, cuda: &CudaRelease) -> Vec<String> {
        let mut reasons = Vec::new();
        // Where nobody knows which driver came with it, no older one than the floor runs it.
        let (needed, came) = match &cuda.driver {
            Some(driver) => (driver, "came with the driver"),
            None => (&cuda.floor, "needs the driver"),
        };
        if let Some(driver) = &self.driver
            && is_older(&driver.value.oldest, needed)
        {
            reasons.push(format!(
                "CUDA {} {came} {needed}, and `target.driver` ({}) begins at {}",
                cuda.cuda,
                driver.span.line(),
                driver.value.oldest
            ));
        }
        for gpu in &self.gpus {
            let (name, capability) = &gpu.value;
            let line = gpu.span.line();
            if cuda.gpus.dropped(*capability) {
                reasons.push(format!(
                    "CUDA {} does not know compute capability {capability} any more (`{name}`, {line})",
                    cuda.cuda
                ));
            }
            if cuda.gpus.lack(*capability) {
                reasons.push(format!(
                    "CUDA {} does not know compute capability {capability} yet (`{name}`, {line})",
                    cuda.cuda
                ));
            }
        }
        if let Some(board) = &self.board
            && let Some(have) = &board.value.cuda
            && numbers(have).first() != numbers(&cuda.cuda).first()
        {
            reasons.push(format!(
                "L4T {} ({}) has CUDA {have}, not {}",
                board.value.l4t,
                board.span.line(),
                cuda.cuda
            ));
        }
        reasons
    }

    /// What one field of `target` could be instead, so that more is admitted: the change in words, and the fleet then.
    pub fn alternatives(&self, catalog: &Catalog) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        if let Some(driver) = &self.driver {
            for needed in catalog.cuda.iter().filter_map(|row| row.driver.as_deref()) {
                let branch = needed.split('.').next().unwrap_or(needed).to_owned();
                if compare(&branch, &driver.value.oldest).is_gt() {
                    let range = DriverRange { oldest: branch, before: None };
                    let change = format!("`target.driver: \">={}\"`", range.oldest);
                    all.push((change, Self { driver: Some(At::new(range, driver.span)), ..self.clone() }));
                }
            }
        }
        for (place, gpu) in self.gpus.iter().enumerate() {
            let mut fleet = self.clone();
            fleet.gpus.remove(place);
            all.push((format!("`target.gpus` without `{}`", gpu.value.0), fleet));
        }
        if let Some(cpu) = self.cpu.as_ref().filter(|cpu| cpu.value == CpuLevel::X86_64) {
            let raised = Some(At::new(CpuLevel::X86_64V2, cpu.span));
            all.push(("`target.cpu: x86-64-v2`".to_owned(), Self { cpu: raised, ..self.clone() }));
        }
        all
    }

    /// Variables by which NVIDIA's container runtime knows what the image needs. `cuda` is what the image has, `video`
    /// whether it codes video on GPUs. Source: NVIDIA Container Toolkit, "specialized configurations".
    pub fn env(&self, cuda: Option<&str>, video: bool) -> Vec<(String, String)> {
        if !self.has_gpus() {
            return Vec::new();
        }
        let mut needs: Vec<_> = cuda.map(|cuda| format!("cuda>={cuda}")).into_iter().collect();
        if let Some(driver) = &self.driver {
            needs.push(format!("driver>={}", driver.value.oldest));
            needs.extend(driver.value.before.as_ref().map(|before| format!("driver<{before}")));
        }
        let capabilities = if video { "compute,utility,video" } else { "compute,utility" };
        let mut env = vec![
            ("NVIDIA_DRIVER_CAPABILITIES".to_owned(), capabilities.to_owned()),
            ("NVIDIA_VISIBLE_DEVICES".to_owned(), "all".to_owned()),
        ];
        if !needs.is_empty() {
            env.push(("NVIDIA_REQUIRE_CUDA".to_owned(), needs.join(",")));
        }
        env
    }

    /// Labels that tell what the image is for.
    pub fn labels(&self) -> Vec<(String, String)> {
        let gpus: Vec<_> = self.gpus.iter().map(|gpu| format!("{} ({})", gpu.value.0, gpu.value.1)).collect();
        let driver = self.driver.as_ref().map(|driver| {
            let before = driver.value.before.as_ref().map(|before| format!(",<{before}"));
            format!(">={}{}", driver.value.oldest, before.unwrap_or_default())
        });
        let fields = [
            ("cpu", self.cpu.as_ref().map(|cpu| cpu.value.word().to_owned())),
            ("driver", driver),
            ("gpus", (!gpus.is_empty()).then(|| gpus.join(", "))),
            ("l4t", self.board.as_ref().map(|board| board.value.l4t.clone())),
        ];
        let label =
            |(key, value): (&str, Option<String>)| Some((format!("ai.ratio1.edgenode.target.{key}"), value?));
        fields.into_iter().filter_map(label).collect()
    }
}

/// Whether a driver is older than another, as far as its numbers go: 570 stands for the whole branch.
pub fn is_older(driver: &str, than: &str) -> bool {
    let driver = numbers(driver);
    let than: Vec<_> = numbers(than).into_iter().take(driver.len()).collect();
    driver < than
}

/// The releases of L4T before and behind one, of those that fit.
fn nearest_releases(l4t: &str, catalog: &Catalog, fits: impl Fn(&JetPackRelease) -> bool) -> String {
    let rows = || catalog.jetpack.iter().filter(|row| fits(row));
    let older = rows().rev().find(|row| compare(&row.l4t, l4t).is_lt());
    let newer = rows().find(|row| compare(&row.l4t, l4t).is_gt());
    let names: Vec<_> =
        older.into_iter().chain(newer).map(|row| format!("{} (JetPack {})", row.l4t, row.jetpack)).collect();
    names.join(" and ")
}

/// The architecture of all Jetson boards, and of the DGX Spark. Source: NVIDIA's pages of these products.
const BOARDS: &str = "arm64";

/// Whether a GPU's name is that of a whole machine, whose processor comes with it.
fn is_board(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("jetson ") || name == "dgx spark"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_of_drivers_stands_for_all_its_releases() {
        assert!(!is_older("570", "570.26"));
        assert!(!is_older("575.1", "570.26"));
        assert!(is_older("560", "570.26"));
        assert!(is_older("570.10", "570.26"));
    }
}
