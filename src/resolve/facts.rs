//! What the base image says about itself.

use std::collections::BTreeMap;

use crate::diagnostic::Problems;
use crate::spec::Span;

/// What was read from the base image, for one platform.
#[derive(Clone, Debug, Default)]
pub struct BaseFacts {
    /// The reference with its digest.
    pub reference: String,
    /// The processor architecture in Go's names: `amd64`, `arm64`.
    pub architecture: String,
    /// The distribution.
    pub os_release: OsRelease,
    /// How many layers it has.
    pub layers: usize,
    /// The environment of the image's configuration, in its order.
    pub env: Vec<(String, String)>,
    /// The texts of the files that the spec [inspects](crate::spec::Spec::inspects), as far as they are there.
    pub files: BTreeMap<String, String>,
}

/// The file in which the base image lists its users.
pub const USERS: &str = "/etc/passwd";

/// The fields of `/etc/os-release` that matter. Source: os-release(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `ID_LIKE`, the distributions this one descends from.
    pub id_like: Vec<String>,
    /// `VERSION_ID`, such as `13` or `24.04`.
    pub version_id: String,
    /// `VERSION_CODENAME`, such as `trixie` or `noble`.
    pub codename: String,
}

impl OsRelease {
    /// Reads the file's text. Unknown lines are skipped; absent fields stay empty.
    pub fn parse(text: &str) -> Self {
        let mut release = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "ID" => release.id = value.to_owned(),
                "ID_LIKE" => release.id_like = value.split(' ').map(str::to_owned).collect(),
                "VERSION_ID" => release.version_id = value.to_owned(),
                "VERSION_CODENAME" => release.codename = value.to_owned(),
                _ => {}
            }
        }
        release
    }

    fn is_debian_like(&self) -> bool {
        self.id == "debian" || self.id_like.iter().any(|id| id == "debian")
    }
}

/// The name that Linux has for the machines of an architecture; tags of wheels end with it, too.
pub fn machine(architecture: &str) -> &str {
    match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
}

/// The directories that are links to their likes below `/usr`, the last one on amd64 alone. Source: Debian 12's release notes
/// (5.1.6), which have no other layout; Ubuntu's images since 21.10.
pub const LINKS_TO_USR: [&str; 4] = ["/bin", "/lib", "/sbin", "/lib64"];

/// The one of these links at which a path lies, or behind it.
pub fn link_of(path: &str, links: &[&'static str]) -> Option<&'static str> {
    let leads =
        |link: &&str| path.strip_prefix(*link).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    links.iter().copied().find(leads)
}

impl BaseFacts {
    /// What caches of the distribution's packages are known by.
    pub fn cache_key(&self) -> String {
        let OsRelease { id, version_id, .. } = &self.os_release;
        format!("{id}{version_id}-{}", self.architecture)
    }

    /// The names and numbers of its users, as far as they were read. Source: passwd(5).
    pub fn users(&self) -> Vec<(&str, u32)> {
        let user = |line| {
            let mut fields = str::split(line, ':');
            Some((fields.next()?, fields.nth(1)?.parse().ok()?))
        };
        self.files.get(USERS).map(|text| text.lines().filter_map(user).collect()).unwrap_or_default()
    }

    /// The directories that are [links to their likes below `/usr`](LINKS_TO_USR). Nothing is said of other distributions,
    /// nor of older releases.
    pub fn links_to_usr(&self) -> &'static [&'static str] {
        let OsRelease { id, version_id, .. } = &self.os_release;
        let major: Option<u32> = version_id.split('.').next().and_then(|major| major.parse().ok());
        let is_merged = match id.as_str() {
            "debian" => major >= Some(12),
            "ubuntu" => major >= Some(22),
            _ => false,
        };
        match self.architecture.as_str() {
            _ if !is_merged => &[],
            "amd64" => &LINKS_TO_USR,
            _ => &LINKS_TO_USR[..3],
        }
    }

    /// Reports a base image that components cannot be built on.
    pub fn check_supported(&self, base: Span, problems: &mut Problems) {
        if self.os_release.is_debian_like() {
            return;
        }
        let found = match self.os_release.id.as_str() {
            "" => "it has no /etc/os-release".to_owned(),
            id => format!("it is `{id} {}`", self.os_release.version_id),
        };
        problems.error_with_help(
            base,
            format!("the base image is neither Debian nor Ubuntu nor made from them: {found}"),
            "use a base such as `debian:13` or `ubuntu:24.04`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debian_and_ubuntu() {
        let debian =
            OsRelease::parse("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\n");
        assert_eq!((debian.id.as_str(), debian.version_id.as_str()), ("debian", "13"));
        assert!(debian.is_debian_like());
        let ubuntu = OsRelease::parse("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"");
        assert!(ubuntu.is_debian_like());
    }

    #[test]
    fn reads_users() {
        let text = "root:x:0:0:root:/root:/bin/bash\n\n# none\n+::::::\nx:y\nubuntu:x:1000:1000::/:/bin/sh";
        let files = [(USERS.to_owned(), text.to_owned())].into();
        let facts = BaseFacts { files, ..BaseFacts::default() };
        assert_eq!(facts.users(), [("root", 0), ("ubuntu", 1000)]);
        assert!(BaseFacts::default().users().is_empty());
    }

    #[test]
    fn refuses_other_distributions() {
        for text in ["ID=alpine\nVERSION_ID=3.22", "", "ID=\"fedora\"\nID_LIKE=\"\""] {
            let facts = BaseFacts { os_release: OsRelease::parse(text), ..BaseFacts::default() };
            let mut problems = Problems::default();
            facts.check_supported(Span::default(), &mut problems);
            assert!(problems.has_errors(), "{text:?} is taken");
        }
    }
}
