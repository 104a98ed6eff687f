//! The grammar of the small values of a spec. A value that passes can neither be taken for an option nor for
//! shell syntax nor leave its place; it still never reaches a shell.

use std::fmt;
use std::str::FromStr;

use super::{nearest_name, normal_name};

/// Defines a text type whose values have passed a check.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// The version of an upstream release, such as `3.13.5` or `8.0.1-rc1`.
    Version
}
checked_text! {
    /// A Debian binary package, such as `libssl3`, with an exact version (`curl=8.14.1-2`) if wanted.
    /// Source: Debian Policy 5.6.7 and 5.6.12.
    DebianPackage
}
checked_text! {
    /// The name of an environment variable.
    EnvName
}
checked_text! {
    /// A device by its name in the Container Device Interface, such as `nvidia.com/gpu=all`.
    /// Source: the CDI specification, "Qualified device name".
    DeviceName
}
checked_text! {
    /// An absolute path in the image, without `.`, `..`, empty parts or a slash at the end.
    ImagePath
}
checked_text! {
    /// The SHA-256 of a file: 64 lower-case hexadecimal digits.
    Sha256
}
checked_text! {
    /// An `http` or `https` address without credentials.
    Url
}
checked_text! {
    /// A full image reference: registry, repository, and a tag or digest.
    /// Source: the `distribution/reference` grammar.
    ImageReference
}
checked_text! {
    /// A repository of images in its full form, such as `docker.io/ratio1/edgenode`: a reference without tag and digest.
    Repository
}
checked_text! {
    /// A Python requirement (PEP 508) without options or local paths.
    Requirement
}
checked_text! {
    /// A path in the build context, without `.`, `..` or a slash at either end.
    ContextPath
}
checked_text! {
    /// A platform as BuildKit writes it, such as `linux/amd64`.
    PlatformName
}
checked_text! {
    /// A time zone of the IANA database, such as `Europe/Berlin`.
    TimeZone
}
checked_text! {
    /// A locale with UTF-8, such as `en_US.UTF-8`.
    Locale
}
checked_text! {
    /// A user's name. Source: useradd(8), without the `$` at the end.
    UserName
}
checked_text! {
    /// A short name: letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
    Name
}

/// The first character passes `first`, all others pass `rest`, and there is at least one.
fn is_word(text: &str, first: fn(char) -> bool, rest: fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(first) && chars.all(rest)
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

impl Version {
    /// Reads a release version: two to four numbers, then a suffix if there is one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = "write the release's full version, such as `3.13.5`";
        let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, suffix) = text.split_at(digits_end);
        let parts: Vec<_> = numbers.split('.').collect();
        let numeric = parts.iter().all(|part| (1..=9).contains(&part.len()));
        let plain_suffix = suffix.is_empty()
            || is_word(
                suffix,
                |c| c.is_ascii_alphabetic() || c == '-' || c == '+',
                |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'),
            );
        if numeric && (2..=4).contains(&parts.len()) && plain_suffix && text.len() <= 40 {
            Ok(Self(text.to_owned()))
        } else {
            Err(help.to_owned())
        }
    }

    /// Reads a version like [`Version::parse`], or the first number of one.
    pub fn parse_beginning(text: &str) -> Result<Self, String> {
        let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(Self(text.to_owned())) } else { Self::parse(text) }
    }
}

impl DebianPackage {
    /// Reads `name` or `name=version`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let name_fits = name.len() >= 2
            && is_word(name, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), |c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.')
            })
            // apt-get reads a `+` or `-` at the end as "install" or "remove".
            && (!name.ends_with(['+', '-']) || name.ends_with("++"));
        let version_fits = version.is_none_or(|version| {
            is_word(version, is_alphanumeric, |c| {
                is_alphanumeric(c) || matches!(c, '.' | '+' | '-' | ':' | '~')
            })
        });
        if name_fits && version_fits {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a package as `curl` or `curl=8.14.1-2`, in lower case".to_owned())
        }
    }
}

impl EnvName {
    /// Reads the name of an environment variable.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_word(text, |c| c.is_ascii_alphabetic() || c == '_', |c| is_alphanumeric(c) || c == '_') {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name has letters, digits and `_`, and begins with no digit".to_owned())
        }
    }
}

impl DeviceName {
    /// Reads vendor, class and name, as in `vendor.com/class=name`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let ends_well = |part: &str| part.ends_with(|c: char| c.is_ascii_alphanumeric());
        let is_part = |part: &str, first: fn(&char) -> bool, others: &str| {
            part.starts_with(|c: char| first(&c))
                && ends_well(part)
                && part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let letter = char::is_ascii_alphabetic;
        let parts = text.split_once('=').and_then(|(kind, name)| Some((kind.split_once('/')?, name)));
        match parts {
            Some(((vendor, class), name))
                if text.len() <= 200
                    && is_part(vendor, letter, "_-.")
                    && is_part(class, letter, "_-")
                    && is_part(name, char::is_ascii_alphanumeric, "_-.:") =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err("write vendor, class and name, such as `nvidia.com/gpu=0`".to_owned()),
        }
    }
}

impl ImagePath {
    /// Reads an absolute path and drops a slash at its end.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(relative) = text.strip_prefix('/') else {
            return Err("the path must begin with `/`".to_owned());
        };
        if text.chars().any(char::is_control) {
            return Err("the path must not contain control characters".to_owned());
        }
        if relative.is_empty() {
            return Ok(Self("/".to_owned()));
        }
        let relative = relative.strip_suffix('/').unwrap_or(relative);
        if relative.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("write the path without `.`, `..` and doubled slashes".to_owned());
        }
        Ok(Self(format!("/{relative}")))
    }
}

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Reads a digest with or without `sha256:` in front.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() == 64 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            Ok(Self(digits.to_owned()))
        } else {
            Err("write the 64 hexadecimal digits that `sha256sum` prints".to_owned())
        }
    }
}

impl Url {
    /// Reads an address. Credentials are refused: they would end up in the image's provenance.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = "write an address such as `https://example.org/name-1.0.tar.xz`";
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(help.to_owned());
        }
        let url = url::Url::parse(text).map_err(|_| help.to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(help.to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials do not belong into a spec; use a build secret".to_owned());
        }
        Ok(Self(url.into()))
    }

    /// The last part of the path: the file's name.
    pub fn file_name(&self) -> &str {
        let path = self.0.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }
}

impl ImageReference {
    /// Reads a reference in Docker's short or full form and gives the full form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = "write an image such as `debian:13` or `ghcr.io/owner/name@sha256:…`";
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|d| !d.starts_with("sha256:") || Sha256::parse(d).is_err()) {
            return Err("a digest is `sha256:` and 64 hexadecimal digits".to_owned());
        }
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (host, path) = split_host(name);
        let path_fits = path.split('/').all(|part| {
            is_word(
                part,
                |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
                |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'),
            )
        });
        let tag_fits = tag.is_none_or(|tag| {
            tag.len() <= 128
                && is_word(
                    tag,
                    |c| is_alphanumeric(c) || c == '_',
                    |c| is_alphanumeric(c) || matches!(c, '.' | '_' | '-'),
                )
        });
        let host_fits = host
            .split('.')
            .all(|label| is_word(label, is_alphanumeric, |c| is_alphanumeric(c) || matches!(c, '-' | ':')));
        if !path_fits || !tag_fits || !host_fits || name.len() > 255 {
            return Err(help.to_owned());
        }
        let path = match (host, path.contains('/')) {
            ("docker.io", false) => format!("library/{path}"),
            _ => path.to_owned(),
        };
        let tag = match (tag, digest) {
            (Some(tag), _) => format!(":{tag}"),
            (None, Some(_)) => String::new(),
            (None, None) => ":latest".to_owned(),
        };
        let digest = digest.map(|d| format!("@{d}")).unwrap_or_default();
        Ok(Self(format!("{host}/{path}{tag}{digest}")))
    }

    /// Whether the reference names exact bytes.
    pub fn has_digest(&self) -> bool {
        self.0.contains('@')
    }
}

impl Repository {
    /// Reads a repository in Docker's short or full form and gives the full form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = || "write a repository such as `ratio1/base_edge_node`, without a tag".to_owned();
        if text.contains('@') {
            return Err(help());
        }
        // The tag that a reference without one gets tells whether there was one.
        let reference = ImageReference::parse(text).map_err(|_| help())?;
        match reference.as_str().strip_suffix(":latest") {
            Some(repository) if !text.ends_with(":latest") => Ok(Self(repository.to_owned())),
            _ => Err(help()),
        }
    }
}

/// Docker's rule: the first part is a registry if it has a dot or a port, or is `localhost`.
fn split_host(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => ("docker.io", name),
    }
}

impl Requirement {
    /// Reads a requirement. Its text is kept as written.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::of_releases(text, &Self::parsed(text)?)
            .ok_or_else(|| "a package by its address is not known here; name a released version".to_owned())
    }

    /// A text that was read before; `None` where it names a package by its address.
    pub(super) fn of_releases(text: &str, parsed: &pep508_rs::Requirement) -> Option<Self> {
        let is_address = matches!(parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)));
        (!is_address).then(|| Self(text.to_owned()))
    }

    /// What a requirement says, be it by address or not.
    pub(super) fn parsed(text: &str) -> Result<pep508_rs::Requirement, String> {
        let help = "write a requirement such as `numpy>=2.1`";
        if text.chars().any(char::is_control) {
            return Err(help.to_owned());
        }
        // The library panics when it points at a mistake beside them.
        if !text.is_ascii() {
            return Err(format!("{help}; it has ASCII characters only"));
        }
        // It panics on names of packages and extras that end like this, too.
        let names = text.split(|c: char| "<>=!~;@(".contains(c)).next().unwrap_or_default();
        let words = names.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
        if words.into_iter().any(|word| word.ends_with(['-', '_', '.'])) {
            return Err(help.to_owned());
        }
        pep508_rs::Requirement::from_str(text).map_err(|error| {
            let message = error.to_string();
            format!("{help} ({})", message.lines().next().unwrap_or(help))
        })
    }

    fn known(&self) -> Option<pep508_rs::Requirement> {
        Self::parsed(&self.0).ok()
    }

    /// The package's name in its normal form. Source: PEP 503.
    pub fn package(&self) -> String {
        self.known().map(|requirement| requirement.name.to_string()).unwrap_or_default()
    }

    /// Whether a version meets the requirement.
    pub fn admits(&self, version: &str) -> bool {
        match self.known().and_then(|requirement| requirement.version_or_url) {
            Some(pep508_rs::VersionOrUrl::VersionSpecifier(specifiers)) => {
                pep508_rs::pep440_rs::Version::from_str(version)
                    .is_ok_and(|version| specifiers.contains(&version))
            }
            _ => true,
        }
    }

    /// Whether some build of a release meets the requirement. What a build is called, behind a `+`, is not looked at, and a
    /// release that Python has no word for is met by anything.
    pub fn admits_build_of(&self, release: &str) -> bool {
        let Some(pep508_rs::VersionOrUrl::VersionSpecifier(specifiers)) =
            self.known().and_then(|requirement| requirement.version_or_url)
        else {
            return true;
        };
        let Ok(release) = pep508_rs::pep440_rs::Version::from_str(release) else { return true };
        specifiers.iter().all(|specifier| {
            let version = specifier.version();
            match (version.is_local(), specifier.operator()) {
                (false, _) => specifier.contains(&release),
                (true, pep508_rs::pep440_rs::Operator::NotEqual) => true,
                (true, _) => version.clone().without_local() == release,
            }
        })
    }

    /// Whether it counts only where a marker says so.
    pub fn has_marker(&self) -> bool {
        self.known().is_some_and(|requirement| !requirement.marker.is_true())
    }

    /// The oldest version that is admitted, where the requirement names one.
    pub fn lower_bound(&self) -> Option<String> {
        let Some(pep508_rs::VersionOrUrl::VersionSpecifier(specifiers)) = self.known()?.version_or_url else {
            return None;
        };
        let from = |text: String| {
            let version = ["===", "==", "~=", ">=", ">"].iter().find_map(|sign| text.strip_prefix(sign))?;
            Some(version.trim().trim_end_matches(".*").to_owned())
        };
        specifiers.iter().find_map(|specifier| from(specifier.to_string()))
    }
}

impl ContextPath {
    /// Reads a relative path.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("the path must not contain control characters".to_owned());
        }
        let path = text.strip_prefix("./").unwrap_or(text);
        let path = path.strip_suffix('/').unwrap_or(path);
        // BuildKit reads these as patterns.
        if path.contains(['*', '?', '[', '\\', '!']) {
            return Err("write the name of a file or directory, not a pattern".to_owned());
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(
                "write a path below the build context, without `..`, such as `app/config.yaml`".to_owned()
            );
        }
        Ok(Self(path.to_owned()))
    }
}

impl PlatformName {
    /// Reads one of the platforms that components can be built for.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "linux/amd64" | "linux/arm64" => Ok(Self(text.to_owned())),
            _ => Err("write `linux/amd64` or `linux/arm64`".to_owned()),
        }
    }
}

impl TimeZone {
    /// Reads the name of a time zone.
    pub fn parse(text: &str) -> Result<Self, String> {
        let part =
            |part| is_word(part, |c| c.is_ascii_alphabetic(), |c| is_alphanumeric(c) || "_+-".contains(c));
        if text.len() <= 64 && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a time zone such as `Etc/UTC` or `Europe/Berlin`".to_owned())
        }
    }
}

impl Locale {
    /// Reads a locale.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix(".UTF-8");
        let fits = name.is_some_and(|name| {
            name == "C" || {
                let (language, country) = name.split_once('_').unwrap_or((name, ""));
                (2..=3).contains(&language.len())
                    && language.chars().all(|c| c.is_ascii_lowercase())
                    && country.len() == 2
                    && country.chars().all(|c| c.is_ascii_uppercase())
            }
        });
        if fits { Ok(Self(text.to_owned())) } else { Err("write a locale such as `en_US.UTF-8`".to_owned()) }
    }
}

impl UserName {
    /// Reads a user's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if text.len() <= 32 && is_word(text, |c| c.is_ascii_lowercase() || c == '_', rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a user's name has lower-case letters, digits, `_` and `-`, at most 32".to_owned())
        }
    }
}

/// A span of time, such as `30s` or `1m30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(u64);

impl Duration {
    /// Reads numbers with the units `h`, `m`, `s` and `ms`, the larger first.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = "write a time such as `30s`, `1m30s` or `500ms`";
        let mut rest = text;
        let mut milliseconds: u64 = 0;
        for (unit, worth) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, behind) = rest.split_at(digits);
            let Some(behind) = behind.strip_prefix(unit) else { continue };
            if number.is_empty() || (unit == "m" && behind.starts_with('s')) {
                continue;
            }
            let number: u64 = number.parse().map_err(|_| help.to_owned())?;
            let sum = number.checked_mul(worth).and_then(|more| milliseconds.checked_add(more));
            milliseconds = sum.ok_or_else(|| help.to_owned())?;
            rest = behind;
        }
        let most = 1000 * 3_600_000;
        if text.is_empty() || !rest.is_empty() || milliseconds > most {
            Err(help.to_owned())
        } else {
            Ok(Self(milliseconds))
        }
    }

    /// The same in nanoseconds, as image configurations have it.
    pub fn nanoseconds(self) -> u64 {
        self.0 * 1_000_000
    }
}

checked_text! {
    /// A port with its protocol, such as `8080/tcp`.
    Port
}

impl Port {
    /// Reads a number, with `/tcp`, `/udp` or `/sctp` behind it if wanted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let digits = number.chars().all(|c| c.is_ascii_digit());
        match number.parse::<u16>() {
            Ok(number @ 1..) if digits && matches!(protocol, "tcp" | "udp" | "sctp") => {
                Ok(Self(format!("{number}/{protocol}")))
            }
            _ => Err("write a port such as `8080` or `53/udp`".to_owned()),
        }
    }
}

checked_text! {
    /// The name of a signal, such as `SIGTERM`.
    Signal
}

/// The signals of Linux in the order of their numbers, from 1 on. Source: signal(7).
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
/// Other names of some of them.
const SYNONYMS: [&str; 3] = ["SIGCLD", "SIGIOT", "SIGPOLL"];
/// The first signal that programs may use as they like. Source: Docker's names of signals; the C library has two of its own.
const REAL_TIME: u8 = 34;
/// How many there are above it, and below the last.
const REAL_TIME_ABOVE: u8 = 15;
const REAL_TIME_BELOW: u8 = 14;

impl Signal {
    /// Reads the name of a signal that container runtimes know.
    pub fn parse(text: &str) -> Result<Self, String> {
        let offset = |sign: &str, most: u8| {
            let number = text.strip_prefix(sign).and_then(|number| number.parse().ok());
            number.is_some_and(|number: u8| (1..=most).contains(&number) && text == format!("{sign}{number}"))
        };
        let real_time = matches!(text, "SIGRTMIN" | "SIGRTMAX")
            || offset("SIGRTMIN+", REAL_TIME_ABOVE)
            || offset("SIGRTMAX-", REAL_TIME_BELOW);
        if real_time || SIGNALS.contains(&text) || SYNONYMS.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        Err(match nearest_name(text, SIGNALS.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write the name of a signal, such as `SIGTERM` or `SIGRTMIN+3`".to_owned(),
        })
    }

    /// Reads what a Dockerfile may say: a name, with or without `SIG`, or a number.
    pub fn parse_any(text: &str) -> Result<Self, String> {
        match text.parse::<u8>() {
            Ok(number) => Self::numbered(number).ok_or_else(|| format!("there is no signal {number}")),
            Err(_) if text.starts_with("SIG") => Self::parse(text),
            Err(_) => Self::parse(&format!("SIG{text}")),
        }
    }

    fn numbered(number: u8) -> Option<Self> {
        let name = match number.checked_sub(REAL_TIME) {
            Some(0) => "SIGRTMIN".to_owned(),
            Some(above) if above <= REAL_TIME_ABOVE => format!("SIGRTMIN+{above}"),
            Some(above) => {
                let below = (REAL_TIME_ABOVE + REAL_TIME_BELOW + 1).checked_sub(above)?;
                if below == 0 { "SIGRTMAX".to_owned() } else { format!("SIGRTMAX-{below}") }
            }
            None => (*SIGNALS.get(usize::from(number).checked_sub(1)?)?).to_owned(),
        };
        Some(Self(name))
    }
}

checked_text! {
    /// Who runs a program: a user by name or number, with a group behind a colon if wanted.
    User
}

impl User {
    /// Reads `USER` or `USER:GROUP`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let fits = |name: &str| {
            name.len() <= 64
                && is_word(
                    name,
                    |c| is_alphanumeric(c) || c == '_',
                    |c| is_alphanumeric(c) || "._-".contains(c),
                )
        };
        if fits(user) && group.is_none_or(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a user, or user and group, such as `node` or `1000:1000`".to_owned())
        }
    }

    /// The user without the group.
    pub fn name(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Whether it is the one who may do everything.
    pub fn is_root(&self) -> bool {
        matches!(self.name(), "root" | "0")
    }
}

/// Permission bits, written in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// Reads three or four octal digits.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (3..=4).contains(&text.len()) && text.chars().all(|c| matches!(c, '0'..='7'));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if fits => Ok(Self(bits)),
            _ => Err("write the permissions in octal, such as `0644`".to_owned()),
        }
    }

    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// The number of a user who is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(u32);

impl UserId {
    /// Reads a number from 1 to 65533; higher ones are special on many systems.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number @ 1..=65533) if text.chars().all(|c| c.is_ascii_digit()) => Ok(Self(number)),
            _ => Err("write a number from 1 to 65533".to_owned()),
        }
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Name {
    /// Reads a short name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = |c: char| is_alphanumeric(c) || matches!(c, '.' | '_' | '-');
        if text.len() <= 64 && is_word(text, is_alphanumeric, rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name has letters, digits, `.`, `_` and `-`, at most 64".to_owned())
        }
    }
}

checked_text! {
    /// The name of a Python package in its normal form; `*` at the end stands for any rest.
    PackagePattern
}

impl PackagePattern {
    /// Reads `shapely` or `opencv-*`. Source of the normal form: PEP 503.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, any) = text.strip_suffix('*').map_or((text, ""), |beginning| (beginning, "*"));
        Name::parse(name).map_err(|_| "write the name of a package, or its beginning and `*`".to_owned())?;
        let goes_on = !any.is_empty() && name.ends_with(['-', '_', '.']);
        Ok(Self(format!("{}{}{any}", normal_name(name), if goes_on { "-" } else { "" })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which texts a grammar takes and which it refuses.
    fn check<T: fmt::Debug>(parse: fn(&str) -> Result<T, String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(parse(text).is_ok(), "{text:?} is refused: {:?}", parse(text));
        }
        for text in bad {
            assert!(parse(text).is_err(), "{text:?} is taken: {:?}", parse(text));
        }
    }

    /// No grammar of a name takes any of these.
    const HOSTILE: [&str; 11] =
        ["", " ", "$(id)", "`id`", "a;b", "a\nb", "a\0b", "--option", "a b", "'", "../x"];

    #[test]
    fn versions() {
        check(Version::parse, &["3.10", "3.13.5", "2.3.0", "8.0.1-rc1", "1.2.3.4", "3.14.0rc1"], &HOSTILE);
        check(Version::parse, &[], &["3", "v3.1", "3..1", "3.", ".3", "3.x", "latest", "1.2.3.4.5", "3.1 "]);
    }

    #[test]
    fn package_patterns() {
        let bad = ["*", "-*", "a*b", "a**", "1:2"];
        check(PackagePattern::parse, &["shapely", "Foo._Bar", "opencv*", "opencv-*"], &bad);
        check(PackagePattern::parse, &[], &HOSTILE);
        let normal = |text: &str| PackagePattern::parse(text).map(|pattern| pattern.to_string());
        assert_eq!(normal("Foo._Bar"), Ok("foo-bar".to_owned()));
        assert_eq!(normal("nvidia_*"), Ok("nvidia-*".to_owned()));
        assert_eq!(normal("opencv*"), Ok("opencv*".to_owned()));
    }

    #[test]
    fn debian_packages() {
        check(
            DebianPackage::parse,
            &["curl", "libstdc++6", "g++", "libc6", "curl=8.14.1-2+deb13u1"],
            &HOSTILE,
        );
        check(
            DebianPackage::parse,
            &[],
            &["Curl", "curl-", "curl+", "a", "curl=", "curl=$(id)", "curl/sid", "-y"],
        );
    }

    #[test]
    fn environment_names() {
        check(EnvName::parse, &["PATH", "_x", "A1"], &HOSTILE);
        check(EnvName::parse, &[], &["1A", "A-B", "A=B", "Ä"]);
    }

    #[test]
    fn device_names() {
        check(DeviceName::parse, &["nvidia.com/gpu=all", "a/b=0", "vendor1.com/net-card=GPU-1:2"], &HOSTILE);
        check(
            DeviceName::parse,
            &[],
            &["nvidia.com/gpu", "gpu=0", "1a/b=c", "a/b=c-", "a/b.c=d", "a/b=c/d", "a/b=c d"],
        );
    }

    #[test]
    fn image_paths() {
        check(
            ImagePath::parse,
            &["/", "/a", "/a b/c", "/a/"],
            &["", "a", "/a/../b", "//", "/a//b", "/./a", "/a\nb"],
        );
        assert_eq!(ImagePath::parse("/a/").map(|p| p.to_string()), Ok("/a".to_owned()));
    }

    #[test]
    fn context_paths() {
        check(
            ContextPath::parse,
            &["a", "a/b c.txt", "./a/", ".env"],
            &["", "/", "/a", "../a", "a/../b", "a//b", ".", "a*", "[a]", "!a", "a\nb"],
        );
        assert_eq!(ContextPath::parse("./a/b/").map(|p| p.to_string()), Ok("a/b".to_owned()));
    }

    #[test]
    fn settings_of_the_system() {
        check(PlatformName::parse, &["linux/amd64", "linux/arm64"], &HOSTILE);
        check(PlatformName::parse, &[], &["amd64", "windows/amd64", "linux/arm/v7"]);
        check(TimeZone::parse, &["Etc/UTC", "UTC", "Etc/GMT+5", "America/Port-au-Prince"], &HOSTILE);
        check(TimeZone::parse, &[], &["/etc/passwd", "Etc/", "Etc/../UTC"]);
        check(Locale::parse, &["en_US.UTF-8", "C.UTF-8", "ast_ES.UTF-8"], &HOSTILE);
        check(Locale::parse, &[], &["en_US", "en.UTF-8", "EN_us.UTF-8", "de_DE.ISO-8859-1"]);
        check(UserName::parse, &["node", "_svc", "a-b_1"], &HOSTILE);
        check(UserName::parse, &[], &["Node", "1a", "-a", "root:x"]);
    }

    #[test]
    fn modes_and_numbers_of_users() {
        check(FileMode::parse, &["644", "0755", "1777"], &["", "9", "0o644", "888", "64", "+644", "07777"]);
        assert_eq!(FileMode::parse("0755").map(FileMode::bits), Ok(0o755));
        check(UserId::parse, &["1", "1000", "65533"], &["", "0", "-1", "+1", "65534", "x", "99999999999"]);
    }

    #[test]
    fn settings_of_containers() {
        check(Duration::parse, &["30s", "1m30s", "500ms", "2h", "1h1m1s1ms", "0s"], &HOSTILE);
        check(Duration::parse, &[], &["30", "s", "1s1m", "-1s", "1.5s", "99999999999999999999s", "9999h"]);
        assert_eq!(Duration::parse("1m30s").map(Duration::nanoseconds), Ok(90_000_000_000));
        assert_eq!(Duration::parse("1s5ms").map(Duration::nanoseconds), Ok(1_005_000_000));
        check(Port::parse, &["80", "53/udp", "65535/sctp"], &HOSTILE);
        check(Port::parse, &[], &["0", "65536", "80/http", "+80", "80-90"]);
        assert_eq!(Port::parse("080").map(|port| port.to_string()), Ok("80/tcp".to_owned()));
        check(Signal::parse, &["SIGTERM", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-14", "SIGCLD"], &HOSTILE);
        let bad =
            ["TERM", "SIG", "sigterm", "9", "SIG9", "SIGFOO", "SIGRTMIN+16", "SIGRTMIN+03", "SIGRTMAX-0"];
        check(Signal::parse, &[], &bad);
        assert_eq!(Signal::parse("SIGTREM"), Err("did you mean `SIGTERM`?".to_owned()));
        let any = |text: &str| Signal::parse_any(text).map(|signal| signal.to_string());
        for (text, name) in [
            ("15", "SIGTERM"),
            ("TERM", "SIGTERM"),
            ("SIGINT", "SIGINT"),
            ("31", "SIGSYS"),
            ("34", "SIGRTMIN"),
            ("37", "SIGRTMIN+3"),
            ("49", "SIGRTMIN+15"),
            ("50", "SIGRTMAX-14"),
            ("64", "SIGRTMAX"),
        ] {
            assert_eq!(any(text), Ok(name.to_owned()));
        }
        check(Signal::parse_any, &[], &["0", "32", "33", "65", "256", "-1", "FOO", ""]);
    }

    #[test]
    fn who_runs_programs() {
        check(User::parse, &["node", "_apt", "1000", "1000:1000", "app:app", "www-data:0"], &HOSTILE);
        check(User::parse, &[], &[":", "a:", ":a", "a:b:c", "-a", "a:-b", "a b:c"]);
        let is_root = |text: &str| User::parse(text).is_ok_and(|user| user.is_root());
        assert!(is_root("root") && is_root("0:1000") && !is_root("node:root"));
    }

    #[test]
    fn digests() {
        let good = "0123456789abcdef".repeat(4);
        check(Sha256::parse, &[&good, &format!("sha256:{good}")], &HOSTILE);
        check(Sha256::parse, &[], &["abc", &good.to_uppercase(), &format!("md5:{good}")]);
    }

    #[test]
    fn urls() {
        check(Url::parse, &["https://example.org/a-1.0.tar.xz", "http://127.0.0.1:80/a"], &HOSTILE);
        check(
            Url::parse,
            &[],
            &[
                "ftp://x/y",
                "https://",
                "file:///etc/passwd",
                "https://user:pw@example.org/a",
                "https://u@example.org/",
            ],
        );
        assert_eq!(
            Url::parse("https://h/a/b.tar?x=/y").map(|u| u.file_name().to_owned()),
            Ok("b.tar".to_owned())
        );
    }

    #[test]
    fn image_references() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:13", "docker.io/library/debian:13"),
            ("ratio1/base:1", "docker.io/ratio1/base:1"),
            ("localhost/x", "localhost/x:latest"),
            ("host:5000/a/b", "host:5000/a/b:latest"),
            (&format!("debian:13@{digest}"), &format!("docker.io/library/debian:13@{digest}")),
            (&format!("debian@{digest}"), &format!("docker.io/library/debian@{digest}")),
        ];
        for (short, full) in cases {
            assert_eq!(ImageReference::parse(short).map(|r| r.to_string()), Ok(full.to_owned()));
        }
        check(ImageReference::parse, &[], &HOSTILE);
        check(
            ImageReference::parse,
            &[],
            &["Debian", "debian:", "debian@sha256:x", "a//b", "debian:-x", "/debian"],
        );
    }

    #[test]
    fn requirements() {
        check(
            Requirement::parse,
            &["numpy", "numpy>=2.1", "uvicorn[standard]==0.30.*", "a; python_version < '3.12'"],
            &["", "-r x", "--index-url x", "./a.whl", "a\nb", "a b", "$(id)"],
        );
        check(Requirement::parse, &[], &["a @ https://example.org/a.whl", "0-+", "a- >1", "a.[x]"]);
    }

    #[test]
    fn requirements_admit_builds_of_releases() {
        let admits = |text: &str| Requirement::parse(text).expect("a requirement").admits_build_of("2.9.1");
        for text in [
            "torch",
            "torch==2.9.1",
            "torch==2.9.*",
            "torch~=2.8",
            "torch>=2.9,<3",
            "torch==2.9.1+cu128",
            "torch!=2.9.1+cpu",
        ] {
            assert!(admits(text), "{text}");
        }
        for text in [
            "torch==2.8.0",
            "torch<2.9",
            "torch>2.9.1",
            "torch!=2.9.*",
            "torch==2.8.0+cu128",
            "torch>=2,!=2.9.1",
        ] {
            assert!(!admits(text), "{text}");
        }
        let odd = Requirement::parse("a==1").expect("a requirement");
        assert!(odd.admits_build_of("no-version") && odd.admits_build_of("1.0"));
        let marked = |text: &str| Requirement::parse(text).expect("a requirement").has_marker();
        assert!(marked("a==1; python_version < '3.12'") && !marked("a[b]==1"));
    }
}
