//! A registry, by the OCI distribution protocol.
//!
//! What may pass (a cut line, 429, 5xx) is asked again, each time after twice the time.

use std::future::Future;
use std::io::{Cursor, Error, Read};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol, SizedStream};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Failure, REGISTRY, causes, runtime};
use crate::spec::ImageReference;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The kinds of manifests that are understood.
const MANIFESTS: [&str; 4] = [
    INDEX,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    IMAGE,
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// No configuration or bill of materials comes near.
const MAX_JSON_BYTES: u64 = 256 << 20;
/// The longest time between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often and how soon what failed is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Tries after the first.
    pub(super) retries: u32,
    /// The time before the first of them.
    pub(super) wait: Duration,
}

/// A repository of a registry.
pub(super) struct Repository {
    runtime: Runtime,
    client: Client,
    credentials: RegistryAuth,
    host: String,
    name: String,
    patience: Patience,
}

/// A manifest as it is in the registry, byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) bytes: Vec<u8>,
    /// `sha256:…`, by which the registry knows it.
    pub(super) digest: String,
    pub(super) json: Value,
}

impl Manifest {
    /// Its media type, which the OCI specification lets it leave out.
    fn kind(&self) -> &str {
        let guess = if self.json["manifests"].is_array() { INDEX } else { IMAGE };
        self.json["mediaType"].as_str().unwrap_or(guess)
    }
}

/// A reference in its parts: host, name, tag or digest.
pub(super) fn split(reference: &ImageReference) -> (String, String, String) {
    let text = reference.as_str();
    let (host, rest) = text.split_once('/').unwrap_or(("docker.io", text));
    let (name, tag) = match rest.split_once('@') {
        // With a digest the tag says nothing.
        Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
        None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
    };
    (host.to_owned(), name.to_owned(), tag.to_owned())
}

impl Repository {
    /// The repository of a reference. Registries on loopback are spoken to without TLS, as Docker does.
    pub(super) fn new(host: &str, name: &str, plain: bool, patience: Patience) -> Result<Self, Failure> {
        let fault = |what: &dyn std::fmt::Display| {
            Failure::new(format!("the registry {host} cannot be spoken to: {what}")).code(REGISTRY)
        };
        let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        // The client needs it to be there first.
        let runtime = runtime()?;
        let client = Client::try_from(ClientConfig {
            protocol: if plain || local { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(Duration::from_secs(20)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("edgenode/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        Ok(Self {
            runtime,
            client: client.map_err(|error| fault(&error))?,
            credentials: credentials(host).map_err(|message| fault(&message))?,
            host: host.to_owned(),
            name: name.to_owned(),
            patience,
        })
    }

    /// A manifest by tag or digest; `None` where there is none.
    pub(super) fn manifest(&self, tag: &str) -> Result<Option<Manifest>, Failure> {
        let image = self.reference(tag);
        let pull = || self.client.pull_manifest_raw(&image, &self.credentials, &MANIFESTS);
        let Some((bytes, digest)) = self.ask(&format!("manifests/{tag}"), pull)? else { return Ok(None) };
        let json = serde_json::from_slice(&bytes)
            .map_err(|error| self.fault(&format!("the manifest of {tag} is not JSON: {error}")))?;
        Ok(Some(Manifest { bytes: bytes.into(), digest, json }))
    }

    /// Gives a manifest a tag.
    pub(super) fn tag(&self, tag: &str, manifest: &Manifest) -> Result<(), Failure> {
        let kind = manifest.kind().parse();
        let kind = kind.map_err(|_| self.fault("the manifest's media type is not one"))?;
        let image = self.reference(tag);
        let path = format!("manifests/{tag}");
        let push = || self.client.push_manifest_raw(&image, manifest.bytes.clone(), Clone::clone(&kind));
        let pushed = self.ask(&path, push)?;
        pushed.map(drop).ok_or_else(|| self.fault(&format!("there is no repository {} to tag in", self.name)))
    }

    /// A blob of JSON, such as an image's configuration; `None` where there is none.
    pub(super) fn json(&self, digest: &str) -> Result<Option<Value>, Failure> {
        let mut tried = 0;
        loop {
            let Some(blob) = self.blob(digest)? else { return Ok(None) };
            let mut bytes = Vec::new();
            match blob.take(MAX_JSON_BYTES).read_to_end(&mut bytes) {
                Err(_) if tried < self.patience.retries => self.wait(&mut tried),
                Err(error) => {
                    return Err(self.fault(&format!("the answer to blobs/{digest} broke off: {error}")));
                }
                Ok(_) => {
                    let json = serde_json::from_slice(&bytes);
                    let not_json = |error| self.fault(&format!("the blob {digest} is not JSON: {error}"));
                    return json.map(Some).map_err(not_json);
                }
            }
        }
    }

    /// A large blob, to be read as it comes; one with another digest cannot be read to its end.
    pub(super) fn blob(&self, digest: &str) -> Result<Option<impl Read>, Failure> {
        let image = self.reference(digest);
        let pull = || async {
            self.client.store_auth_if_needed(image.resolve_registry(), &self.credentials).await;
            self.client.pull_blob_stream(&image, digest).await
        };
        let answer = self.ask(&format!("blobs/{digest}"), pull)?;
        Ok(answer.map(|stream| Blob { runtime: &self.runtime, stream, chunk: Cursor::default() }))
    }

    fn reference(&self, tag: &str) -> Reference {
        let (host, name, tag) = (self.host.clone(), self.name.clone(), tag.to_owned());
        if tag.contains(':') {
            Reference::with_digest(host, name, tag)
        } else {
            Reference::with_tag(host, name, tag)
        }
    }

    /// Sends a request until there is an answer that will not be another one next time; `None` where what it asks for is
    /// not there.
    fn ask<T, F>(&self, path: &str, request: impl Fn() -> F) -> Result<Option<T>, Failure>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let mut tried = 0;
        loop {
            let error = match self.runtime.block_on(request()) {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            let passes = matches!(error, OciDistributionError::RequestError(_))
                || matches!(status(&error), Some(429 | 500..=599));
            match status(&error) {
                Some(404) => return Ok(None),
                _ if passes && tried < self.patience.retries => self.wait(&mut tried),
                _ => return Err(self.refused(path, &error)),
            }
        }
    }

    /// Waits before the next try, and counts it.
    fn wait(&self, tried: &mut u32) {
        let wait = self.patience.wait.saturating_mul(2u32.saturating_pow(*tried));
        std::thread::sleep(wait.min(LONGEST_WAIT));
        *tried += 1;
    }

    fn fault(&self, message: &str) -> Failure {
        Failure::new(format!("the registry {}: {message}", self.host)).code(REGISTRY)
    }

    /// What a registry said that did not do what it was asked for.
    fn refused(&self, path: &str, error: &OciDistributionError) -> Failure {
        if let OciDistributionError::RequestError(error) = error {
            let broken = error.is_body() || error.is_decode();
            let what = if broken {
                format!("the answer to {path} broke off")
            } else {
                "it cannot be reached".to_owned()
            };
            return self.fault(&format!("{what}: {}", causes(error)));
        }
        let Some(status) = status(error) else { return self.fault(&error.to_string()) };
        let hint = match status {
            401 | 403 => "; log in with `docker login`, and see whether you may push there",
            429 => "; it gets too many requests: try again later",
            500..=599 => "; it is out of order: try again later",
            _ => "",
        };
        let told = told(error);
        let told = if told.is_empty() { told } else { format!(" ({told})") };
        self.fault(&format!("it answers {status} to {}/{path}{told}{hint}", self.name))
    }
}

/// The status of HTTP that an error stands for.
fn status(error: &OciDistributionError) -> Option<u16> {
    match error {
        OciDistributionError::ServerError { code, .. } => Some(*code),
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            Some(401)
        }
        OciDistributionError::ImageManifestNotFoundError(_) => Some(404),
        OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first()?.code {
            OciErrorCode::BlobUnknown
            | OciErrorCode::ManifestUnknown
            | OciErrorCode::NameUnknown
            | OciErrorCode::NotFound => Some(404),
            OciErrorCode::Unauthorized => Some(401),
            OciErrorCode::Denied => Some(403),
            OciErrorCode::Toomanyrequests => Some(429),
            _ => Some(400),
        },
        _ => None,
    }
}

/// The words of the registry, if it has any.
fn told(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.first().map(|error| error.message.clone()).unwrap_or_default()
        }
        OciDistributionError::ServerError { message, .. } => {
            let answer: Value = serde_json::from_str(message).unwrap_or_default();
            answer.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

/// A blob that is read as it comes.
struct Blob<'a> {
    runtime: &'a Runtime,
    stream: SizedStream,
    chunk: Cursor<Vec<u8>>,
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            let bytes = self.chunk.read(buffer)?;
            if bytes > 0 || buffer.is_empty() {
                return Ok(bytes);
            }
            let Some(chunk) = self.runtime.block_on(self.stream.next()) else { return Ok(0) };
            self.chunk = Cursor::new(chunk?.into());
        }
    }
}

/// User and password of Docker's configuration or its helpers, if it has any for the registry.
fn credentials(host: &str) -> Result<RegistryAuth, String> {
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    match docker_credential::get_credential(server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => {
            Err("Docker's configuration has an identity token for it, which is not supported; log in with a password"
                .to_owned())
        }
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError,
        ) => Ok(RegistryAuth::Anonymous),
        Err(error) => Err(format!("Docker's configuration cannot be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_three_parts() {
        for (text, expected) in [
            ("debian", ("docker.io", "library/debian", "latest")),
            ("localhost:5000/a/b:c", ("localhost:5000", "a/b", "c")),
            ("ghcr.io/a/b:c", ("ghcr.io", "a/b", "c")),
        ] {
            let (host, name, tag) = split(&ImageReference::parse(text).expect(text));
            assert_eq!((host.as_str(), name.as_str(), tag.as_str()), expected);
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        let reference = ImageReference::parse(&format!("ghcr.io/a/b:c@{digest}")).expect("a reference");
        assert_eq!(split(&reference).2, digest);
    }
}
