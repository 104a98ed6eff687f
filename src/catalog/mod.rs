//! Facts that are kept as data beside the code, each row with its source and date. What nobody has established is
//! unknown: it is a value, and nothing is guessed in its place.

mod numbers;
mod packages;
mod platforms;
mod rows;
mod tensorrt;
mod torch;

use std::sync::LazyLock;

pub use numbers::{Capability, Gpus, between, compare, numbers};
pub use packages::{NumpyBaseline, OnnxRuntimeReleases, OpenVinoReleases, Ranged, TransformersReleases};
pub use platforms::{CudaRelease, Distribution, Gpu, JetPackRelease, NvencHeaders, PythonSeries};
pub use tensorrt::TensorRtRelease;
pub use torch::{TorchGpus, TorchRelease, channel_cuda};

use self::rows::Row;
use crate::diagnostic::Problems;
use crate::spec::{At, Fields, Node, Sha256, Url, Value, parse_yaml};

/// What goes together with what: all rows of all subjects, each subject in the order of its versions.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Releases of torch.
    pub torch: Vec<TorchRelease>,
    /// The GPUs that torch's wheels have code for.
    pub torch_gpus: Vec<TorchGpus>,
    /// Releases of CUDA.
    pub cuda: Vec<CudaRelease>,
    /// Releases of TensorRT.
    pub tensorrt: Vec<TensorRtRelease>,
    /// Releases of ONNX Runtime's packages.
    pub onnxruntime: Vec<OnnxRuntimeReleases>,
    /// Releases of OpenVINO.
    pub openvino: Vec<OpenVinoReleases>,
    /// Releases of transformers.
    pub transformers: Vec<TransformersReleases>,
    /// What numpy's wheels ask of processors.
    pub numpy: Vec<NumpyBaseline>,
    /// NVIDIA's headers for video coding.
    pub nvenc: Vec<NvencHeaders>,
    /// GPUs by name.
    pub gpus: Vec<Gpu>,
    /// Jetson's releases.
    pub jetpack: Vec<JetPackRelease>,
    /// Distributions.
    pub distributions: Vec<Distribution>,
    /// Series of Python.
    pub pythons: Vec<PythonSeries>,
}

impl Catalog {
    /// The facts that are part of the program.
    pub fn embedded() -> &'static Self {
        // Tests make sure that no row has a problem.
        static READ: LazyLock<Catalog> = LazyLock::new(|| Catalog::read(&mut Problems::default()));
        &READ
    }

    /// Begins to read the facts that are part of the program, for whom it costs less than to wait for them later: they
    /// take milliseconds, in which another one is asked.
    pub fn read_ahead() {
        let read = || {
            sources();
            Self::embedded();
        };
        // Without another thread they are read when they are wanted.
        let _ = std::thread::Builder::new().spawn(read);
    }

    fn read(problems: &mut Problems) -> Self {
        Self {
            torch: rows_of(problems),
            torch_gpus: rows_of(problems),
            cuda: rows_of(problems),
            tensorrt: rows_of(problems),
            onnxruntime: rows_of(problems),
            openvino: rows_of(problems),
            transformers: rows_of(problems),
            numpy: rows_of(problems),
            nvenc: rows_of(problems),
            gpus: rows_of(problems),
            jetpack: rows_of(problems),
            distributions: rows_of(problems),
            pythons: rows_of(problems),
        }
    }

    /// The facts with those of a site among them: a mapping of subjects to rows. A row about the same thing takes the
    /// place of ours. Problems are reported at places in `text`.
    pub fn extended(&self, text: &str, problems: &mut Problems) -> Self {
        let mut all = self.clone();
        let Some(root) = parse_yaml(text, 0, problems) else { return all };
        let Some(mut subjects) = Fields::open("the catalog", &root, problems) else { return all };
        extend(&mut all.torch, &mut subjects, problems);
        extend(&mut all.torch_gpus, &mut subjects, problems);
        extend(&mut all.cuda, &mut subjects, problems);
        extend(&mut all.tensorrt, &mut subjects, problems);
        extend(&mut all.onnxruntime, &mut subjects, problems);
        extend(&mut all.openvino, &mut subjects, problems);
        extend(&mut all.transformers, &mut subjects, problems);
        extend(&mut all.numpy, &mut subjects, problems);
        extend(&mut all.nvenc, &mut subjects, problems);
        extend(&mut all.gpus, &mut subjects, problems);
        extend(&mut all.jetpack, &mut subjects, problems);
        extend(&mut all.distributions, &mut subjects, problems);
        extend(&mut all.pythons, &mut subjects, problems);
        subjects.finish(problems);
        all
    }

    /// A release of CUDA, by its first two numbers.
    pub fn cuda_release(&self, cuda: &str) -> Option<&CudaRelease> {
        self.cuda.iter().find(|row| row.cuda == cuda)
    }

    /// The GPUs that the wheels of a release have code for; `None` where there is no row about them.
    pub fn torch_gpus(&self, torch: &str, channel: &str, architecture: &str) -> Option<&TorchGpus> {
        self.torch_gpus.iter().find(|row| row.is_about(torch, channel, architecture))
    }

    /// The compute capability of a GPU: a number, or the name of a product.
    pub fn capability(&self, gpu: &str) -> Option<Capability> {
        let named = || self.gpus.iter().find(|row| row.is_called(gpu)).map(|row| row.capability);
        Capability::parse(gpu).or_else(named)
    }
}

/// A subject as data.
#[derive(Debug)]
pub struct Subject {
    /// What a site's catalog calls it.
    pub name: &'static str,
    /// YAML: a row in a line, and above them what they are about.
    pub data: &'static str,
}

const fn subject(name: &'static str, data: &'static str) -> Subject {
    Subject { name, data }
}

/// All subjects.
pub const SUBJECTS: [Subject; 14] = [
    subject("cuda", include_str!("cuda.yaml")),
    subject("distributions", include_str!("distributions.yaml")),
    subject("gpus", include_str!("gpus.yaml")),
    subject("jetpack", include_str!("jetpack.yaml")),
    subject("numpy", include_str!("numpy.yaml")),
    subject("nvenc", include_str!("nvenc.yaml")),
    subject("onnxruntime", include_str!("onnxruntime.yaml")),
    subject("openvino", include_str!("openvino.yaml")),
    subject("pythons", include_str!("pythons.yaml")),
    subject("sources", SOURCES),
    subject("tensorrt", include_str!("tensorrt.yaml")),
    subject("torch", include_str!("torch.yaml")),
    subject("torch_gpus", include_str!("torch_gpus.yaml")),
    subject("transformers", include_str!("transformers.yaml")),
];

impl Subject {
    /// Its rows: the cells by name, in the order of the data.
    pub fn rows(&self) -> Vec<Vec<(String, String)>> {
        let cell = |(key, node): &(At<String>, Node)| match &node.value {
            Value::Scalar(scalar) => Some((key.value.clone(), scalar.text.clone())),
            _ => None,
        };
        let cells = |row: &Node| match &row.value {
            Value::Map(cells) => cells.iter().filter_map(cell).collect(),
            _ => Vec::new(),
        };
        rows(self.data).iter().map(cells).collect()
    }
}

/// The rows of the subject that they are of.
fn rows_of<R: Row>(problems: &mut Problems) -> Vec<R> {
    let subject = SUBJECTS.iter().find(|subject| subject.name == R::SUBJECT);
    subject.map(|subject| rows::read(subject.data, problems)).unwrap_or_default()
}

/// Takes the rows of one subject of a site's catalog.
fn extend<R: Row>(rows: &mut Vec<R>, subjects: &mut Fields<'_>, problems: &mut Problems) {
    if let Some(node) = subjects.take(R::SUBJECT) {
        rows::extend(rows, rows::decode(node, problems));
    }
}

const SOURCES: &str = include_str!("sources.yaml");

/// A release archive that the catalog knows.
#[derive(Clone, Debug)]
pub struct KnownSource {
    /// The component it is the source of.
    pub component: String,
    /// The release.
    pub version: String,
    /// Where it is published.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
}

/// The archive of one release.
pub fn source(component: &str, version: &str) -> Option<KnownSource> {
    sources().iter().find(|row| row.component == component && row.version == version).cloned()
}

/// The releases of a component, the oldest first.
pub fn versions(component: &str) -> Vec<String> {
    let rows = sources().iter().filter(|row| row.component == component);
    let mut versions: Vec<_> = rows.map(|row| row.version.clone()).collect();
    versions.sort_by(|a, b| compare(a, b));
    versions
}

/// The releases of a component that there are for all architectures, the oldest first.
pub fn releases(component: &str) -> Vec<String> {
    let [amd64, arm64] =
        ["amd64", "arm64"].map(|architecture| versions(&format!("{component}-{architecture}")));
    let both = amd64.into_iter().filter(|version| arm64.contains(version));
    versions(component).into_iter().chain(both).collect()
}

/// Where a component publishes a release, whether the catalog knows its digest or not.
pub fn address(component: &str, version: &str) -> Option<Url> {
    let template = match component {
        "python" => "https://www.python.org/ftp/python/{release}/Python-{version}.tar.xz",
        "ffmpeg" => "https://ffmpeg.org/releases/ffmpeg-{version}.tar.xz",
        "dav1d" => "https://downloads.videolan.org/pub/videolan/dav1d/{version}/dav1d-{version}.tar.xz",
        "svt-av1" => "https://gitlab.com/AOMediaCodec/SVT-AV1/-/archive/v{version}/SVT-AV1-v{version}.tar.gz",
        "nvenc" => {
            "https://github.com/FFmpeg/nv-codec-headers/releases/download/n{version}/nv-codec-headers-{version}.tar.gz"
        }
        "openh264" => "https://github.com/cisco/openh264/archive/refs/tags/v{version}.tar.gz",
        "docker-amd64" => "https://download.docker.com/linux/static/stable/x86_64/docker-{version}.tgz",
        "docker-arm64" => "https://download.docker.com/linux/static/stable/aarch64/docker-{version}.tgz",
        "nodejs-amd64" => "https://nodejs.org/dist/v{version}/node-v{version}-linux-x64.tar.xz",
        "nodejs-arm64" => "https://nodejs.org/dist/v{version}/node-v{version}-linux-arm64.tar.xz",
        "uv-amd64" => {
            "https://github.com/astral-sh/uv/releases/download/{version}/uv-x86_64-unknown-linux-gnu.tar.gz"
        }
        "uv-arm64" => {
            "https://github.com/astral-sh/uv/releases/download/{version}/uv-aarch64-unknown-linux-gnu.tar.gz"
        }
        _ => return None,
    };
    // Pre-releases of Python lie in the directory of their release.
    let release = version.split(['a', 'b', 'r']).next()?;
    Url::parse(&template.replace("{version}", version).replace("{release}", release)).ok()
}

fn sources() -> &'static [KnownSource] {
    static READ: LazyLock<Vec<KnownSource>> =
        LazyLock::new(|| rows(SOURCES).iter().filter_map(row).collect());
    &READ
}

/// The rows of a data file.
fn rows(text: &str) -> Vec<Node> {
    match parse_yaml(text, 0, &mut Problems::default()).map(|root| root.value) {
        Some(Value::List(rows)) => rows,
        _ => Vec::new(),
    }
}

/// A field of a row.
fn field(row: &Node, key: &str) -> Option<String> {
    let Value::Map(entries) = &row.value else { return None };
    let (_, value) = entries.iter().find(|(k, _)| k.value == key)?;
    match &value.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

fn row(node: &Node) -> Option<KnownSource> {
    let (component, version) = (field(node, "component")?, field(node, "version")?);
    let url = match field(node, "url") {
        Some(url) => Url::parse(&url).ok()?,
        None => address(&component, &version)?,
    };
    Some(KnownSource { component, version, url, sha256: Sha256::parse(&field(node, "sha256")?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_says_how_it_was_checked() {
        let rows = rows(SOURCES);
        for node in &rows {
            assert!(row(node).is_some(), "the row at {} is not whole", node.span);
            assert!(field(node, "checked").is_some(), "{} lacks `checked`", node.span);
        }
        assert!(!rows.is_empty());
    }

    #[test]
    fn rows_are_sorted_and_unique() {
        let keys: Vec<_> = sources().iter().map(|row| (&row.component, &row.version)).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(keys, sorted);
    }

    /// Whether keys come in their order, each once.
    fn sorted<R: Row>(rows: &[R]) {
        assert!(!rows.is_empty(), "{} has no rows", R::SUBJECT);
        for pair in rows.windows(2) {
            assert!(
                pair[0].key() < pair[1].key(),
                "{}: {:?} before {:?}",
                R::SUBJECT,
                pair[0].key(),
                pair[1].key()
            );
        }
    }

    #[test]
    fn the_embedded_facts_are_whole_sorted_and_unique() {
        let mut problems = Problems::default();
        let catalog = Catalog::read(&mut problems);
        assert_eq!(problems.check(Some(())), Ok(()));
        sorted(&catalog.torch);
        sorted(&catalog.torch_gpus);
        sorted(&catalog.cuda);
        sorted(&catalog.tensorrt);
        sorted(&catalog.onnxruntime);
        sorted(&catalog.openvino);
        sorted(&catalog.transformers);
        sorted(&catalog.numpy);
        sorted(&catalog.nvenc);
        sorted(&catalog.gpus);
        sorted(&catalog.jetpack);
        sorted(&catalog.distributions);
        sorted(&catalog.pythons);
    }

    #[test]
    fn every_channel_has_its_cuda_release_and_its_gpus() {
        let catalog = Catalog::embedded();
        for release in &catalog.torch {
            let torch = &release.torch;
            assert!(release.python.0 <= release.python.1, "{release:?}");
            assert!(release.channels.contains(&"cpu".to_owned()), "{release:?}");
            for channel in release.channels.iter().filter(|channel| *channel != "cpu") {
                let cuda = channel_cuda(channel).expect("a channel of CUDA");
                let cuda =
                    catalog.cuda_release(&cuda).unwrap_or_else(|| panic!("{torch} {channel}: no CUDA row"));
                let about = |row: &&TorchGpus| row.is_about(torch, channel, "amd64");
                assert_eq!(catalog.torch_gpus.iter().filter(about).count(), 1, "{torch} {channel}");
                let gpus = catalog.torch_gpus(torch, channel, "amd64").and_then(|row| row.gpus.clone());
                for gpu in gpus.into_iter().flatten() {
                    // No wheel has code that its compiler cannot make.
                    assert!(cuda.gpus.oldest.is_none_or(|oldest| oldest <= gpu), "{torch} {channel} {gpu}");
                    assert!(cuda.gpus.newest.is_none_or(|newest| gpu <= newest), "{torch} {channel} {gpu}");
                }
            }
            for channel in release.pypi.iter() {
                assert!(release.channels.contains(channel), "{torch}: {channel} of the index is no channel");
            }
        }
    }

    fn do_not_overlap<R: Ranged + std::fmt::Debug>(rows: &[R]) {
        for pair in rows.windows(2) {
            assert!(compare(&pair[0].versions().1, &pair[1].versions().0).is_lt(), "{pair:?} overlap");
        }
    }

    #[test]
    fn rows_do_not_contradict_each_other() {
        let catalog = Catalog::embedded();
        for cuda in &catalog.cuda {
            let driver = cuda.driver.as_deref().unwrap_or("9999");
            assert!(compare(&cuda.floor, driver).is_le(), "{cuda:?}");
            assert!(
                cuda.gpus.oldest.zip(cuda.gpus.newest).is_none_or(|(oldest, newest)| oldest <= newest),
                "{cuda:?}"
            );
        }
        for pair in catalog.cuda.windows(2) {
            let drivers = pair[0].driver.as_deref().zip(pair[1].driver.as_deref());
            assert!(drivers.is_none_or(|(older, newer)| compare(older, newer).is_le()), "{pair:?}");
        }
        for pair in catalog.nvenc.windows(2) {
            assert!(compare(&pair[0].driver, &pair[1].driver).is_le(), "{pair:?}");
        }
        for pair in catalog.onnxruntime.windows(2).filter(|pair| pair[0].package == pair[1].package) {
            assert!(compare(&pair[0].versions.1, &pair[1].versions.0).is_lt(), "{pair:?} overlap");
        }
        do_not_overlap(&catalog.openvino);
        do_not_overlap(&catalog.transformers);
        for board in &catalog.jetpack {
            let cuda = board.cuda.as_deref().and_then(|cuda| catalog.cuda_release(cuda));
            let newest = cuda.and_then(|cuda| cuda.gpus.newest);
            for gpu in &board.gpus {
                assert!(
                    newest.is_none_or(|newest| *gpu <= newest) || board.l4t.starts_with("36"),
                    "{board:?}"
                );
            }
            let ubuntu = format!("ubuntu {}", board.ubuntu);
            let distribution = catalog.distributions.iter().find(|row| row.distribution == ubuntu);
            assert!(distribution.is_none_or(|row| row.python == board.python), "{board:?}");
        }
    }

    #[test]
    fn products_are_known_by_name() {
        let catalog = Catalog::embedded();
        let capability = |name| catalog.capability(name).map(|capability| capability.to_string());
        for (name, expected) in [
            ("RTX 4090", "8.9"),
            ("rtx 50", "12.0"),
            ("T4", "7.5"),
            ("A100", "8.0"),
            ("A10", "8.6"),
            ("sm_120", "12.0"),
        ] {
            assert_eq!(capability(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["A1", "RTX 400", "RTX 60", "GeForce"] {
            assert_eq!(capability(name), None, "{name}");
        }
    }

    #[test]
    fn a_site_adds_rows_and_takes_the_place_of_ours() {
        let catalog = Catalog::embedded();
        let text = "gpus: [{gpu: Ours, capability: 8.6, source: s, date: 2026-11-24}]\n\
                    cuda: [{cuda: 12.8, floor: 525, driver: 560.28, gpus: 5.0 12.0, source: s, date: 2026-11-24}]\n";
        let mut problems = Problems::default();
        let site = catalog.extended(text, &mut problems);
        assert_eq!(problems.check(Some(())), Ok(()));
        assert!(site.capability("ours").is_some() && catalog.capability("ours").is_none());
        let driver = |catalog: &Catalog| catalog.cuda_release("12.8").and_then(|row| row.driver.clone());
        assert_eq!(driver(&site).as_deref(), Some("560.28"));
        assert_eq!(site.cuda.len(), catalog.cuda.len());
        sorted(&site.gpus);
    }

    #[test]
    fn a_sites_mistakes_are_all_told() {
        let cases = [
            ("Torch: []\n", "the catalog has no field `Torch`; did you mean `torch`?"),
            (
                "gpus: [{gpu: X, capability: big, source: s, date: 2026-11-24}]\n",
                "`capability` cannot be `big`",
            ),
            ("gpus: [{gpu: X, capability: 8.6}]\n", "lacks the field `source`"),
            ("gpus: [{gpu: X, capability: 8.6, source: s, date: now}]\n", "`date` cannot be `now`"),
            (
                "gpus: [{gpu: X, capabilty: 8.6, capability: 8.6, source: s, date: 2026-11-24}]\n",
                "did you mean `capability`?",
            ),
            ("gpus: 7\n", "`gpus` is a list of rows"),
        ];
        for (text, expected) in cases {
            let mut problems = Problems::default();
            Catalog::embedded().extended(text, &mut problems);
            let found = problems.check(Some(())).expect_err("refused");
            let lines: Vec<_> = found.iter().map(crate::diagnostic::Diagnostic::line).collect();
            assert!(lines.join("\n").contains(expected), "{text}: {lines:?}");
        }
    }
}
