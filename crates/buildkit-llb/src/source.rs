//! Where bytes come from outside: images, downloads, git, the client's directories.

use buildkit_proto::{caps::llb, pb};

use crate::op::{Draft, Inputs};
use crate::{Meta, Output, Platform};

/// A source op. Each method sets the attribute of its name.
#[derive(Debug)]
pub struct Source {
    op: pb::SourceOp,
    platform: Option<pb::Platform>,
    caps: Vec<&'static str>,
    meta: Meta,
}

impl Source {
    fn new(identifier: String, cap: &'static str) -> Self {
        let op = pb::SourceOp { identifier, ..pb::SourceOp::default() };
        Self { op, platform: None, caps: vec![cap], meta: Meta::default() }
    }

    /// An image by its full reference, with a tag or digest.
    pub fn image(reference: &str) -> Self {
        Self::new(format!("docker-image://{reference}"), llb::SOURCE_IMAGE)
    }

    /// A file from an `http` or `https` address.
    pub fn http(url: &str) -> Self {
        Self::new(url.to_owned(), llb::SOURCE_HTTP)
    }

    /// A directory of the client, by the name that the client gave it.
    pub fn local(name: &str) -> Self {
        Self::new(format!("local://{name}"), llb::SOURCE_LOCAL)
    }

    /// An image in an OCI layout of the client: any name, and a digest.
    pub fn oci_layout(reference: &str) -> Self {
        Self::new(format!("oci-layout://{reference}"), llb::SOURCE_OCI_LAYOUT)
    }

    /// A git repository: the part after the protocol, with `#ref:subdir`, and the address to fetch from. A client that has
    /// the secret `GIT_AUTH_TOKEN` or `GIT_AUTH_HEADER` (also with `.HOST` behind it) is known by it, as with the Go client.
    pub fn git(identifier: &str, full_url: &str) -> Self {
        Self::new(format!("git://{identifier}"), llb::SOURCE_GIT)
            .attr("git.fullurl", full_url, Some(llb::SOURCE_GIT_FULL_URL))
            .attr("git.authtokensecret", "GIT_AUTH_TOKEN", None)
            .attr("git.authheadersecret", "GIT_AUTH_HEADER", None)
    }

    fn attr(mut self, key: &str, value: &str, cap: Option<&'static str>) -> Self {
        self.op.attrs.insert(key.to_owned(), value.to_owned());
        self.caps.extend(cap);
        self
    }

    fn list(self, key: &str, values: &[String], cap: &'static str) -> Self {
        // A list of strings always has a JSON form; Go's escapes are those of HTML.
        let json = serde_json::to_string(values).unwrap_or_default();
        let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        self.attr(key, &json, Some(cap))
    }

    /// Which platform's image is meant.
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.to_pb());
        self
    }

    /// `default`, `pull` or `local`.
    pub fn resolve_mode(self, mode: &str) -> Self {
        self.attr("image.resolvemode", mode, Some(llb::SOURCE_IMAGE_RESOLVE_MODE))
    }

    /// The digest of a download: `sha256:` and 64 digits.
    pub fn checksum(self, digest: &str) -> Self {
        self.attr("http.checksum", digest, Some(llb::SOURCE_HTTP_CHECKSUM))
    }

    /// What a downloaded file is called.
    pub fn filename(self, name: &str) -> Self {
        self.attr("http.filename", name, None)
    }

    /// The permission bits of a downloaded file.
    pub fn perm(self, mode: u32) -> Self {
        self.attr("http.perm", &format!("0{mode:o}"), Some(llb::SOURCE_HTTP_PERM))
    }

    /// Keeps `.git` in a checkout.
    pub fn keep_git_dir(self) -> Self {
        self.attr("git.keepgitdir", "true", Some(llb::SOURCE_GIT_KEEP_DIR))
    }

    /// The commit that the reference must stand for.
    pub fn git_checksum(self, commit: &str) -> Self {
        self.attr("git.checksum", commit, Some(llb::SOURCE_GIT_CHECKSUM))
    }

    /// Fetches with the ssh agent of the client.
    pub fn git_ssh(self, id: &str) -> Self {
        self.attr("git.mountsshsock", id, Some(llb::SOURCE_GIT_MOUNT_SSH_SOCK))
    }

    /// Which client's directory; without it two builds at once can see each other's files.
    pub fn session(self, id: &str) -> Self {
        self.attr("local.session", id, Some(llb::SOURCE_LOCAL_SESSION_ID))
    }

    /// Only these paths, and what they link to.
    pub fn follow_paths(self, paths: &[String]) -> Self {
        self.list("local.followpaths", paths, llb::SOURCE_LOCAL_FOLLOW_PATHS)
    }

    /// Only what these patterns match.
    pub fn include_patterns(self, patterns: &[String]) -> Self {
        self.list("local.includepattern", patterns, llb::SOURCE_LOCAL_INCLUDE_PATTERNS)
    }

    /// Nothing of what these patterns match.
    pub fn exclude_patterns(self, patterns: &[String]) -> Self {
        self.list("local.excludepatterns", patterns, llb::SOURCE_LOCAL_EXCLUDE_PATTERNS)
    }

    /// Which earlier transfer to compare with.
    pub fn shared_key_hint(self, hint: &str) -> Self {
        self.attr("local.sharedkeyhint", hint, Some(llb::SOURCE_LOCAL_SHARED_KEY_HINT))
    }

    /// Compares file contents in full, not by their metadata.
    pub fn differ_none(self) -> Self {
        self.attr("local.differ", "none", Some(llb::SOURCE_LOCAL_DIFFER))
    }

    /// The client's session and store of an OCI layout.
    pub fn store(self, session: &str, store: &str) -> Self {
        self.attr("oci.session", session, None).attr("oci.store", store, None)
    }

    /// Sets name and place.
    pub fn meta(mut self, meta: Meta) -> Self {
        self.meta = meta;
        self
    }

    /// The source's files.
    pub fn output(self) -> Output {
        let draft = Draft {
            op: pb::op::Op::Source(self.op),
            inputs: Inputs::default(),
            platform: self.platform,
            caps: self.caps,
            meta: self.meta,
            problem: None,
        };
        draft.finish()
    }
}
