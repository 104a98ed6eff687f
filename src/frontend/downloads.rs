//! Downloads that fail: what a server answered in their place, and what helps. Downloads are BuildKit's, which finds the
//! header for a host among the secrets of the client by its name; no frontend sees it.

use buildkit_frontend::{Error, Gateway};
use buildkit_llb::{Meta, Source};

use super::args::MIRROR_ARG;
use super::{Build, marshal};
use crate::mirror;
use crate::plan::Plan;

/// What the secret with the header for a host is called in front of the host. Source: BuildKit's `source/http`.
const HEADER: &str = "HTTP_AUTH_HEADER_";
/// What BuildKit says of a server that answers with something else than what it was asked for.
const STATUS: &str = "invalid response status ";
/// What it says where nothing answers: the name is not known, the port is closed, the time is up.
const UNREACHABLE: &str = ": dial tcp";
/// What the paths of registries begin with. Source: OCI Distribution Specification.
const REGISTRY: &str = "/v2/";
/// What it says where it has a digest to compare: then it does not look at the status.
const MISMATCH: &str = "digest mismatch ";

/// What git says where a repository wants to know who asks, or does not let that one in.
const NO_TOKEN: [&str; 3] =
    ["could not read Username", "Authentication failed for", "The requested URL returned error: 403"];
/// What it says where nobody answers.
const UNREACHED: &str = "fatal: unable to access ";

/// Adds to the error of a download that was refused, or whose server cannot be reached, what the user can do.
pub(super) fn explain(error: Error, gateway: &Gateway) -> Error {
    let message = error.to_string();
    if message.contains(UNREACHABLE) {
        return error.help(match names_registry(&message) {
            true => "the builder pulls images, not the client: it must reach that registry, or be configured with a \
                     mirror of it"
                .to_owned(),
            false => format!(
                "the builder downloads, not the client: it must reach that server, or a mirror in place of all: \
                 `--build-arg {MIRROR_ARG}=URL`"
            ),
        });
    }
    if NO_TOKEN.iter().any(|words| message.contains(words)) {
        return error.help(
            "where a repository wants a token, give it as a secret: `--secret id=GIT_AUTH_TOKEN,env=…`, or \
             `GIT_AUTH_TOKEN.HOST` for one host",
        );
    }
    if message.contains(UNREACHED) {
        return error.help("the builder fetches, not the client: it must reach that repository");
    }
    if !["401", "403"].iter().any(|status| message.contains(&format!("{STATUS}{status}"))) {
        return error;
    }
    error.help(match gateway.caps().llb("source.http.auth") {
        true => format!(
            "where the server wants a name and a password, give the header as a secret of its host: \
             `--secret id={HEADER}HOST,env=…`, with `Basic ` and the name, a colon and the password in base64"
        ),
        false => {
            "where the server wants a name and a password, this BuildKit cannot give them; a newer one takes \
                  them from a secret"
                .to_owned()
        }
    })
}

/// Whether a message has the address of a registry.
fn names_registry(message: &str) -> bool {
    let mut addresses = message.split("://").skip(1);
    addresses.any(|address| address.find('/').is_some_and(|path| address[path..].starts_with(REGISTRY)))
}

/// Whether a server does not have a download.
pub(super) fn is_gone(error: &Error) -> bool {
    error.to_string().contains(&format!("{STATUS}404"))
}

/// The digest that a download should have had.
fn wanted(error: &Error) -> Option<String> {
    let message = error.to_string();
    let (_, digests) = message.split_once(MISMATCH)?;
    let digest = digests.split("sha256:").nth(2)?;
    digest.get(..64).map(str::to_owned)
}

impl Build<'_> {
    /// Adds to the error of one of a plan's downloads what the server answered.
    pub(super) async fn told(&self, error: Error, plan: &Plan, spares: bool) -> Error {
        let url = wanted(&error).and_then(|digest| plan.download_of(&digest, spares));
        match url {
            Some(url) => self.told_of(error, &url).await,
            None => error,
        }
    }

    /// The same for the download from `url`, which is asked for once more to find out. What comes then is thrown away.
    pub(super) async fn told_of(&self, error: Error, url: &str) -> Error {
        if wanted(&error).is_none() {
            return error;
        }
        let url = mirror::address(self.mirror.as_deref(), url);
        let meta = Meta::named(&format!("[internal] ask again for {url}"));
        let Ok(graph) = marshal(&Source::http(&url).filename("answer").meta(meta).output(), self.sources)
        else {
            return error;
        };
        match self.gateway.evaluate(&graph).await {
            Err(answer) if answer.to_string().contains(STATUS) => error.help(format!("{url}: {answer}")),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_from_other_servers() {
        assert!(names_registry(
            "failed to do request: Head \"https://a.example.org:1/v2/b/manifests/1\": dial tcp"
        ));
        assert!(!names_registry("Get \"https://example.org/api/v2/file\": dial tcp 1.2.3.4:443: no route"));
        assert!(!names_registry("dial tcp"));
    }

    #[test]
    fn the_digest_that_was_wanted_is_read() {
        let [got, want] = ["1", "2"].map(|digit| digit.repeat(64));
        let error = Error::user(format!("failed: digest mismatch sha256:{got}: sha256:{want}"));
        assert_eq!(wanted(&error), Some(want));
        for other in ["digest mismatch", "digest mismatch sha256:1: sha256:2", "exit code: 1"] {
            assert_eq!(wanted(&Error::user(other)), None);
        }
        assert!(is_gone(&Error::user("x: invalid response status 404")));
    }
}
