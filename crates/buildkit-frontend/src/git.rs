//! Addresses of git repositories, as build contexts name them. Source: BuildKit's `util/gitutil`.

use buildkit_llb::{Meta, Output, Source};

use crate::Error;

/// A repository, and which part of it at which commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GitAddress {
    /// What to fetch from.
    remote: String,
    /// The part that names the repository whatever the protocol: `host/path`.
    identity: String,
    /// Branch, tag or commit; empty for the default branch.
    reference: String,
    /// Directory inside the repository; empty for its root.
    subdir: String,
    /// The commit that the reference must stand for; empty for any.
    checksum: String,
    keep_git_dir: bool,
}

impl GitAddress {
    /// Reads an address; `None` where it is no git repository's. A query is only read where the client promised
    /// (`moby.buildkit.frontend.gitquerystring`) that it is one.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (address, query) = address.split_once('?').unwrap_or((address, ""));
        let Some((remote, identity)) = split(address) else { return Ok(None) };
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let mut git = Self {
            remote,
            identity,
            reference: reference.to_owned(),
            subdir: subdir.to_owned(),
            ..Self::default()
        };
        for (key, value) in query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        {
            git.set(key, value, text)?;
        }
        Ok(Some(git))
    }

    fn set(&mut self, key: &str, value: &str, text: &str) -> Result<(), Error> {
        match key {
            "ref" => value.clone_into(&mut self.reference),
            "tag" => self.reference = format!("refs/tags/{value}"),
            "branch" => self.reference = format!("refs/heads/{value}"),
            "subdir" => value.clone_into(&mut self.subdir),
            "checksum" | "commit" => value.clone_into(&mut self.checksum),
            "keep-git-dir" => self.keep_git_dir = matches!(value, "" | "1" | "true"),
            _ => {
                return Err(Error::user(format!(
                    "the git address {text} has an unknown query `{key}`; there are `ref`, `tag`, `branch`, `subdir`, \
                     `checksum`, `commit` and `keep-git-dir`"
                )));
            }
        }
        Ok(())
    }

    /// Keeps `.git` in the checkout.
    pub(crate) fn keep_git_dir(mut self, keep: bool) -> Self {
        self.keep_git_dir |= keep;
        self
    }

    /// The checkout.
    pub(crate) fn output(&self, name: &str) -> Output {
        let fragment = match (self.reference.as_str(), self.subdir.as_str()) {
            ("", "") => String::new(),
            (reference, "") => format!("#{reference}"),
            (reference, subdir) => format!("#{reference}:{subdir}"),
        };
        let mut source = Source::git(&format!("{}{fragment}", self.identity), &self.remote);
        if !self.checksum.is_empty() {
            source = source.git_checksum(&self.checksum);
        }
        if self.keep_git_dir {
            source = source.keep_git_dir();
        }
        if self.is_ssh() {
            source = source.git_ssh("default");
        }
        source.meta(Meta::named(name)).output()
    }

    fn is_ssh(&self) -> bool {
        self.remote.starts_with("ssh://") || !self.remote.contains("://")
    }
}

/// The remote and its identity, for what is a git repository.
fn split(address: &str) -> Option<(String, String)> {
    for protocol in ["git://", "ssh://"] {
        if let Some(rest) = address.strip_prefix(protocol) {
            return Some((address.to_owned(), without_user(rest).to_owned()));
        }
    }
    for protocol in ["https://", "http://"] {
        if let Some(rest) = address.strip_prefix(protocol) {
            let is_git = rest.ends_with(".git");
            return is_git.then(|| (address.to_owned(), without_user(rest).to_owned()));
        }
    }
    if address.starts_with("github.com/") {
        return Some((format!("https://{address}"), address.to_owned()));
    }
    // scp's form: user@host:path.
    let (user_host, path) = address.split_once(':')?;
    let host = user_host.strip_prefix("git@")?;
    (!path.is_empty()).then(|| (address.to_owned(), format!("{host}/{path}")))
}

fn without_user(rest: &str) -> &str {
    match rest.split_once('/') {
        Some((authority, _)) => match authority.rfind('@') {
            Some(at) => &rest[at + 1..],
            None => rest,
        },
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<GitAddress> {
        GitAddress::parse(text).expect("valid")
    }

    #[test]
    fn reads_every_form() {
        for (text, remote, identity, reference, subdir) in [
            ("https://h/r.git", "https://h/r.git", "h/r.git", "", ""),
            ("https://u:p@h/r.git#v1:sub/dir", "https://u:p@h/r.git", "h/r.git", "v1", "sub/dir"),
            ("git://h:9418/r#main", "git://h:9418/r", "h:9418/r", "main", ""),
            ("github.com/o/r#:d", "https://github.com/o/r", "github.com/o/r", "", "d"),
            ("git@h:o/r.git", "git@h:o/r.git", "h/o/r.git", "", ""),
            ("https://h/r.git?branch=b&subdir=s", "https://h/r.git", "h/r.git", "refs/heads/b", "s"),
        ] {
            let git = parse(text).expect("a repository");
            assert_eq!(
                (git.remote.as_str(), git.identity.as_str(), git.reference.as_str(), git.subdir.as_str()),
                (remote, identity, reference, subdir)
            );
        }
    }

    #[test]
    fn leaves_other_addresses() {
        for text in ["https://h/spec.yaml", "http://h/ctx.tar.gz", "dir/spec.yaml", "a:b", ""] {
            assert_eq!(parse(text), None, "{text:?} is taken");
        }
    }

    #[test]
    fn refuses_an_unknown_query() {
        let error = GitAddress::parse("https://h/r.git?sub=x").expect_err("must be refused");
        assert!(error.to_string().contains("unknown query `sub`"));
    }
}
