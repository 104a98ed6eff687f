//! Where the spec and the files beside it come from: the client's directories, git, a download, or another build.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildkit_llb::{Copy, Definition, File, Meta, Output, Platform, Source, SourceFile};
use buildkit_proto::pb;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::git::GitAddress;
use crate::{Error, Gateway, Reference, ResolvedImage, ignore};

/// How much of a download tells an archive from a spec.
const SNIFF_BYTES: usize = 1024;
/// No list of ignored paths comes near.
const MAX_IGNORE_BYTES: usize = 1 << 20;
/// What clients name the directory with the files.
const CONTEXT: &str = "context";
/// What clients name the directory with the spec.
const DOCKERFILE: &str = "dockerfile";
/// What clients name a spec that has no name, such as one from stdin.
const DEFAULT_FILENAME: &str = "Dockerfile";

/// The spec as it was read.
#[derive(Clone, Debug)]
pub struct SpecFile {
    /// Its name, as the user knows it.
    pub filename: String,
    /// Its language, in linguist's names.
    pub language: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// The op that it was read from, for warnings; empty for scratch.
    pub digest: String,
    definition: Option<pb::Definition>,
}

impl SpecFile {
    /// The file as errors and source maps show it.
    pub fn source_file(&self) -> SourceFile {
        SourceFile {
            filename: self.filename.clone(),
            language: self.language.clone(),
            data: self.data.clone(),
            definition: self.definition.clone(),
        }
    }
}

/// A context that the client named with `--build-context`.
#[derive(Clone, Debug)]
pub struct NamedContext {
    /// Its files.
    pub output: Output,
    /// What it says about itself, where it is an image.
    pub image: Option<ResolvedImage>,
}

/// The spec and the files beside it.
#[derive(Clone, Debug)]
pub struct BuildContext {
    gateway: Gateway,
    spec: SpecFile,
    /// The files, unless they are a directory of the client.
    remote: Option<Output>,
    /// What the client ignores of them, once it was asked for.
    excludes: OnceCell<Vec<String>>,
    inputs: BTreeMap<String, pb::Definition>,
}

/// The spec's place.
struct Place {
    root: Output,
    path: String,
    /// The directory of the client that holds it, if it is in one.
    directory: Option<String>,
}

impl BuildContext {
    /// Finds and reads the spec, at most `limit` bytes of it, and what the client ignores.
    ///
    /// # Errors
    ///
    /// A spec that is missing or too long, a context that cannot be read.
    pub async fn load(gateway: &Gateway, language: &str, limit: usize) -> Result<Self, Error> {
        let (context, _) = Self::load_with(gateway, language, limit, |_| None).await?;
        Ok(context)
    }

    /// The same, and reads at the same time the file that `beside` names for the spec's own name, at most `limit` bytes
    /// and one of it; `None` where there is no such file. Its name counts from where that of the spec counts.
    ///
    /// # Errors
    ///
    /// As of [`Self::load`].
    pub async fn load_with(
        gateway: &Gateway,
        language: &str,
        limit: usize,
        beside: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(Self, Option<Vec<u8>>), Error> {
        let options = gateway.options();
        let filename = match options.get("filename") {
            None | Some("") => DEFAULT_FILENAME,
            Some(name) => name,
        };
        let address = options.get(options.get("contextkey").unwrap_or(CONTEXT)).unwrap_or_default();
        let remote = match address {
            "" => None,
            address => Some(remote(gateway, address).await?),
        };
        let inputs = if remote.is_none() { gateway.inputs().await? } else { BTreeMap::new() };
        let place = place(gateway, filename, remote.as_ref(), &inputs)?;
        let context = match (&remote, inputs.get(CONTEXT)) {
            (Some(remote), _) => Some(remote.files.clone()),
            (None, Some(input)) => Some(Output::import(input)?),
            (None, None) => None,
        };
        let beside = beside(filename);
        let (read, beside) = tokio::join!(
            read_spec(gateway, &place, filename, language, limit),
            read_beside(gateway, &place, beside.as_deref(), limit)
        );
        let ((spec, ignored), beside) = (read?, beside?);
        let own = ignored.map(|text| ignore::patterns(&text)).filter(|patterns| !patterns.is_empty());
        let excludes = OnceCell::new_with(own);
        Ok((Self { gateway: gateway.clone(), spec, remote: context, excludes, inputs }, beside))
    }

    /// The spec.
    pub fn spec(&self) -> &SpecFile {
        &self.spec
    }

    /// The files beside the spec: all, or only `paths` and what they link to. What the client ignores is left out.
    pub async fn files(&self, paths: &[String]) -> Result<Output, Error> {
        if let Some(remote) = &self.remote {
            return Ok(remote.clone());
        }
        let excludes = self.excludes.get_or_try_init(|| self.read_ignore_file(CONTEXT, CONTEXT)).await?;
        let mut source = local(&self.gateway, CONTEXT).shared_key_hint(CONTEXT);
        if !paths.is_empty() {
            let mut paths = paths.to_vec();
            paths.sort();
            source = source.follow_paths(&paths);
        }
        if !excludes.is_empty() {
            source = source.exclude_patterns(excludes);
        }
        Ok(source.meta(Meta::named("[internal] load build context")).output())
    }

    /// When the files were made, in seconds since 1970, where they come from a repository or an address that tells.
    ///
    /// # Errors
    ///
    /// An address that cannot be asked.
    pub async fn time(&self) -> Result<Option<i64>, Error> {
        match self.remote.as_ref().and_then(Output::only_source) {
            Some(source) => self.gateway.time_of(source).await,
            None => Ok(None),
        }
    }

    async fn read_ignore_file(&self, name: &str, hint: &str) -> Result<Vec<String>, Error> {
        let file = ".dockerignore";
        let source = one_file(&self.gateway, name, hint, file);
        let reference = self.gateway.solve(&Definition::marshal(&source, &[])?).await?;
        let data = self.gateway.read_file_opt(&reference, file, MAX_IGNORE_BYTES).await?;
        Ok(data.map(|data| ignore::patterns(&String::from_utf8_lossy(&data))).unwrap_or_default())
    }

    /// A context that the client named, for `platform` if it gave one for that.
    ///
    /// # Errors
    ///
    /// A context of a kind that is not known, or that cannot be read.
    pub async fn named(&self, name: &str, platform: &Platform) -> Result<Option<NamedContext>, Error> {
        let options = self.gateway.options();
        for key in [format!("{name}::{platform}"), name.to_owned()] {
            if let Some(value) = options.get(&format!("context:{key}")) {
                return self.open_named(name, &key, value, platform).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn open_named(
        &self,
        name: &str,
        key: &str,
        value: &str,
        platform: &Platform,
    ) -> Result<NamedContext, Error> {
        let title = format!("[context {name}] ");
        let log = format!("{title}load metadata for {value}");
        let (kind, rest) = value.split_once(':').unwrap_or((value, ""));
        let rest_path = rest.strip_prefix("//").unwrap_or(rest);
        match kind {
            "docker-image" if rest_path == "scratch" => {
                Ok(NamedContext { output: Output::scratch(), image: None })
            }
            "docker-image" => {
                let image = self.gateway.resolve_image_config(rest_path, platform, &log).await?;
                let pinned = pin(&image);
                let meta = Meta::named(&format!("{title}{pinned}"));
                let output = Source::image(&pinned).platform(platform).meta(meta).output();
                Ok(NamedContext { output, image: Some(image) })
            }
            "oci-layout" => self.open_oci_layout(rest_path, &title, &log, platform).await,
            "local" => {
                let excludes = self.read_ignore_file(rest, &format!("context:{name}")).await?;
                let mut source = local(&self.gateway, rest).shared_key_hint(&format!("context:{name}"));
                if !excludes.is_empty() {
                    source = source.exclude_patterns(&excludes);
                }
                let meta = Meta::named(&format!("{title}load from client"));
                Ok(NamedContext { output: source.meta(meta).output(), image: None })
            }
            "input" => self.open_input(rest, key),
            _ => self.open_address(value, &title),
        }
    }

    async fn open_oci_layout(
        &self,
        reference: &str,
        title: &str,
        log: &str,
        platform: &Platform,
    ) -> Result<NamedContext, Error> {
        let Some((store, digest)) = reference.split_once('@') else {
            return Err(Error::user(format!("the OCI layout {reference} is named without a digest")));
        };
        let store = store.split(':').next().unwrap_or(store);
        // Only store and digest count, but BuildKit reads what stands before the first slash as a host.
        let dummy = format!("oci-layout/{store}@{digest}");
        let image = self.gateway.resolve_oci_layout(&dummy, store, platform, log).await?;
        let output = Source::oci_layout(&dummy)
            .store(&self.gateway.options().session_id, store)
            .platform(platform)
            .meta(Meta::named(&format!("{title}{reference}")))
            .output();
        Ok(NamedContext { output, image: Some(image) })
    }

    fn open_input(&self, input: &str, key: &str) -> Result<NamedContext, Error> {
        let Some(definition) = self.inputs.get(input) else {
            return Err(Error::user(format!(
                "the build context {key} refers to the input {input}, which is not there"
            )));
        };
        let metadata = self.gateway.options().get(&format!("input-metadata:{input}"));
        let config = metadata.and_then(input_config);
        let image = config.map(|config| ResolvedImage { reference: input.to_owned(), digest: None, config });
        Ok(NamedContext { output: Output::import(definition)?, image })
    }

    fn open_address(&self, value: &str, title: &str) -> Result<NamedContext, Error> {
        if let Some(git) = GitAddress::parse(value)? {
            return Ok(NamedContext { output: git.output(&format!("{title}{value}")), image: None });
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            let meta = Meta::named(&format!("{title}{value}"));
            let output = Source::http(value).filename(CONTEXT).meta(meta).output();
            return Ok(NamedContext { output, image: None });
        }
        Err(Error::user(format!("the build context {value} is of an unknown kind")))
    }
}

/// `name:tag@digest`, so that what was looked at is what is built on.
fn pin(image: &ResolvedImage) -> String {
    match &image.digest {
        Some(digest) if !image.reference.contains('@') => format!("{}@{digest}", image.reference),
        _ => image.reference.clone(),
    }
}

/// The image configuration in an input's metadata: JSON of keys and base64.
fn input_config(metadata: &str) -> Option<Value> {
    let metadata: BTreeMap<String, String> = serde_json::from_str(metadata).ok()?;
    let bytes = STANDARD.decode(metadata.get("containerimage.config")?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A directory of the client. Without the session two builds at once could see each other's files.
fn local(gateway: &Gateway, name: &str) -> Source {
    Source::local(name).session(gateway.options().session_of(name))
}

/// One file of a directory of the client. The `hint` tells directories of one name apart.
fn one_file(gateway: &Gateway, directory: &str, hint: &str, file: &str) -> Output {
    local(gateway, directory)
        .follow_paths(&[file.to_owned()])
        .shared_key_hint(&format!("{hint}-{file}"))
        .differ_none()
        .meta(Meta::named(&format!("[internal] load {file}")))
        .output()
}

/// Files from an address.
struct Remote {
    files: Output,
    /// The spec's name, where the address is the spec itself.
    spec: Option<&'static str>,
}

async fn remote(gateway: &Gateway, address: &str) -> Result<Remote, Error> {
    let title = "[internal] load remote build context";
    if let Some(git) = GitAddress::parse(address)? {
        let keep = gateway.options().build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR");
        let git = git.keep_git_dir(keep.is_some_and(|keep| matches!(keep.as_str(), "1" | "true")));
        return Ok(Remote { files: git.output(title), spec: None });
    }
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return Err(Error::user(format!(
            "the build context {address} is neither a git repository nor a download"
        )));
    }
    let file = Source::http(address).filename(CONTEXT).meta(Meta::named(title)).output();
    let reference = gateway.solve(&Definition::marshal(&file, &[])?).await?;
    let head = gateway.read_file(&reference, CONTEXT, SNIFF_BYTES).await?;
    if !is_archive(&head) {
        return Ok(Remote { files: file, spec: Some(CONTEXT) });
    }
    let unpack = Copy::new(&file, format!("/{CONTEXT}"), "/").unpack();
    let meta = Meta::named("[internal] unpack build context");
    Ok(Remote { files: File::on(&Output::scratch()).copy(unpack).meta(meta).output(), spec: None })
}

/// Whether a file begins like a tar archive, packed or not.
fn is_archive(head: &[u8]) -> bool {
    let packed: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    packed.iter().any(|magic| head.starts_with(magic)) || head.get(257..262) == Some(b"ustar")
}

/// Where the spec is: a name that the client gave for it comes first, then whatever the files come from.
fn place(
    gateway: &Gateway,
    filename: &str,
    remote: Option<&Remote>,
    inputs: &BTreeMap<String, pb::Definition>,
) -> Result<Place, Error> {
    let key = gateway.options().get("dockerfilekey");
    if let (None, Some(remote)) = (key, remote) {
        let path = remote.spec.unwrap_or(filename).to_owned();
        return Ok(Place { root: remote.files.clone(), path, directory: None });
    }
    let path = filename.to_owned();
    if let (None, Some(input)) = (key, inputs.get(DOCKERFILE).or_else(|| inputs.get(CONTEXT))) {
        return Ok(Place { root: Output::import(input)?, path, directory: None });
    }
    let name = key.unwrap_or(DOCKERFILE);
    // The same bytes as the builtin frontend's op, which has just run: the daemon need not ask the client again.
    let mut paths = vec![filename.to_owned(), format!("{filename}.dockerignore")];
    if filename.ends_with(DEFAULT_FILENAME) {
        paths.push(filename.replace(DEFAULT_FILENAME, &DEFAULT_FILENAME.to_lowercase()));
    }
    let root = local(gateway, name)
        .follow_paths(&paths)
        .shared_key_hint(name)
        .differ_none()
        .meta(Meta::named(&format!("[internal] load build definition from {filename}")));
    Ok(Place { root: root.output(), path, directory: Some(name.to_owned()) })
}

/// The spec, and the ignore file that belongs to it alone.
async fn read_spec(
    gateway: &Gateway,
    place: &Place,
    filename: &str,
    language: &str,
    limit: usize,
) -> Result<(SpecFile, Option<String>), Error> {
    let definition = Definition::marshal(&place.root, &[])?;
    let reference = gateway.solve(&definition).await?;
    let ignore_path = format!("{}.dockerignore", place.path);
    let (data, ignored) = tokio::join!(
        read_limited(gateway, &reference, &place.path, limit),
        read_ignored(gateway, place, &reference, &ignore_path)
    );
    let mut spec = SpecFile {
        filename: filename.to_owned(),
        language: language.to_owned(),
        data: Vec::new(),
        digest: definition.head().to_owned(),
        definition: Some(definition.to_pb()),
    };
    spec.data =
        data?.ok_or_else(|| Error::user(format!("there is no file {filename} in the build context")))?;
    if spec.data.len() > limit {
        // Only the beginning is shown; the whole would not fit into a message.
        spec.data.truncate(SNIFF_BYTES);
        let at = buildkit_llb::Position { line: 1, character: 1 };
        let ranges = vec![buildkit_llb::Range { start: at, end: at }];
        let message = format!(
            "{filename} has more than {limit} bytes; a spec is a short text, put large files beside it"
        );
        return Err(Error::user(message).with_source(&spec.source_file(), ranges));
    }
    Ok((spec, ignored?))
}

/// A file of the place that the spec is in.
async fn read_beside(
    gateway: &Gateway,
    place: &Place,
    name: Option<&str>,
    limit: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(name) = name else { return Ok(None) };
    let root = match &place.directory {
        Some(directory) => one_file(gateway, directory, directory, name),
        None => place.root.clone(),
    };
    let reference = gateway.solve(&Definition::marshal(&root, &[])?).await?;
    read_limited(gateway, &reference, name, limit).await
}

async fn read_limited(
    gateway: &Gateway,
    from: &Reference,
    path: &str,
    limit: usize,
) -> Result<Option<Vec<u8>>, Error> {
    gateway.read_file_opt(from, path, limit + 1).await
}

async fn read_ignored(
    gateway: &Gateway,
    place: &Place,
    from: &Reference,
    path: &str,
) -> Result<Option<String>, Error> {
    if place.directory.is_none() {
        return Ok(None);
    }
    let data = gateway.read_file_opt(from, path, MAX_IGNORE_BYTES).await?;
    Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_from_specs() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for head in [b"\x1f\x8b\x08rest".to_vec(), b"BZh9".to_vec(), b"\xfd7zXZ\0".to_vec(), tar] {
            assert!(is_archive(&head));
        }
        for head in [b"# syntax=x\n".to_vec(), Vec::new(), b"BZ".to_vec()] {
            assert!(!is_archive(&head));
        }
    }

    #[test]
    fn the_configuration_of_an_input_is_found() {
        let config = STANDARD.encode(r#"{"os":"linux"}"#);
        let metadata = format!(r#"{{"containerimage.config":"{config}"}}"#);
        assert_eq!(input_config(&metadata), Some(serde_json::json!({"os": "linux"})));
        assert_eq!(input_config("{}"), None);
    }
}
