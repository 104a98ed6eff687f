//! Python packages that are required by the address of their wheel or of what it is built from.

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};

use super::{ContextPath, Requirement, Sha256, Url};

/// A package as a list of requirements names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageRequirement {
    /// By its releases.
    Release(Requirement),
    /// By an address.
    Address(PackageAddress),
}

/// A package by an address, as PEP 508 writes it: `name[extra] @ https://…#sha256=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageAddress {
    /// The package, in the normal form of its name.
    pub package: String,
    /// The extras of it that are wanted, in the normal form of their names.
    pub extras: Vec<String>,
    /// What is there.
    pub origin: PackageOrigin,
    marker: MarkerTree,
}

/// What is at the address of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageOrigin {
    /// Its wheel.
    Wheel(RemoteFile),
    /// An archive of its source.
    Archive {
        /// The archive.
        file: RemoteFile,
        /// The directory in it that has the package, if it is not the archive's only one.
        subdirectory: Option<ContextPath>,
    },
    /// A git repository with its source.
    Git {
        /// What is fetched from.
        repository: Url,
        /// The commit: 40 hexadecimal digits.
        commit: String,
        /// The directory in it that has the package, if it is not the root.
        subdirectory: Option<ContextPath>,
    },
}

/// A file that is somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is, without the digest.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
}

/// What a marker may ask of the machine or the interpreter that is not known before they run.
const UNKNOWN: [&str; 4] =
    ["python_full_version", "implementation_version", "platform_release", "platform_version"];

/// What archives of source end with that are unpacked here.
const ARCHIVES: [&str; 5] = [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar"];

const DIGEST: &str = "a download needs a digest: end the address with `#sha256=` and the 64 digits that `sha256sum` prints \
                      for the file";

impl PackageRequirement {
    /// Reads a requirement of either kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = Requirement::parsed(text)?;
        match Requirement::of_releases(text, &parsed) {
            Some(requirement) => Ok(Self::Release(requirement)),
            None => PackageAddress::of(text, &parsed).map(Self::Address),
        }
    }
}

impl PackageAddress {
    fn of(text: &str, parsed: &pep508_rs::Requirement) -> Result<Self, String> {
        // The library would put the environment's own in their place.
        if text.contains("${") {
            return Err("variables are not known in an address; write it out".to_owned());
        }
        let (_, rest) = text.split_once('@').unwrap_or_default();
        let (address, marker) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        // The library drops what it does not understand.
        let Some(marker) = marker.trim().strip_prefix(';').or(marker.is_empty().then_some("")) else {
            return Err(format!(
                "`{marker}` behind the address is not known here; ` ; ` comes before a marker"
            ));
        };
        if address.contains(';') {
            return Err("an address goes on to the next space; ` ; ` comes before a marker".to_owned());
        }
        let (address, fragment) = address.split_once('#').unwrap_or((address, ""));
        let fragment = Fragment::parse(fragment)?;
        let origin = match address.strip_prefix("git+") {
            Some(repository) => git(repository, fragment)?,
            None => file(address, fragment)?,
        };
        // Older markers have dots.
        let asked = marker.replace('.', "_");
        if let Some(unknown) = UNKNOWN.iter().find(|unknown| asked.contains(*unknown)) {
            return Err(format!("`{unknown}` is not known before the image runs; `python_version` is"));
        }
        Ok(Self {
            package: parsed.name.to_string(),
            extras: parsed.extras.iter().map(ToString::to_string).collect(),
            origin,
            marker: parsed.marker.clone(),
        })
    }

    /// Whether it is wanted by CPython of a series of Python 3, on Linux on a machine such as `x86_64`: what its marker says.
    pub fn is_for(&self, series: u32, machine: &str) -> bool {
        let version = format!("3.{series}");
        let environment = MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: &version,
            os_name: "posix",
            platform_machine: machine,
            platform_python_implementation: "CPython",
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: &version,
            python_version: &version,
            sys_platform: "linux",
        };
        MarkerEnvironment::try_from(environment)
            .is_ok_and(|environment| self.marker.evaluate(&environment, &[]))
    }
}

/// What stands behind the `#` of an address, as pip reads it.
#[derive(Debug, Default)]
struct Fragment {
    sha256: Option<Sha256>,
    subdirectory: Option<ContextPath>,
}

impl Fragment {
    fn parse(text: &str) -> Result<Self, String> {
        let mut fragment = Self::default();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let is_new = match part.split_once('=') {
                Some(("sha256", digits)) => {
                    let sha256 = Sha256::parse(digits).map_err(|_| DIGEST.to_owned())?;
                    fragment.sha256.replace(sha256).is_none()
                }
                Some(("subdirectory", path)) => {
                    fragment.subdirectory.replace(ContextPath::parse(path)?).is_none()
                }
                // The name stands before the address.
                Some(("egg", _)) => true,
                _ => {
                    return Err(format!(
                        "`{part}` behind `#` is not known here; `sha256=` and `subdirectory=` are, with `&` between them"
                    ));
                }
            };
            if !is_new {
                return Err(format!("`{part}` is not the only one of its kind behind `#`"));
            }
        }
        Ok(fragment)
    }
}

fn file(address: &str, fragment: Fragment) -> Result<PackageOrigin, String> {
    if !address.starts_with("http:") && !address.starts_with("https:") {
        return Err("write an address that begins with `https://` or `git+https://`; a wheel of the build context is one of \
                    `wheels.local`"
            .to_owned());
    }
    let url = Url::parse(address)?;
    let is_wheel = url.file_name().ends_with(".whl");
    if !is_wheel && !ARCHIVES.iter().any(|ending| url.file_name().ends_with(ending)) {
        return Err(format!(
            "the address of a wheel ends with its name, and that of an archive of source with one of {}",
            ARCHIVES.map(|ending| format!("`{ending}`")).join(", ")
        ));
    }
    let file = RemoteFile { url, sha256: fragment.sha256.ok_or(DIGEST)? };
    match (is_wheel, fragment.subdirectory) {
        (true, None) => Ok(PackageOrigin::Wheel(file)),
        (true, Some(_)) => Err("a wheel is installed whole: it has no `subdirectory`".to_owned()),
        (false, subdirectory) => Ok(PackageOrigin::Archive { file, subdirectory }),
    }
}

fn git(address: &str, fragment: Fragment) -> Result<PackageOrigin, String> {
    if !address.starts_with("http:") && !address.starts_with("https:") {
        return Err(
            "repositories are fetched with `git+https://`; where one wants a token, give it as the secret \
                    `GIT_AUTH_TOKEN`"
                .to_owned(),
        );
    }
    let url = Url::parse(address)?;
    let parts = url.as_str().rsplit_once('@').filter(|(_, commit)| !commit.contains('/'));
    let (repository, commit) = parts.unwrap_or((url.as_str(), ""));
    // Older BuildKits take longer ones for branches.
    if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!(
            "a branch or tag is another commit tomorrow: end the address with `@` and the 40 digits that \
             `git ls-remote {repository}` prints"
        ));
    }
    if fragment.sha256.is_some() {
        return Err("a commit is a digest already; leave `sha256` out".to_owned());
    }
    if repository.contains('?') {
        return Err("the address of a repository has no `?`".to_owned());
    }
    Ok(PackageOrigin::Git {
        repository: Url::parse(repository)?,
        commit: commit.to_ascii_lowercase(),
        subdirectory: fragment.subdirectory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn address(text: &str) -> Result<PackageAddress, String> {
        match PackageRequirement::parse(text) {
            Ok(PackageRequirement::Address(address)) => Ok(address),
            Ok(PackageRequirement::Release(_)) => Err("a release".to_owned()),
            Err(help) => Err(help),
        }
    }

    #[test]
    fn wheels_by_address() {
        let text = format!("My_App[Web,cli] @ https://example.org/My_App-1.0-py3-none-any.whl#sha256={SUM}");
        let found = address(&text).expect("an address");
        assert_eq!(found.package, "my-app");
        assert_eq!(found.extras, ["web", "cli"]);
        let PackageOrigin::Wheel(file) = &found.origin else { panic!("{found:?}") };
        assert_eq!(file.url.as_str(), "https://example.org/My_App-1.0-py3-none-any.whl");
        assert_eq!(file.sha256.as_str(), SUM);
        assert!(found.is_for(13, "x86_64"));
        assert_eq!(address("numpy>=2"), Err("a release".to_owned()));
    }

    #[test]
    fn sources_by_address() {
        let found =
            address(&format!("a @ git+https://example.org/o/a.git@{COMMIT}#egg=a&subdirectory=python/a"));
        let PackageOrigin::Git { repository, commit, subdirectory } = found.expect("an address").origin
        else {
            panic!("no repository")
        };
        assert_eq!((repository.as_str(), commit.as_str()), ("https://example.org/o/a.git", COMMIT));
        assert_eq!(subdirectory.expect("a directory").as_str(), "python/a");
        let found = address(&format!("a @ https://example.org/a-1.0.tar.gz#subdirectory=a&sha256={SUM}"));
        let PackageOrigin::Archive { file, subdirectory } = found.expect("an address").origin else {
            panic!("no archive")
        };
        assert_eq!((file.url.file_name(), file.sha256.as_str()), ("a-1.0.tar.gz", SUM));
        assert_eq!(subdirectory.expect("a directory").as_str(), "a");
    }

    #[test]
    fn addresses_that_say_too_little_are_refused_with_what_to_write() {
        let wheel = "https://example.org/a-1.0-py3-none-any.whl";
        for (address_text, help) in [
            (wheel.to_owned(), "`#sha256=`"),
            (format!("{wheel}#sha256=12"), "`#sha256=`"),
            (format!("{wheel}#egg=a"), "`#sha256=`"),
            (format!("{wheel}#sha256={SUM}&sha256={SUM}"), "only one"),
            (format!("{wheel}#sha256={SUM}&subdirectory=a"), "`subdirectory`"),
            (format!("{wheel}#md5=12"), "`md5=12`"),
            ("https://example.org/a-1.0.tar.gz".to_owned(), "`#sha256=`"),
            (format!("https://example.org/a-1.0.zip#sha256={SUM}"), "`.tar.gz`"),
            (format!("https://example.org/a-1.0.tar.gz#sha256={SUM}&subdirectory=../b"), "`..`"),
            ("git+https://example.org/a".to_owned(), "`git ls-remote https://example.org/a`"),
            ("git+https://example.org/@b/a".to_owned(), "`git ls-remote https://example.org/@b/a`"),
            (format!("git+https://example.org/a@{COMMIT};python_version<'4'"), "before a marker"),
            (format!("{wheel}#sha256={SUM};python_version<'4'"), "before a marker"),
            ("git+https://example.org/a@v1".to_owned(), "`git ls-remote https://example.org/a`"),
            (format!("git+https://example.org/a@{}", &COMMIT[..12]), "40 digits"),
            (format!("git+https://example.org/a@{COMMIT}#sha256={SUM}"), "a digest already"),
            (format!("git+https://example.org/a?x@{COMMIT}"), "`?`"),
            (format!("git+ssh://git@example.org/a@{COMMIT}"), "`GIT_AUTH_TOKEN`"),
            (format!("git+https://u:p@example.org/a@{COMMIT}"), "secret"),
            ("file:///a-1.0-py3-none-any.whl".to_owned(), "`wheels.local`"),
            (format!("{wheel}#sha256=12 python_version < '3.9'"), "before a marker"),
            (format!("{wheel}#sha256=12 --hash=sha256:12"), "behind the address"),
            ("https://u:p@example.org/a-1.0-py3-none-any.whl".to_owned(), "secret"),
            ("https://example.org/${HOME}/a-1.0-py3-none-any.whl".to_owned(), "variables"),
        ] {
            let found = address(&format!("a @ {address_text}"));
            assert!(found.as_ref().is_err_and(|found| found.contains(help)), "{address_text}: {found:?}");
        }
    }

    #[test]
    fn markers_say_where_a_wheel_is_wanted() {
        let with = |marker: &str| {
            address(&format!("a @ https://example.org/a-1.0-py3-none-any.whl#sha256={SUM} ; {marker}"))
        };
        let wanted = |marker: &str| with(marker).expect("a marker").is_for(12, "aarch64");
        assert!(wanted("platform_machine == 'aarch64' and python_version >= '3.9'"));
        assert!(wanted("sys_platform == 'linux'"));
        assert!(!wanted("platform_machine == 'x86_64'"));
        assert!(!wanted("python_version < '3.12'"));
        assert!(with("platform.version == '1'").is_err());
        assert!(with("python_full_version > '3.12.1'").is_err_and(|help| help.contains("`python_version`")));
    }
}
