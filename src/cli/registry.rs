//! A registry, by its HTTP interface. Source: the OCI distribution specification, and Docker's for tokens.
//!
//! What may pass (a cut line, 401 with a token that is too old, 429, 5xx) is tried again, each time after twice the time.

use std::io::Read;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use super::{Failure, REGISTRY};
use crate::spec::ImageReference;

/// The kinds of manifests that are understood.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// No manifest or configuration comes near.
const MAX_JSON_BYTES: u64 = 8 << 20;
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
    agent: Agent,
    /// `https://HOST/v2/NAME`.
    address: String,
    host: String,
    name: String,
    authorization: Option<String>,
    patience: Patience,
}

/// A manifest as it is in the registry, byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
    pub(super) json: Value,
}

impl Manifest {
    /// `sha256:…`, by which the registry knows it.
    pub(super) fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        format!("sha256:{}", hex::encode(Sha256::digest(&self.bytes)))
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
    pub(super) fn new(host: &str, name: &str, plain: bool, patience: Patience) -> Self {
        let server = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            server.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        let scheme = if plain || local { "http" } else { "https" };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)));
        Self {
            agent: config.build().into(),
            address: format!("{scheme}://{server}/v2/{name}"),
            host: host.to_owned(),
            name: name.to_owned(),
            authorization: None,
            patience,
        }
    }

    /// A manifest by tag or digest; `None` where there is none.
    pub(super) fn manifest(&mut self, tag: &str) -> Result<Option<Manifest>, Failure> {
        let accept = MANIFESTS.join(", ");
        let path = format!("/manifests/{tag}");
        let headers = [("accept", accept.as_str())];
        let Some((told, bytes)) = self.get(&path, &headers)? else { return Ok(None) };
        let json: Value = serde_json::from_slice(&bytes)
            .map_err(|error| self.fault(&format!("the manifest of {tag} is not JSON: {error}")))?;
        let kind = json["mediaType"].as_str().map_or(told, str::to_owned);
        let manifest = Manifest { kind, bytes, json };
        if tag.starts_with("sha256:") && manifest.digest() != tag {
            return Err(self.fault(&format!("the manifest {tag} has another digest: {}", manifest.digest())));
        }
        Ok(Some(manifest))
    }

    /// Gives a manifest a tag.
    pub(super) fn tag(&mut self, tag: &str, manifest: &Manifest) -> Result<(), Failure> {
        let path = format!("/manifests/{tag}");
        let headers = [("content-type", manifest.kind.as_str())];
        let response = self.send(&Method::PUT, &path, &headers, &manifest.bytes)?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            _ => Err(self.refused(&path, response)),
        }
    }

    /// A small blob of JSON, such as an image's configuration.
    pub(super) fn json(&mut self, digest: &str) -> Result<Option<Value>, Failure> {
        let Some((_, bytes)) = self.get(&format!("/blobs/{digest}"), &[])? else { return Ok(None) };
        let json = serde_json::from_slice(&bytes);
        json.map(Some).map_err(|error| self.fault(&format!("the blob {digest} is not JSON: {error}")))
    }

    /// A large blob, to be read as it comes.
    pub(super) fn stream(&mut self, digest: &str) -> Result<Box<dyn Read>, Failure> {
        let path = format!("/blobs/{digest}");
        let response = self.send(&Method::GET, &path, &[], &[])?;
        match response.status().as_u16() {
            200 => Ok(Box::new(response.into_body().into_reader())),
            _ => Err(self.refused(&path, response)),
        }
    }

    /// Reads all of an answer, again if the line is cut; gives its type and bytes, `None` for 404.
    fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let mut tried = 0;
        loop {
            let response = self.send(&Method::GET, path, headers, &[])?;
            match response.status().as_u16() {
                200 => {}
                404 => return Ok(None),
                _ => return Err(self.refused(path, response)),
            }
            let kind = header(&response, "content-type");
            match response.into_body().with_config().limit(MAX_JSON_BYTES).read_to_vec() {
                Ok(bytes) => return Ok(Some((kind, bytes))),
                Err(error) if tried == self.patience.retries => {
                    return Err(self.fault(&format!("the answer to {path} broke off: {error}")));
                }
                Err(_) => {
                    std::thread::sleep(self.wait(tried));
                    tried += 1;
                }
            }
        }
    }

    fn wait(&self, tried: u32) -> Duration {
        self.patience.wait.saturating_mul(2u32.saturating_pow(tried)).min(LONGEST_WAIT)
    }

    /// Sends a request until there is an answer that will not be another one next time.
    fn send(
        &mut self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>, Failure> {
        let mut tried = 0;
        loop {
            let mut wait = self.wait(tried);
            let last = tried == self.patience.retries;
            match self.try_once(method, path, headers, body) {
                Err(error) if last => return Err(self.fault(&format!("it cannot be reached: {error}"))),
                Err(_) => {}
                Ok(response) => match response.status().as_u16() {
                    401 => {
                        let challenge = header(&response, "www-authenticate");
                        if last || challenge.is_empty() {
                            return Err(self.refused(path, response));
                        }
                        self.authorize(&challenge, method)?;
                        // The first challenge is how every conversation begins.
                        if tried == 0 {
                            wait = Duration::ZERO;
                        }
                    }
                    429 | 500..=599 if last => return Err(self.refused(path, response)),
                    429 => {
                        let seconds = header(&response, "retry-after").parse().map(Duration::from_secs);
                        wait = seconds.unwrap_or(wait).min(LONGEST_WAIT);
                    }
                    500..=599 => {}
                    _ => return Ok(response),
                },
            }
            std::thread::sleep(wait);
            tried += 1;
        }
    }

    fn try_once(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if method == Method::PUT {
            self.agent.run(request.body(body)?)
        } else {
            self.agent.run(request.body(())?)
        }
    }

    /// Takes up a challenge: `Basic`, or `Bearer` with the address that gives tokens.
    fn authorize(&mut self, challenge: &str, method: &Method) -> Result<(), Failure> {
        let known = self.credentials()?;
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            let Some((user, password)) = known else {
                return Err(self.fault("it wants a password, and Docker's configuration has none for it"));
            };
            self.authorization = Some(basic(&user, &password));
            return Ok(());
        }
        let parameter = |name: &str| {
            let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
            Some(rest.split('"').next().unwrap_or_default().to_owned())
        };
        let realm =
            parameter("realm").ok_or_else(|| self.fault("its challenge names no address for tokens"))?;
        let service = parameter("service").unwrap_or_default();
        let actions = if method == Method::PUT { "pull,push" } else { "pull" };
        let scope = parameter("scope").unwrap_or_else(|| format!("repository:{}:{actions}", self.name));
        let mut request = self.agent.get(&realm).query("service", service).query("scope", scope);
        if let Some((user, password)) = known {
            request = request.header("authorization", basic(&user, &password));
        }
        let answer = request.call().and_then(|mut response| {
            let status = response.status();
            Ok((status, response.body_mut().with_config().limit(MAX_JSON_BYTES).read_to_vec()?))
        });
        // Whoever gives tokens may be out of order, too; then the next try asks again.
        self.authorization = match answer {
            Ok((status, _)) if matches!(status.as_u16(), 401 | 403) => {
                return Err(self.fault("it does not take the password of Docker's configuration"));
            }
            Ok((_, bytes)) => {
                let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let token = answer["token"].as_str().or(answer["access_token"].as_str());
                token.map(|token| format!("Bearer {token}"))
            }
            Err(_) => None,
        };
        Ok(())
    }

    /// User and password of Docker's configuration or its helpers, if it has any for the registry.
    fn credentials(&self) -> Result<Option<(String, String)>, Failure> {
        let server = if self.host == "docker.io" { "https://index.docker.io/v1/" } else { &self.host };
        match docker_credential::get_credential(server) {
            Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some((user, password))),
            Ok(DockerCredential::IdentityToken(_)) => {
                Err(self.fault("Docker's configuration has an identity token for it, which is not supported; log in with a password"))
            }
            Err(
                CredentialRetrievalError::NoCredentialConfigured
                | CredentialRetrievalError::ConfigNotFound
                | CredentialRetrievalError::ConfigReadError,
            ) => Ok(None),
            Err(error) => Err(self.fault(&format!("Docker's configuration cannot be used: {error}"))),
        }
    }

    fn fault(&self, message: &str) -> Failure {
        Failure::new(format!("the registry {}: {message}", self.host)).code(REGISTRY)
    }

    /// What a registry said that did not do what it was asked for.
    fn refused(&self, path: &str, mut response: Response<Body>) -> Failure {
        let status = response.status();
        let body = response.body_mut().with_config().limit(1 << 16).read_to_string().unwrap_or_default();
        let told: Value = serde_json::from_str(&body).unwrap_or_default();
        let told = told.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or_default();
        let hint = match status.as_u16() {
            401 | 403 => "; log in with `docker login`, and see whether you may push there",
            429 => "; it gets too many requests: try again later",
            500..=599 => "; it is out of order: try again later",
            _ => "",
        };
        let told = if told.is_empty() { String::new() } else { format!(" ({told})") };
        self.fault(&format!("it answers {status} to {}{path}{told}{hint}", self.name))
    }
}

fn header(response: &Response<Body>, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
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
