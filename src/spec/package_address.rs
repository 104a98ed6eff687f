//! Python packages that are required by the address of their wheel.

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};

use super::{Requirement, Sha256, Url};

/// A package as a list of requirements names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageRequirement {
    /// By its releases.
    Release(Requirement),
    /// By the address of its wheel.
    Wheel(WheelAddress),
}

/// A package by the address of its wheel, as PEP 508 writes it, and with the digest: `name[extra] @ https://…#sha256=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelAddress {
    /// The package, in the normal form of its name.
    pub package: String,
    /// The extras of it that are wanted, in the normal form of their names.
    pub extras: Vec<String>,
    /// Where the wheel is, without the digest.
    pub url: Url,
    /// What its bytes hash to.
    pub sha256: Sha256,
    marker: MarkerTree,
}

/// What a marker may ask of the machine or the interpreter that is not known before they run.
const UNKNOWN: [&str; 4] =
    ["python_full_version", "implementation_version", "platform_release", "platform_version"];

impl PackageRequirement {
    /// Reads a requirement of either kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = Requirement::parsed(text)?;
        match Requirement::of_releases(text, &parsed) {
            Some(requirement) => Ok(Self::Release(requirement)),
            None => WheelAddress::of(text, &parsed).map(Self::Wheel),
        }
    }
}

impl WheelAddress {
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
        if address.starts_with("git+") {
            return Err("what comes from git is built: write an entry of `sdists` with the address of the commit's archive \
                        and its digest"
                .to_owned());
        }
        if !address.starts_with("http:") && !address.starts_with("https:") {
            return Err("write an address that begins with `https://`; a wheel of the build context is one of `wheels.local`"
                .to_owned());
        }
        let (address, fragment) = address.split_once('#').unwrap_or((address, ""));
        let url = Url::parse(address)?;
        if !url.file_name().ends_with(".whl") {
            return Err("only wheels are installed as they are, and an address of one ends with its name; write an entry of \
                        `sdists` for a source archive"
                .to_owned());
        }
        let sha256 = fragment.strip_prefix("sha256=").and_then(|digits| Sha256::parse(digits).ok());
        let help = "end the address with `#sha256=` and the 64 digits that `sha256sum` prints for the file";
        let sha256 = sha256.ok_or_else(|| format!("a download needs a digest: {help}"))?;
        // Older markers have dots.
        let asked = marker.replace('.', "_");
        if let Some(unknown) = UNKNOWN.iter().find(|unknown| asked.contains(*unknown)) {
            return Err(format!("`{unknown}` is not known before the image runs; `python_version` is"));
        }
        Ok(Self {
            package: parsed.name.to_string(),
            extras: parsed.extras.iter().map(ToString::to_string).collect(),
            url,
            sha256,
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

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn address(text: &str) -> Result<WheelAddress, String> {
        match PackageRequirement::parse(text) {
            Ok(PackageRequirement::Wheel(address)) => Ok(address),
            Ok(PackageRequirement::Release(_)) => Err("a release".to_owned()),
            Err(help) => Err(help),
        }
    }

    #[test]
    fn wheels_by_address() {
        let text =
            format!("My_App[Web,cli] @ https://example.org/My_App-1.0-py3-none-any.whl#sha256={DIGEST}");
        let found = address(&text).expect("an address");
        assert_eq!(found.package, "my-app");
        assert_eq!(found.extras, ["web", "cli"]);
        assert_eq!(found.url.as_str(), "https://example.org/My_App-1.0-py3-none-any.whl");
        assert_eq!(found.sha256.as_str(), DIGEST);
        assert!(found.is_for(13, "x86_64"));
        assert_eq!(address("numpy>=2"), Err("a release".to_owned()));
    }

    #[test]
    fn addresses_that_say_too_little_are_refused_with_what_to_write() {
        for (address_text, help) in [
            ("https://example.org/a-1.0-py3-none-any.whl", "`#sha256=`"),
            ("https://example.org/a-1.0-py3-none-any.whl#sha256=12", "`#sha256=`"),
            ("https://example.org/a-1.0-py3-none-any.whl#egg=a", "`#sha256=`"),
            ("https://example.org/a-1.0.tar.gz#sha256=12", "`sdists`"),
            ("git+https://example.org/a@v1", "`sdists`"),
            ("file:///a-1.0-py3-none-any.whl", "`wheels.local`"),
            (
                "https://example.org/a-1.0-py3-none-any.whl#sha256=12 python_version < '3.9'",
                "before a marker",
            ),
            ("https://example.org/a-1.0-py3-none-any.whl#sha256=12 --hash=sha256:12", "behind the address"),
            ("https://u:p@example.org/a-1.0-py3-none-any.whl", "secret"),
            ("https://example.org/${HOME}/a-1.0-py3-none-any.whl", "variables"),
        ] {
            let found = address(&format!("a @ {address_text}"));
            assert!(found.as_ref().is_err_and(|found| found.contains(help)), "{address_text}: {found:?}");
        }
    }

    #[test]
    fn markers_say_where_a_wheel_is_wanted() {
        let with = |marker: &str| {
            address(&format!("a @ https://example.org/a-1.0-py3-none-any.whl#sha256={DIGEST} ; {marker}"))
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
