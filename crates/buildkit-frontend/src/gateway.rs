//! The daemon's gateway: what a frontend can ask of BuildKit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildkit_llb::{Definition, Platform, Range, SourceFile};
use buildkit_proto::fsutil::Stat;
use buildkit_proto::resources::SolveRequest;
use buildkit_proto::{caps, frontend, pb};
use serde_json::Value;

use crate::transport::{Call, Client};
use crate::{Capabilities, Error, Options, Reference};

/// How long the daemon may take to answer calls that ask for nothing that takes time; as in BuildKit's own client.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// What directories have in the modes that the daemon tells. Source: `ModeDir` of Go's `io/fs`.
const GO_MODE_DIR: u32 = 1 << 31;

/// A handle to the daemon. Clones share the connection, and calls may run at the same time.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: Client,
    options: Arc<Options>,
    caps: Arc<Capabilities>,
    platform: Platform,
}

/// What an image says about itself.
#[derive(Clone, Debug)]
pub struct ResolvedImage {
    /// The full reference; a source policy may have changed it.
    pub reference: String,
    /// The digest that the tag stands for. A Docker daemon may know none of a local image.
    pub digest: Option<String>,
    /// Its configuration.
    pub config: Value,
}

/// Something the user should know that stops nothing.
#[derive(Clone, Debug, Default)]
pub struct Warning {
    /// The op it belongs to; clients drop warnings of ops that they do not know.
    pub digest: String,
    /// One line.
    pub short: String,
    /// More lines.
    pub detail: Vec<String>,
    /// Where to read about it; may be empty.
    pub url: String,
    /// The file it is about.
    pub source: Option<SourceFile>,
    /// The lines it is about.
    pub ranges: Vec<Range>,
}

impl Gateway {
    /// Shakes hands: asks for the capabilities and refuses what the client demands in vain.
    pub(crate) async fn new(client: Client, options: Options) -> Result<Self, Error> {
        let pong = tokio::time::timeout(PATIENCE, client.calls().ping(frontend::PingRequest {})).await;
        let pong = pong.map_err(|_| Error::internal("BuildKit does not answer"))??.into_inner();
        let told = pong.workers.iter().flat_map(|worker| worker.platforms.iter().cloned()).next();
        let platform = options.worker_platform.clone().or(told.map(Platform::from_pb)).unwrap_or_default();
        let caps = Arc::new(Capabilities::new(&pong));
        Ok(Self { client, options: Arc::new(options), caps, platform })
    }

    /// What the client asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What the daemon can do.
    pub fn caps(&self) -> &Capabilities {
        &self.caps
    }

    /// The calls that were made so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.client.made()
    }

    /// The platform that the daemon runs on.
    pub fn build_platform(&self) -> Platform {
        self.platform.clone()
    }

    /// Hands a graph to the daemon, with the caches that the client wants to be read. Nothing runs before the result is
    /// looked at or returned.
    pub async fn solve(&self, definition: &Definition) -> Result<Reference, Error> {
        self.hand_over(definition, false).await
    }

    /// Like [`Gateway::solve`], but everything runs, and the answer comes when it has.
    pub async fn evaluate(&self, definition: &Definition) -> Result<Reference, Error> {
        self.hand_over(definition, true).await
    }

    async fn hand_over(&self, definition: &Definition, evaluate: bool) -> Result<Reference, Error> {
        let cache_imports = self.options.cache_imports.iter().map(|import| frontend::CacheOptionsEntry {
            r#type: import.kind.clone(),
            attrs: import.attributes.clone().into_iter().collect(),
        });
        let request = SolveRequest {
            definition: definition.to_bytes(),
            allow_result_return: true,
            allow_result_array_ref: true,
            cache_imports: cache_imports.collect(),
            evaluate,
        };
        let graph = definition.shared_pb();
        let response =
            self.client.solve(request).await.map_err(|error| Error::from(error).located(&graph))?;
        match response.result.and_then(|result| result.result) {
            Some(frontend::result::Result::Ref(reference)) => Ok(Reference { id: reference.id, graph }),
            None => Ok(Reference::scratch()),
            Some(_) => Err(Error::internal("BuildKit gave an unexpected kind of result")),
        }
    }

    /// Reads the first `limit` bytes of a file. What the file depends on runs first.
    pub async fn read_file(&self, from: &Reference, path: &str, limit: usize) -> Result<Vec<u8>, Error> {
        self.read_range(from, path, 0, limit).await
    }

    async fn read_range(
        &self,
        from: &Reference,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, Error> {
        let range = frontend::FileRange { offset: offset as i64, length: length as i64 };
        let request = frontend::ReadFileRequest {
            r#ref: from.id.clone(),
            file_path: path.to_owned(),
            range: Some(range),
            ..frontend::ReadFileRequest::default()
        };
        let answer = self.client.calls().read_file(request).await;
        Ok(answer.map_err(|error| Error::from(error).located(&from.graph))?.into_inner().data)
    }

    /// Like [`Gateway::read_file`], but a file that is not there is `None`.
    pub async fn read_file_opt(
        &self,
        from: &Reference,
        path: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        if_there(self.read_file(from, path, limit).await)
    }

    /// Reads the last `limit` bytes of a file; one that is not there is `None`.
    pub async fn read_end_opt(
        &self,
        from: &Reference,
        path: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(size) = if_there(self.file_size(from, path).await)? else { return Ok(None) };
        self.read_range(from, path, size.saturating_sub(limit as u64), limit).await.map(Some)
    }

    /// Whether a file or directory is there. What it depends on runs first.
    pub async fn has(&self, from: &Reference, path: &str) -> Result<bool, Error> {
        Ok(if_there(self.stat(from, path).await)?.is_some())
    }

    /// Whether what is at a path is a directory; `None` where nothing is. What it depends on runs first.
    pub async fn is_directory_opt(&self, from: &Reference, path: &str) -> Result<Option<bool>, Error> {
        let stat = if_there(self.stat(from, path).await)?;
        Ok(stat.map(|stat| stat.is_some_and(|stat| stat.mode & GO_MODE_DIR != 0)))
    }

    /// The number of bytes of a file. What the file depends on runs first.
    pub async fn file_size(&self, from: &Reference, path: &str) -> Result<u64, Error> {
        let stat = self.stat(from, path).await?;
        Ok(stat.and_then(|stat| u64::try_from(stat.size).ok()).unwrap_or_default())
    }

    async fn stat(&self, from: &Reference, path: &str) -> Result<Option<Stat>, Error> {
        let request = frontend::StatFileRequest {
            r#ref: from.id.clone(),
            path: path.to_owned(),
            ..frontend::StatFileRequest::default()
        };
        let answer = self.client.calls().stat_file(request).await;
        Ok(answer.map_err(|error| Error::from(error).located(&from.graph))?.into_inner().stat)
    }

    /// Asks the registry what a reference stands for. `log` is the line that progress shows.
    pub async fn resolve_image_config(
        &self,
        reference: &str,
        platform: &Platform,
        log: &str,
    ) -> Result<ResolvedImage, Error> {
        let request = frontend::ResolveImageConfigRequest {
            r#ref: reference.to_owned(),
            platform: Some(platform.to_pb()),
            resolve_mode: self.options.image_resolve_mode.clone(),
            log_name: log.to_owned(),
            ..frontend::ResolveImageConfigRequest::default()
        };
        self.resolve(request).await
    }

    /// The same for an image in an OCI layout of the client.
    pub(crate) async fn resolve_oci_layout(
        &self,
        reference: &str,
        store: &str,
        platform: &Platform,
        log: &str,
    ) -> Result<ResolvedImage, Error> {
        let request = frontend::ResolveImageConfigRequest {
            r#ref: reference.to_owned(),
            platform: Some(platform.to_pb()),
            log_name: log.to_owned(),
            resolver_type: 1,
            session_id: self.options.session_id.clone(),
            store_id: store.to_owned(),
            ..frontend::ResolveImageConfigRequest::default()
        };
        self.resolve(request).await
    }

    async fn resolve(&self, request: frontend::ResolveImageConfigRequest) -> Result<ResolvedImage, Error> {
        let asked = request.r#ref.clone();
        let response = self.client.calls().resolve_image_config(request).await?.into_inner();
        let config = serde_json::from_slice(&response.config)
            .map_err(|error| Error::user(format!("the configuration of {asked} is not valid: {error}")))?;
        let reference = Some(response.r#ref).filter(|reference| !reference.is_empty()).unwrap_or(asked);
        Ok(ResolvedImage { reference, digest: Some(response.digest).filter(|d| !d.is_empty()), config })
    }

    /// When a source was made, in seconds since 1970: a commit, or a download as its server says. `None` where nobody says.
    pub(crate) async fn time_of(&self, source: &pb::SourceOp) -> Result<Option<i64>, Error> {
        if !self.caps.gateway(caps::gateway::SOURCE_META_RESOLVER) {
            return Ok(None);
        }
        let is_git = source.identifier.starts_with("git://");
        let request = frontend::ResolveSourceMetaRequest {
            source: Some(source.clone()),
            log_name: "[internal] load the time of the build context".to_owned(),
            git: is_git.then_some(frontend::ResolveSourceGitRequest { return_object: true }),
            ..frontend::ResolveSourceMetaRequest::default()
        };
        let answer = self.client.calls().resolve_source_meta(request).await?.into_inner();
        let changed = answer.http.and_then(|http| http.last_modified).map(|time| time.seconds);
        Ok(answer.git.and_then(|git| time_of_commit(&git.commit_object)).or(changed))
    }

    /// The graphs that the client gave instead of directories.
    pub(crate) async fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, Error> {
        if !self.caps.gateway(caps::gateway::FRONTEND_INPUTS) {
            return Ok(BTreeMap::new());
        }
        let inputs = self.client.calls().inputs(frontend::InputsRequest {}).await?.into_inner();
        Ok(inputs.definitions.into_iter().collect())
    }

    /// Shows a warning. A daemon that cannot, or does not want to, is no reason to stop.
    pub async fn warn(&self, warning: Warning) {
        if !self.caps.gateway(caps::gateway::WARNINGS) {
            return;
        }
        let request = frontend::WarnRequest {
            digest: warning.digest,
            level: 1,
            short: warning.short.into_bytes(),
            detail: warning.detail.into_iter().map(String::into_bytes).collect(),
            url: warning.url,
            info: warning.source.as_ref().map(SourceFile::to_pb),
            ranges: warning.ranges.iter().map(|range| range.to_pb()).collect(),
        };
        let _ = self.client.calls().warn(request).await;
    }
}

/// What was read, or nothing where there is no such file.
fn if_there<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        // The daemon has no code for this, only Go's words. A directory in between that is a file counts too.
        Err(error) if is_missing(&error.to_string()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(message: &str) -> bool {
    message.contains("no such file or directory") || message.contains("not a directory")
}

/// When a commit was made, in seconds since 1970: the number behind the committer's name, of git's commit objects.
fn time_of_commit(object: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(object);
    let head = text.split("\n\n").next()?;
    let committer = head.lines().find_map(|line| line.strip_prefix("committer "))?;
    committer.rsplit_once("> ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_commit_is_its_committers() {
        let object = "tree 4b\nparent 9d\nauthor A <a@example> 1600000000 +0100\ncommitter B > C <b@example> 1700000000 -0330\n\n\
                      a commit\n\ncommitter no one <> 5 +0000\n";
        assert_eq!(time_of_commit(object.as_bytes()), Some(1_700_000_000));
        for none in ["", "tree 4b\n", "tree 4b\n\ncommitter A <> 5 +0000\n", "committer A 5"] {
            assert_eq!(time_of_commit(none.as_bytes()), None, "{none}");
        }
    }
}
