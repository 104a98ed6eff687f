//! Platforms, such as `linux/arm64`.

use std::fmt;

use buildkit_proto::pb;

use crate::Error;

/// What an image is for. Source: containerd's platform specifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// Processor architecture in Go's names.
    pub architecture: String,
    /// Operating system in Go's names.
    pub os: String,
    /// Variant of the architecture; empty for the usual one.
    pub variant: String,
    /// Version of the operating system; empty outside Windows.
    pub os_version: String,
    /// Features of the operating system.
    pub os_features: Vec<String>,
}

impl Platform {
    /// Reads `os/architecture[/variant]` and normalizes it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split('/').collect();
        let valid = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(valid) {
            return Err(Error::Platform(text.to_owned()));
        }
        let part = |i: usize| parts.get(i).map(|part| part.to_lowercase()).unwrap_or_default();
        Ok(Self { os: part(0), architecture: part(1), variant: part(2), ..Self::default() }.normalized())
    }

    /// The same platform under the names that BuildKit uses.
    pub fn normalized(mut self) -> Self {
        let (architecture, variant) = match (self.architecture.as_str(), self.variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "v1" | "") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", ""),
            ("armhf", _) | ("arm", "" | "7" | "v7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6" | "v6") => ("arm", "v6"),
            (architecture, variant) => (architecture, variant),
        };
        (self.architecture, self.variant) = (architecture.to_owned(), variant.to_owned());
        self
    }

    /// As BuildKit writes it.
    pub fn to_pb(&self) -> pb::Platform {
        pb::Platform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            variant: self.variant.clone(),
            os_version: self.os_version.clone(),
            os_features: self.os_features.clone(),
        }
    }

    /// From what BuildKit wrote.
    pub fn from_pb(pb: pb::Platform) -> Self {
        let pb::Platform { architecture, os, variant, os_version, os_features } = pb;
        Self { architecture, os, variant, os_version, os_features }.normalized()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_as_buildkit_does() {
        for (text, id) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("Linux/ARM", "linux/arm/v7"),
            ("linux/amd64/v3", "linux/amd64/v3"),
        ] {
            assert_eq!(Platform::parse(text).map(|p| p.to_string()).ok().as_deref(), Some(id));
        }
    }

    #[test]
    fn refuses_what_is_no_platform() {
        for text in ["", "linux", "linux/", "a/b/c/d", "linux/am d64", "/amd64"] {
            assert!(Platform::parse(text).is_err(), "{text:?} is taken");
        }
    }
}
