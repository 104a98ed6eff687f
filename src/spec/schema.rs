//! The language as a table: which fields there are, what they hold and what they are for. `specs/schema.json`, which
//! editors complete and check specs with, is written from it.
//!
//! The table is not what reads specs, so `tests/schema.rs` holds the two together: the loader is asked which fields it
//! knows at every place, generated specs must be taken by both or refused by both, and every text that a grammar here
//! takes is given to the loader's own.

use serde_json::{Map, Value, json};

use crate::components::{capability, ffmpeg_flag};

use super::{
    ContextPath, DebianPackage, DeviceName, DriverRange, Duration, EDITIONS, EnvName, FileMode, ImagePath,
    ImageReference, Locale, Name, PackagePattern, PackageRequirement, Port, Repository, Requirement, Sha256,
    Signal, TagSchema, TimeZone, Url, User, UserId, UserName, Version, Wish,
};

/// A field of a mapping.
#[derive(Debug)]
pub struct Field {
    /// Its key.
    pub key: &'static str,
    /// What it is for; editors show it.
    pub about: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    /// A single value of a grammar.
    Text(&'static Grammar),
    /// `true` or `false`.
    Switch,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A list of such values; at least one where that is said.
    List(&'static Self, bool),
    /// A mapping from free keys to such values.
    Entries(&'static Grammar, &'static Self),
    /// A mapping of this shape that is not empty.
    Filled(&'static Self),
    /// A mapping with these fields and no other.
    Fields(&'static [Field]),
    /// One of these.
    Any(&'static [Self]),
}

/// The grammar of a single value.
#[derive(Debug)]
pub struct Grammar {
    /// Its name among the definitions of the schema.
    pub name: &'static str,
    /// A regular expression, without look-around. Where it is not `exact` the loader takes less: it knows numbers' limits,
    /// addresses and requirements better than an expression can say.
    pub pattern: &'static str,
    /// Characters at most.
    pub longest: Option<usize>,
    /// Whether pattern and loader take the same texts.
    pub exact: bool,
    /// Texts that belong to it.
    pub examples: &'static [&'static str],
    /// What the loader says.
    pub takes: fn(&str) -> bool,
}

macro_rules! grammar {
    ($name:ident, $exact:literal, $pattern:literal, $longest:expr, $takes:expr, [$($example:literal),+]) => {
        const $name: &Grammar = &Grammar {
            name: stringify!($name),
            pattern: $pattern,
            longest: $longest,
            exact: $exact,
            examples: &[$($example),+],
            takes: $takes,
        };
    };
}

grammar!(TEXT, true, "^[^\\x00]*$", None, |text| !text.contains('\0'), ["some text", "x y"]);
grammar!(
    LABEL_KEY,
    true,
    "^[^\\x00]+$",
    None,
    |text| !text.is_empty() && !text.contains('\0'),
    ["org.opencontainers.image.vendor", "a b"]
);
grammar!(
    NAME,
    true,
    "^[A-Za-z0-9][A-Za-z0-9._-]*$",
    Some(64),
    |t| Name::parse(t).is_ok(),
    ["media-node", "a"]
);
grammar!(
    PACKAGE_PATTERN,
    true,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\\*?$",
    None,
    |t| PackagePattern::parse(t).is_ok(),
    ["shapely", "opencv-*"]
);
grammar!(
    VERSION,
    true,
    "^[0-9]{1,9}(\\.[0-9]{1,9}){1,3}([A-Za-z+-][A-Za-z0-9.+-]*)?$",
    Some(40),
    |t| Version::parse(t).is_ok(),
    ["3.13.5", "10.13.3.9"]
);
grammar!(
    PACKAGE,
    true,
    "^[a-z0-9][a-z0-9+.-]*([a-z0-9.]|\\+\\+)(=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?$",
    None,
    |t| DebianPackage::parse(t).is_ok(),
    ["curl", "libstdc++6", "g++", "curl=8.14.1-2"]
);
grammar!(
    DEVICE_NAME,
    true,
    "^[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?=[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$",
    Some(200),
    |t| DeviceName::parse(t).is_ok(),
    ["nvidia.com/gpu=all", "vendor.com/card=0"]
);
grammar!(
    IMAGE_PATH,
    true,
    "^/((([^./\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*|\\.[^./\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*|\\.\\.[^/\\x00-\\x1f\\x7f-\\x9f]+)/)*([^./\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*|\\.[^./\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*|\\.\\.[^/\\x00-\\x1f\\x7f-\\x9f]+)/?)?$",
    None,
    |t| ImagePath::parse(t).is_ok(),
    ["/srv/app", "/opt/venv"]
);
grammar!(
    CONTEXT_PATH,
    false,
    "^[^/*?\\[\\\\!][^*?\\[\\\\!]*$",
    None,
    |t| ContextPath::parse(t).is_ok(),
    ["app/config.yaml", "a"]
);
grammar!(
    WHEEL_PATH,
    false,
    "^[^/*?\\[\\\\!][^*?\\[\\\\!]*\\.whl$",
    None,
    crate::components::is_wheel_path,
    ["dist/app-1.0-py3-none-any.whl", "a-1.0.2-cp313-cp313-manylinux_2_28_x86_64.whl"]
);
grammar!(
    SHA256,
    true,
    "^(sha256:)?[0-9a-f]{64}$",
    None,
    |t| Sha256::parse(t).is_ok(),
    ["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]
);
grammar!(
    URL,
    false,
    "^[Hh][Tt][Tt][Pp][Ss]?:[^\\s]+$",
    None,
    |t| Url::parse(t).is_ok(),
    ["https://example.org/name-1.0.tar.xz"]
);
grammar!(
    IMAGE,
    false,
    "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
    None,
    |t| ImageReference::parse(t).is_ok(),
    ["debian:13", "ghcr.io/owner/name:1"]
);
grammar!(
    REQUIREMENT,
    false,
    "^\\s*[A-Za-z0-9].*$",
    None,
    |t| PackageRequirement::parse(t).is_ok(),
    ["numpy==2.2.6", "six"]
);
grammar!(
    TIME_ZONE,
    true,
    "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*)*$",
    Some(64),
    |t| TimeZone::parse(t).is_ok(),
    ["Etc/UTC", "Europe/Berlin"]
);
grammar!(
    LOCALE,
    true,
    "^(C|[a-z]{2,3}_[A-Z]{2})\\.UTF-8$",
    None,
    |t| Locale::parse(t).is_ok(),
    ["en_US.UTF-8"]
);
grammar!(USER_NAME, true, "^[a-z_][a-z0-9_-]*$", Some(32), |t| UserName::parse(t).is_ok(), ["node"]);
grammar!(
    USER,
    true,
    "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,63})?$",
    None,
    |t| User::parse(t).is_ok(),
    ["node", "1000:1000"]
);
grammar!(USER_ID, false, "^[0-9]+$", None, |t| UserId::parse(t).is_ok(), ["1000"]);
grammar!(
    DURATION,
    false,
    "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
    None,
    |t| Duration::parse(t).is_ok(),
    ["30s", "1m30s"]
);
grammar!(NUMBER, false, "^\\+?[0-9]+$", None, |t| t.parse::<u16>().is_ok(), ["3"]);
grammar!(PORT, false, "^[0-9]+(/(tcp|udp|sctp))?$", None, |t| Port::parse(t).is_ok(), ["8080", "53/udp"]);
grammar!(
    SIGNAL,
    true,
    "^SIG(HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS|CLD|IOT|POLL|RTMIN(\\+([1-9]|1[0-5]))?|RTMAX(-([1-9]|1[0-4]))?)$",
    None,
    |t| Signal::parse(t).is_ok(),
    ["SIGTERM", "SIGRTMIN+3"]
);
grammar!(FILE_MODE, true, "^[0-7]{3,4}$", None, |t| FileMode::parse(t).is_ok(), ["0644"]);
grammar!(
    ENV_NAME,
    true,
    "^[A-Za-z_][A-Za-z0-9_]*$",
    None,
    |t| EnvName::parse(t).is_ok(),
    ["PYTHONUNBUFFERED", "A"]
);

grammar!(
    WORD,
    true,
    "^[A-Za-z0-9_][A-Za-z0-9._+-]*$",
    None,
    |t| super::test::word(t).is_ok(),
    ["libx264", "2.2.6"]
);
grammar!(
    MODULE,
    true,
    "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$",
    None,
    |t| super::test::module(t).is_ok(),
    ["numpy.linalg"]
);
grammar!(OWNER, false, "^[^\\s]+$", None, |t| super::test::owner(t).is_ok(), ["root", "0:0"]);
grammar!(SIZE, false, "^[<>=]*[0-9]+$", None, |t| super::test::size(t).is_ok(), ["12", "<1000"]);
grammar!(EXIT_CODE, false, "^\\+?[0-9]{1,3}$", None, |t| t.parse::<u8>().is_ok(), ["0", "3"]);
grammar!(TCP_PORT, false, "^\\+?[0-9]{1,5}$", None, |t| super::test::port(t).is_ok(), ["8080"]);
grammar!(
    TAG,
    false,
    "^[A-Za-z0-9_{][A-Za-z0-9_.{}-]*$",
    None,
    |t| TagSchema::parse(t).is_ok(),
    ["py{python.minor}"]
);
grammar!(
    REPOSITORY_NAME,
    false,
    "^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
    None,
    |t| Repository::parse(t).is_ok(),
    ["ratio1/base_edge_node"]
);
grammar!(
    SETTING,
    false,
    "^[A-Za-z0-9][A-Za-z0-9._-]*=[^\x00]*$",
    None,
    |t| !t.contains('\x00') && t.split_once('=').is_some_and(|(key, _)| Name::parse(key).is_ok()),
    ["setup-args=-Dx=y"]
);
grammar!(
    FFMPEG_FLAG,
    false,
    "^--((enable|disable)-[a-z0-9_-]+(=[a-z0-9_,-]+)?|optflags=-O[0-3s])$",
    None,
    |t| ffmpeg_flag(t).is_ok(),
    ["--disable-everything", "--enable-decoder=h264,hevc", "--optflags=-O2"]
);
grammar!(
    PINNED,
    false,
    "^\\s*[A-Za-z0-9].*==.*$",
    None,
    |t| t.contains("==") && Requirement::parse(t).is_ok(),
    ["ninja==1.13.0"]
);
grammar!(CAPABILITY, false, "^[+]?[0-9]+[.][+]?[0-9]+$", None, |t| capability(t).is_ok(), ["8.0", "9.0"]);
grammar!(JOBS, false, "^[+]?[0-9]+$", None, |t| matches!(t.parse(), Ok(1..=64_u8)), ["4"]);

grammar!(
    WISH,
    false,
    "^(auto|[0-9].*|[<>!].*)$",
    None,
    |t| Wish::parse(t).is_ok(),
    ["2.9.1", "2.9", "2", ">=2.8,<2.12", "auto"]
);
grammar!(DRIVERS, false, "^\\s*>=.*$", None, |t| DriverRange::parse(t).is_ok(), [">=570", ">=570,<600"]);

const fn required(key: &'static str, about: &'static str, shape: Shape) -> Field {
    Field { key, about, shape, required: true }
}

const fn optional(key: &'static str, about: &'static str, shape: Shape) -> Field {
    Field { key, about, shape, required: false }
}

const RUN: Shape = Shape::List(&Shape::Text(TEXT), true);
const PATHS: Shape = Shape::List(&Shape::Text(CONTEXT_PATH), false);
const ADDRESS: Shape = Shape::Text(URL);
const VERSION_FIELD: Field = required("version", "The release.", Shape::Text(VERSION));
const WISH_FIELD: Field =
    required("version", "The release, the beginning of one, a range, or `auto`.", Shape::Text(WISH));
const URL_FIELD: Field = optional(
    "url",
    "Where the release is published, if the frontend does not know. Needs `sha256`.",
    ADDRESS,
);
const SHA256_FIELD: Field =
    optional("sha256", "What `sha256sum` prints for the release's file.", Shape::Text(SHA256));
const REPOSITORY: Field = optional("repository", "Another archive, laid out like the vendor's.", ADDRESS);
const SLIM: Field =
    optional("slim", "Leave out IDLE, demos, tests, static archives and debug symbols.", Shape::Switch);

/// A release that is fetched: its version alone, or with where it is.
const SOURCE: Shape = Shape::Any(&[Shape::Text(WISH), Shape::Fields(SOURCE_FIELDS)]);
const SOURCE_FIELDS: &[Field] = &[WISH_FIELD, URL_FIELD, SHA256_FIELD];

/// A Python that is built or found: the place of one that is there, or a release.
const PYTHON: Shape = Shape::Any(&[
    Shape::Fields(&[
        WISH_FIELD,
        URL_FIELD,
        SHA256_FIELD,
        optional("optimize", "Build with profiles and link-time optimization: slow, once.", Shape::Switch),
        SLIM,
    ]),
    Shape::Fields(&[
        VERSION_FIELD,
        required("vendor", "Where the base image has it.", Shape::Text(IMAGE_PATH)),
        SLIM,
    ]),
    Shape::Fields(&[
        VERSION_FIELD,
        required(
            "venv",
            "Where a virtual environment of the distribution's Python goes.",
            Shape::Text(IMAGE_PATH),
        ),
        SLIM,
    ]),
]);

const FFMPEG: Shape = Shape::Fields(&[
    WISH_FIELD,
    URL_FIELD,
    SHA256_FIELD,
    optional(
        "libraries",
        "What it is built with; each from the distribution, or a release of its own.",
        LIBRARIES,
    ),
    optional("flags", "More flags of its `configure`.", Shape::List(&Shape::Text(FFMPEG_FLAG), false)),
]);

const FROM_DISTRIBUTION: Shape = Shape::Words(&["distribution"]);
const FROM_EITHER: Shape =
    Shape::Any(&[Shape::Words(&["distribution"]), Shape::Text(WISH), Shape::Fields(SOURCE_FIELDS)]);
const LIBRARIES: Shape = Shape::Fields(&[
    optional("aom", "AV1 (reference).", FROM_DISTRIBUTION),
    optional("ass", "Subtitles.", FROM_DISTRIBUTION),
    optional("dav1d", "AV1 decoder.", FROM_EITHER),
    optional("fontconfig", "Fonts.", FROM_DISTRIBUTION),
    optional("freetype", "Fonts.", FROM_DISTRIBUTION),
    optional("gnutls", "TLS.", FROM_DISTRIBUTION),
    optional("mp3lame", "MP3.", FROM_DISTRIBUTION),
    optional("nvenc", "NVIDIA's encoders and decoders.", FROM_EITHER),
    optional("openh264", "H.264 (Cisco).", FROM_EITHER),
    optional("opus", "Opus.", FROM_DISTRIBUTION),
    optional("svt-av1", "AV1 encoder.", FROM_EITHER),
    optional("vaapi", "Hardware of Intel and AMD.", FROM_DISTRIBUTION),
    optional("vpx", "VP8 and VP9.", FROM_DISTRIBUTION),
    optional("x264", "H.264.", FROM_DISTRIBUTION),
    optional("x265", "H.265.", FROM_DISTRIBUTION),
    optional("xml2", "DASH.", FROM_DISTRIBUTION),
]);

const TORCH: Shape = Shape::Any(&[
    Shape::Words(&["vendor"]),
    Shape::Fields(&[
        WISH_FIELD,
        required("channel", "PyTorch's wheel channel: `cpu`, `cu128`, … or `pypi`.", Shape::Text(TEXT)),
        optional("vision", "`false` leaves torchvision out.", Shape::Switch),
        optional("audio", "`false` leaves torchaudio out.", Shape::Switch),
    ]),
]);

const CUDA: Shape = Shape::Any(&[
    Shape::Words(&["vendor"]),
    Shape::Text(WISH),
    Shape::Fields(&[
        WISH_FIELD,
        optional("compiler", "Where nvcc comes from.", Shape::Words(&["apt", "wheels"])),
        optional("packages", "More of NVIDIA's archive.", Shape::List(&Shape::Text(PACKAGE), false)),
        REPOSITORY,
    ]),
]);

const TENSORRT: Shape = Shape::Any(&[
    Shape::Words(&["vendor"]),
    Shape::Text(WISH),
    Shape::Fields(&[
        WISH_FIELD,
        optional("provider", "Where it comes from.", Shape::Words(&["wheels"])),
        optional("index", "Another index than NVIDIA's.", ADDRESS),
    ]),
    Shape::Fields(&[
        WISH_FIELD,
        required("provider", "Where it comes from.", Shape::Words(&["apt"])),
        REPOSITORY,
    ]),
]);

const ONNXRUNTIME: Shape = Shape::Any(&[
    Shape::Text(WISH),
    Shape::Fields(&[
        WISH_FIELD,
        optional("flavour", "What it computes with.", Shape::Words(&["cpu", "gpu", "openvino"])),
    ]),
]);

const DOCKER: Shape = Shape::Any(&[
    Shape::Words(&["distribution"]),
    Shape::Text(WISH),
    Shape::Fields(&[
        WISH_FIELD,
        URL_FIELD,
        SHA256_FIELD,
        optional("provider", "Docker's static release.", Shape::Words(&["static"])),
    ]),
    Shape::Fields(&[
        WISH_FIELD,
        required("provider", "Docker's own packages.", Shape::Words(&["apt"])),
        REPOSITORY,
    ]),
]);

const JOBS_FIELD: Field = optional("jobs", "Compilers at once.", Shape::Text(JOBS));

const TARGET: Shape = Shape::Fields(&[
    optional("driver", "The drivers of the nodes.", Shape::Text(DRIVERS)),
    optional(
        "gpus",
        "Their GPUs, by compute capability or product.",
        Shape::Any(&[Shape::Text(TEXT), Shape::List(&Shape::Text(TEXT), false)]),
    ),
    optional(
        "cpu",
        "The oldest of their processors.",
        Shape::Words(&["x86-64", "x86-64-v2", "x86-64-v3", "armv8"]),
    ),
    optional("l4t", "Their release of L4T.", Shape::Text(VERSION)),
]);

const SDISTS: Shape = Shape::List(
    &Shape::Fields(&[
        required("name", "The package.", Shape::Text(NAME)),
        WISH_FIELD,
        URL_FIELD,
        SHA256_FIELD,
        optional("requires", "What it is built with, each pinned.", Shape::List(&Shape::Text(PINNED), false)),
        optional(
            "packages",
            "The distribution's packages for it.",
            Shape::List(&Shape::Text(PACKAGE), false),
        ),
        optional("settings", "Settings for its build system.", Shape::List(&Shape::Text(SETTING), false)),
        optional("env", "Variables of its build.", Shape::Entries(ENV_NAME, &Shape::Text(TEXT))),
        optional(
            "uses",
            "Components it is built with.",
            Shape::List(&Shape::Words(&["cuda", "torch"]), false),
        ),
        JOBS_FIELD,
    ]),
    false,
);

const FLASH_ATTN: Shape = Shape::Fields(&[
    WISH_FIELD,
    URL_FIELD,
    SHA256_FIELD,
    JOBS_FIELD,
    optional("capabilities", "Compute capabilities.", Shape::List(&Shape::Text(CAPABILITY), false)),
]);

const WHEELS: Shape = Shape::Fields(&[
    optional(
        "requirements",
        "Packages, as pip reads them (PEP 508).",
        Shape::List(&Shape::Text(REQUIREMENT), false),
    ),
    optional("files", "Files of requirements in the build context.", PATHS),
    optional(
        "exclude",
        "Packages that must not be in the image, whoever asks for them.",
        Shape::List(&Shape::Text(NAME), false),
    ),
    optional(
        "groups",
        "Packages that lie together, by the name of the group; `*` at the end of a name stands for any rest.",
        Shape::Entries(NAME, &Shape::List(&Shape::Text(PACKAGE_PATTERN), true)),
    ),
    optional(
        "indexes",
        "Package indexes that are asked before the public one.",
        Shape::List(&ADDRESS, false),
    ),
    optional("local", "Wheels in the build context.", Shape::List(&Shape::Text(WHEEL_PATH), false)),
    optional(
        "cpu_baseline",
        "The oldest processor that packages must run on.",
        Shape::Words(&["x86-64", "x86-64-v2"]),
    ),
]);

const SYSTEM: Shape = Shape::Fields(&[
    optional(
        "packages",
        "Packages of the distribution, each `name` or `name=version`.",
        Shape::List(&Shape::Text(PACKAGE), false),
    ),
    optional(
        "slim",
        "Without what no program needs: documentation, translations, static archives.",
        Shape::Switch,
    ),
    optional("timezone", "A time zone; also sets `TZ`.", Shape::Text(TIME_ZONE)),
    optional("locale", "A locale; also sets `LANG`.", Shape::Text(LOCALE)),
    optional(
        "users",
        "Users besides root, each with a group and a home.",
        Shape::List(
            &Shape::Fields(&[
                required("name", "The user's name.", Shape::Text(USER_NAME)),
                required("id", "The user's number.", Shape::Text(USER_ID)),
                optional("shell", "The user's shell.", Shape::Text(IMAGE_PATH)),
            ]),
            false,
        ),
    ),
]);

const FILES: Shape = Shape::List(
    &Shape::Fields(&[
        required("from", "A file or directory of the build context.", Shape::Text(CONTEXT_PATH)),
        required("to", "Its place in the image.", Shape::Text(IMAGE_PATH)),
        optional("mode", "Its permissions, in octal.", Shape::Text(FILE_MODE)),
    ]),
    false,
);

const HEALTHCHECK: Shape = Shape::Fields(&[
    required("run", "The program and its arguments.", RUN),
    optional("interval", "Time from one run to the next.", Shape::Text(DURATION)),
    optional("timeout", "Time that a run may take.", Shape::Text(DURATION)),
    optional("start_period", "Time in which failures do not count.", Shape::Text(DURATION)),
    optional("retries", "Failures in a row that count.", Shape::Text(NUMBER)),
]);

const COMMANDS: Shape = Shape::List(
    &Shape::Fields(&[
        required("name", "Its name in progress and errors.", Shape::Text(NAME)),
        required("run", "The program and its arguments; no shell reads them.", RUN),
        optional("inputs", "What of the build context it can read, below `/run/edgenode/inputs`.", PATHS),
        optional("network", "Whether it has a network.", Shape::Switch),
        STEP_SECRETS,
        optional("ssh", "The agent of the client (`--ssh`) whose keys it can use.", SECRET),
        DEVICES,
    ]),
    false,
);

const STEP_SECRETS: Field =
    optional("secrets", "Secrets of the client, below `/run/secrets`.", Shape::List(&SECRET, false));
const DEVICES: Field =
    optional("devices", "Devices of the builder (CDI).", Shape::List(&Shape::Text(DEVICE_NAME), false));

/// A secret: its id alone, or with whether it may be absent.
const SECRET: Shape = Shape::Any(&[
    Shape::Text(NAME),
    Shape::Fields(&[
        required("id", "What it is called on the command line.", Shape::Text(NAME)),
        optional("optional", "Whether it may be absent.", Shape::Switch),
    ]),
]);

const SECRETS: Shape = Shape::Fields(&[optional(
    "netrc",
    "Names and passwords for archives and indexes of packages (netrc).",
    SECRET,
)]);

/// A text, or several.
const TEXTS: Shape = Shape::Any(&[Shape::Text(TEXT), Shape::List(&Shape::Text(TEXT), false)]);
const EQUALS: Field = optional("equals", "It is just this.", TEXTS);
const CONTAINS: Field = optional("contains", "It has this in it.", TEXTS);
const MATCHES: Field = optional("matches", "An extended regular expression fits one of its lines.", TEXTS);
const STARTS: Field = optional("starts", "It starts with this.", TEXTS);
const ENDS: Field = optional("ends", "It ends with this.", TEXTS);
const EMPTY: Field = optional("empty", "It is empty, or is not.", Shape::Switch);
const OUTPUT: Shape = Shape::Fields(&[EQUALS, CONTAINS, MATCHES, STARTS, ENDS, EMPTY]);

const NEED: Shape = Shape::Words(&["gpu", "privileged"]);
const TEST_NAME: Field = required("name", "Its name in progress, reports and errors.", Shape::Text(NAME));
const INPUTS: Field =
    optional("inputs", "What of the build context it can read, below `/run/edgenode/inputs`.", PATHS);
const ARGUMENTS: Field = optional("arguments", "More arguments.", Shape::List(&Shape::Text(TEXT), false));
const TEST_ENV: Field =
    optional("env", "Variables beside the image's.", Shape::Entries(ENV_NAME, &Shape::Text(TEXT)));
const STDIN: Field = optional("stdin", "What it reads.", Shape::Text(TEXT));
const TIMEOUT: Field = optional("timeout", "The time that it may take.", Shape::Text(DURATION));
const LISTENS: Field = optional("listens", "The TCP port that it must listen on.", Shape::Text(TCP_PORT));
const NEEDS: Field =
    optional("needs", "What not every builder has.", Shape::Any(&[NEED, Shape::List(&NEED, false)]));
const EXIT: Field = optional("exit_code", "How it must end; with 0 by default.", Shape::Text(EXIT_CODE));
const STDOUT: Field = optional("stdout", "What it must print.", OUTPUT);
const STDERR: Field = optional("stderr", "What it must print as errors.", OUTPUT);
const STDOUT_CONTAINS: Field =
    optional("stdout_contains", "Texts that it must print.", Shape::List(&Shape::Text(TEXT), false));

const TEST_FILES: Shape = Shape::List(
    &Shape::Any(&[
        Shape::Text(IMAGE_PATH),
        Shape::Fields(&[
            required("path", "Its place in the image.", Shape::Text(IMAGE_PATH)),
            optional("exists", "It is there, or is not.", Shape::Switch),
            optional("mode", "Its permissions, in octal.", Shape::Text(FILE_MODE)),
            optional("owner", "Its user, or user and group.", Shape::Text(OWNER)),
            optional("size", "Its bytes, or a bound such as `<1000`.", Shape::Text(SIZE)),
            optional("sha256", "Its digest.", Shape::Text(SHA256)),
            EQUALS,
            CONTAINS,
            MATCHES,
            STARTS,
            ENDS,
            EMPTY,
        ]),
    ]),
    true,
);
const FILES_OF: Field = optional("files", "What files there are.", TEST_FILES);
const LIBRARIES_OF: Field = optional(
    "libraries",
    "Directories whose programs find all libraries.",
    Shape::List(&Shape::Text(IMAGE_PATH), true),
);
const IMPORTS: Field =
    optional("imports", "Python modules that can be imported.", Shape::List(&Shape::Text(MODULE), true));
const VERSIONS: Field =
    optional("versions", "Versions of Python packages.", Shape::Entries(WORD, &Shape::Text(WORD)));
const SOME_VERSIONS: Field =
    Field { shape: Shape::Filled(&Shape::Entries(WORD, &Shape::Text(WORD))), ..VERSIONS };
const ENCODERS: Field =
    optional("encoders", "What FFmpeg can encode to.", Shape::List(&Shape::Text(WORD), true));
const DECODERS: Field =
    optional("decoders", "What FFmpeg can decode.", Shape::List(&Shape::Text(WORD), true));

const PROGRAM: Field = required("run", "The program and its arguments; no shell reads them.", RUN);
const SCRIPT: Field = required("script", "A script of the build context.", Shape::Text(CONTEXT_PATH));

/// A test that runs something, named by this field.
const fn of_program(program: Field) -> [Field; 21] {
    [
        TEST_NAME,
        program,
        INPUTS,
        ARGUMENTS,
        TEST_ENV,
        STDIN,
        TIMEOUT,
        LISTENS,
        NEEDS,
        STEP_SECRETS,
        DEVICES,
        EXIT,
        STDOUT,
        STDERR,
        STDOUT_CONTAINS,
        FILES_OF,
        LIBRARIES_OF,
        IMPORTS,
        VERSIONS,
        ENCODERS,
        DECODERS,
    ]
}

/// A test of what is there, whose check of this number must be.
const fn of_image(number: usize) -> [Field; 7] {
    let versions = if number == 4 { SOME_VERSIONS } else { VERSIONS };
    let mut fields = [TEST_NAME, FILES_OF, LIBRARIES_OF, IMPORTS, versions, ENCODERS, DECODERS];
    fields[number].required = true;
    fields
}

const OF_PROGRAM: &[Field] = &of_program(PROGRAM);
const OF_SCRIPT: &[Field] = &of_program(SCRIPT);
const OF_FILES: &[Field] = &of_image(1);
const OF_LIBRARIES: &[Field] = &of_image(2);
const OF_IMPORTS: &[Field] = &of_image(3);
const OF_VERSIONS: &[Field] = &of_image(4);
const OF_ENCODERS: &[Field] = &of_image(5);
const OF_DECODERS: &[Field] = &of_image(6);

/// A test of a program, of a script, or of what is there.
const TESTS: Shape = Shape::List(
    &Shape::Any(&[
        Shape::Fields(OF_PROGRAM),
        Shape::Fields(OF_SCRIPT),
        Shape::Fields(OF_FILES),
        Shape::Fields(OF_LIBRARIES),
        Shape::Fields(OF_IMPORTS),
        Shape::Fields(OF_VERSIONS),
        Shape::Fields(OF_ENCODERS),
        Shape::Fields(OF_DECODERS),
    ]),
    false,
);

const ARGS: Shape = Shape::Entries(
    ENV_NAME,
    &Shape::Any(&[
        Shape::Text(TEXT),
        Shape::Fields(&[
            required("default", "What it is unless the client says otherwise.", Shape::Text(TEXT)),
            optional("description", "What it is, for whoever builds.", Shape::Text(TEXT)),
            optional(
                "type",
                "What its values look like.",
                Shape::Words(&["text", "version", "number", "boolean"]),
            ),
            optional("choices", "The values that it can have.", Shape::List(&Shape::Text(TEXT), false)),
        ]),
    ]),
);

const LINT: Shape = Shape::Fields(&[optional(
    "ignore",
    "Rules that this spec does not keep.",
    Shape::List(
        &Shape::Fields(&[
            required("rule", "The rule's name; docs/lint.md lists them.", Shape::Text(NAME)),
            required("reason", "Why, for whoever reads the spec.", Shape::Text(TEXT)),
        ]),
        false,
    ),
)]);

/// The fields at the top of a spec.
pub const SPEC: &[Field] = &[
    optional("apiVersion", "The edition of the language.", Shape::Words(EDITIONS)),
    required("name", "What the node is called.", Shape::Text(NAME)),
    required("base", "The Debian or Ubuntu image that everything stands on.", Shape::Text(IMAGE)),
    optional("extends", "A spec of the build context that this one stands on.", Shape::Text(CONTEXT_PATH)),
    optional(
        "status",
        "How far it can be relied on.",
        Shape::Words(&["production", "experimental", "archived"]),
    ),
    optional(
        "platforms",
        "What it is meant for.",
        Shape::List(&Shape::Words(&["linux/amd64", "linux/arm64"]), false),
    ),
    optional("args", "What `--build-arg` can set; `${NAME}` stands for the value.", ARGS),
    optional("python", "CPython from its release archive, the base image's or the distribution's.", PYTHON),
    optional("ffmpeg", "FFmpeg from its release archive.", FFMPEG),
    optional("repository", "What its images are called, without the tag.", Shape::Text(REPOSITORY_NAME)),
    optional("tag", "What their tags tell.", Shape::Text(TAG)),
    optional("target", "The nodes that it must run on.", TARGET),
    optional("catalog", "A file of the build context with facts of the site.", Shape::Text(CONTEXT_PATH)),
    optional("sdists", "Python packages built from their source archives.", SDISTS),
    optional("flash_attn", "FlashAttention, compiled for the spec's torch and CUDA.", FLASH_ATTN),
    optional("nodejs", "Node.js with npm.", SOURCE),
    optional("ngrok", "The tunnel agent.", SOURCE),
    optional("uv", "The installer of Python packages.", SOURCE),
    optional("torch", "PyTorch with torchvision and torchaudio, or `vendor` for the base image's.", TORCH),
    optional("cuda", "NVIDIA's toolkit, or `vendor` for the base image's.", CUDA),
    optional("tensorrt", "TensorRT's libraries and bindings, or `vendor` for the base image's.", TENSORRT),
    optional("onnxruntime", "ONNX Runtime in one of its flavours.", ONNXRUNTIME),
    optional("openvino", "OpenVINO, its telemetry off.", Shape::Text(WISH)),
    optional("transformers", "Hugging Face's library of models.", Shape::Text(WISH)),
    optional("wheels", "Python packages.", WHEELS),
    optional("docker", "A Docker Engine inside, and the entrypoint that starts it.", DOCKER),
    optional(
        "nvidia_container_toolkit",
        "NVIDIA's devices for containers of the engine inside.",
        Shape::Any(&[Shape::Text(WISH), Shape::Fields(&[WISH_FIELD, REPOSITORY])]),
    ),
    optional("files", "Files of the build context, at their place in the image.", FILES),
    optional("system", "The distribution's packages and settings.", SYSTEM),
    optional("env", "Environment variables.", Shape::Entries(ENV_NAME, &Shape::Text(TEXT))),
    optional("workdir", "Where the program starts.", Shape::Text(IMAGE_PATH)),
    optional("user", "Who runs the program, and of which group.", Shape::Text(USER)),
    optional("entrypoint", "The program, as a list.", Shape::List(&Shape::Text(TEXT), false)),
    optional("cmd", "Its default arguments, as a list.", Shape::List(&Shape::Text(TEXT), false)),
    optional("labels", "Labels of the image.", Shape::Entries(LABEL_KEY, &Shape::Text(TEXT))),
    optional(
        "volumes",
        "Directories that containers keep outside of the image.",
        Shape::List(&Shape::Text(IMAGE_PATH), false),
    ),
    optional("ports", "Ports that its programs listen on.", Shape::List(&Shape::Text(PORT), false)),
    optional("stop_signal", "What ends the program.", Shape::Text(SIGNAL)),
    optional("healthcheck", "How a runtime finds out that the program works.", HEALTHCHECK),
    optional("commands", "Programs that run in the assembled image and may change it.", COMMANDS),
    optional(
        "suites",
        "Tests that come with the program.",
        Shape::List(&Shape::Words(&["cpu", "gpu", "media", "dind", "node"]), false),
    ),
    optional("require_tests", "Whether there is no image where a test fails.", Shape::Switch),
    optional("tests", "What must hold in the finished image.", TESTS),
    optional("secrets", "Secrets of the client that steps read.", SECRETS),
    optional("lint", "Which rules of the linter the spec does not keep.", LINT),
];

/// The schema as JSON. Where a spec extends another, nothing must be there, and `null` takes away what is below.
pub fn schema() -> Value {
    let whole = fields(SPEC, true);
    let part = fields(SPEC, false);
    let mut definitions = json!({
        "argument": {"type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}"},
        "whole": whole,
        "part": part,
    });
    for grammar in GRAMMARS {
        definitions[grammar.name] = definition(grammar);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A spec of an edge node",
        "definitions": definitions,
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/definitions/part"},
        "else": {"$ref": "#/definitions/whole"},
    })
}

fn fields(table: &[Field], whole: bool) -> Value {
    let mut properties = Map::new();
    for field in table {
        let mut shape = shape(&field.shape, whole);
        if !whole {
            shape = json!({"anyOf": [shape, {"type": "null"}]});
        }
        shape["description"] = json!(field.about);
        properties.insert(field.key.to_owned(), shape);
    }
    let mut object = json!({"type": "object", "additionalProperties": false, "properties": properties});
    let required: Vec<_> = table.iter().filter(|field| field.required).map(|field| field.key).collect();
    if whole && !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

const GRAMMARS: [&Grammar; 40] = [
    CAPABILITY,
    CONTEXT_PATH,
    DEVICE_NAME,
    DRIVERS,
    DURATION,
    ENV_NAME,
    EXIT_CODE,
    FFMPEG_FLAG,
    FILE_MODE,
    IMAGE,
    IMAGE_PATH,
    JOBS,
    LABEL_KEY,
    LOCALE,
    MODULE,
    NAME,
    NUMBER,
    OWNER,
    PACKAGE,
    PACKAGE_PATTERN,
    PINNED,
    PORT,
    REPOSITORY_NAME,
    REQUIREMENT,
    SETTING,
    SHA256,
    SIGNAL,
    SIZE,
    TAG,
    TCP_PORT,
    TEXT,
    TIME_ZONE,
    URL,
    USER,
    USER_ID,
    USER_NAME,
    VERSION,
    WHEEL_PATH,
    WISH,
    WORD,
];

/// YAML reads `3.10` as a number and `no` as a switch; for a spec they are texts, so that editors must let them pass.
fn definition(grammar: &Grammar) -> Value {
    let mut text = json!({"type": ["string", "number", "boolean"]});
    if grammar.pattern != TEXT.pattern {
        text["pattern"] = json!(grammar.pattern);
        text["examples"] = json!(grammar.examples);
    }
    if let Some(longest) = grammar.longest {
        text["maxLength"] = json!(longest);
    }
    json!({"anyOf": [text, {"$ref": "#/definitions/argument"}]})
}

fn shape(of: &Shape, whole: bool) -> Value {
    let argument = json!({"$ref": "#/definitions/argument"});
    match of {
        Shape::Text(grammar) => json!({"anyOf": [{"$ref": format!("#/definitions/{}", grammar.name)}]}),
        Shape::Switch => json!({"anyOf": [{"type": "boolean"}, argument]}),
        Shape::Words(words) => json!({"anyOf": [{"enum": words}, argument]}),
        Shape::List(item, filled) => {
            let mut list = json!({"type": "array", "items": shape(item, whole)});
            if *filled {
                list["minItems"] = json!(1);
            }
            list
        }
        Shape::Entries(key, value) => {
            let mut value = shape(value, whole);
            if !whole {
                value = json!({"anyOf": [value, {"type": "null"}]});
            }
            json!({"type": "object", "propertyNames": {"pattern": key.pattern}, "additionalProperties": value})
        }
        Shape::Filled(mapping) => {
            let mut mapping = shape(mapping, whole);
            mapping["minProperties"] = json!(1);
            mapping
        }
        Shape::Fields(table) => fields(table, whole),
        Shape::Any(shapes) if whole => {
            json!({"anyOf": shapes.iter().map(|of| shape(of, whole)).collect::<Vec<_>>()})
        }
        Shape::Any(shapes) => json!({"anyOf": any_part(shapes)}),
    }
}

/// Parts of forms that exclude each other may stand side by side: one that is below is taken away by `null`.
fn any_part(shapes: &[Shape]) -> Vec<Value> {
    let mut forms: Vec<Value> = Vec::new();
    let mut together = Map::new();
    for of in shapes {
        match shape(of, false) {
            Value::Object(mut object) if matches!(of, Shape::Fields(_)) => {
                let properties =
                    object.remove("properties").and_then(|p| p.as_object().cloned()).unwrap_or_default();
                for (key, value) in properties {
                    match together.get_mut(&key) {
                        Some(have) if *have != value => *have = json!({"anyOf": [have.clone(), value]}),
                        Some(_) => {}
                        None => {
                            together.insert(key, value);
                        }
                    }
                }
            }
            other => forms.push(other),
        }
    }
    if !together.is_empty() {
        forms.push(json!({"type": "object", "additionalProperties": false, "properties": together}));
    }
    forms
}
