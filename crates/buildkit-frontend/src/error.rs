//! What ends a build, in the form that BuildKit and its clients understand.

use buildkit_llb::{Range, SourceFile};
use buildkit_proto::{errdefs, pb, rpc};
use prost::Message;

/// gRPC's code `UNKNOWN`: clients show the message without a prefix.
const UNKNOWN: i32 = 2;
/// gRPC's code `INTERNAL`: buildx ends with exit code 100.
const INTERNAL: i32 = 13;
/// gRPC's code `UNIMPLEMENTED`.
const UNIMPLEMENTED: i32 = 12;

/// Why there is no result. Details that came from the daemon are kept as they are.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.status.message)]
pub struct Error {
    status: Box<rpc::Status>,
}

impl Error {
    fn new(code: i32, message: String) -> Self {
        Self { status: Box::new(rpc::Status { code, message, details: Vec::new() }) }
    }

    /// The user can put it right.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(UNKNOWN, message.into())
    }

    /// The frontend is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message.into())
    }

    /// The client asked for a subrequest that the frontend does not have.
    pub fn unsupported_request(name: &str) -> Self {
        let mut error = Self::user(format!("unsupported request {name}"));
        error.status.details.push(errdefs::subrequest(name));
        error
    }

    /// The client demands a capability that the frontend does not have.
    pub fn unsupported_capability(name: &str) -> Self {
        let mut error = Self::new(UNIMPLEMENTED, format!("unsupported frontend capability {name}"));
        error.status.details.push(errdefs::frontend_cap(name));
        error
    }

    /// Adds the lines that clients show as a snippet.
    pub fn with_source(mut self, file: &SourceFile, ranges: Vec<Range>) -> Self {
        let ranges: Vec<pb::Range> = ranges.iter().map(|range| range.to_pb()).collect();
        self.status.details.push(errdefs::source(&file.to_pb(), &ranges));
        self
    }

    /// Whether some lines are already named.
    pub fn has_source(&self) -> bool {
        self.status.details.iter().any(|detail| detail.type_url.contains("errdefs.Source"))
    }

    /// Adds the lines that the op which failed comes from, where the daemon has not: it knows ops by their digests, which a
    /// source policy changes, those of what stands on a download as well. The op's name stays what it is in `graph`.
    pub(crate) fn located(mut self, graph: &pb::Definition) -> Self {
        let failed = self.status.details.iter().find_map(errdefs::failed_op);
        let (Some(failed), Some(source), false) = (failed, &graph.source, self.has_source()) else {
            return self;
        };
        let named =
            graph.metadata.iter().filter(|(_, op)| op.description.get("llb.customname") == Some(&failed));
        let Some(locations) = named.filter_map(|(op, _)| source.locations.get(op)).next() else {
            return self;
        };
        let sources = locations.locations.iter().filter_map(|location| {
            let info = source.infos.get(usize::try_from(location.source_index).ok()?)?;
            Some(errdefs::source(info, &location.ranges))
        });
        self.status.details.extend(sources);
        self
    }

    /// Puts words in front of the message.
    pub fn context(mut self, words: &str) -> Self {
        self.status.message = format!("{words}: {}", self.status.message);
        self
    }

    /// Puts words of help behind the message.
    pub fn help(mut self, words: impl AsRef<str>) -> Self {
        self.status.message = format!("{}; {}", self.status.message, words.as_ref());
        self
    }

    /// As it travels.
    pub fn into_status(self) -> rpc::Status {
        *self.status
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        match rpc::Status::decode(status.details()) {
            Ok(whole) if whole.code != 0 => Self { status: Box::new(whole) },
            _ => Self::new(status.code() as i32, status.message().to_owned()),
        }
    }
}

impl From<buildkit_llb::Error> for Error {
    fn from(error: buildkit_llb::Error) -> Self {
        Self::user(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use buildkit_llb::Position;
    use buildkit_proto::protobuf;

    #[test]
    fn details_of_the_daemon_are_kept() {
        let inner = rpc::Status { code: 2, message: "no".into(), details: vec![errdefs::subrequest("x")] };
        let status = tonic::Status::with_details(tonic::Code::Unknown, "no", inner.encode_to_vec().into());
        let error = Error::from(status);
        assert!(!error.has_source());
        let at = Position { line: 1, character: 1 };
        let error = error.with_source(&SourceFile::default(), vec![Range { start: at, end: at }]);
        assert!(error.has_source());
        assert_eq!(error.into_status().details.len(), 2);
    }

    #[test]
    fn the_lines_of_the_op_that_failed_are_told() {
        let failed = |op: &str| {
            let value =
                format!(r#"{{"op":{{"exec":{{}}}},"description":{{"llb.customname":"{op}"}}}}"#).into_bytes();
            let mut error = Error::user("exit code: 1");
            let detail = protobuf::Any { type_url: errdefs::SOLVE.to_owned(), value };
            error.status.details.push(detail);
            error
        };
        let location = pb::Location { source_index: 0, ranges: vec![pb::Range::default()] };
        let locations = pb::Locations { locations: vec![location] };
        let info = pb::SourceInfo { filename: "node.yaml".to_owned(), ..pb::SourceInfo::default() };
        let source = pb::Source { locations: [("sha256:1".to_owned(), locations)].into(), infos: vec![info] };
        let description = [("llb.customname".to_owned(), "[a] build".to_owned())].into();
        let op = pb::OpMetadata { description, ..pb::OpMetadata::default() };
        let metadata = [("sha256:1".to_owned(), op)].into();
        let graph = pb::Definition { metadata, source: Some(source), ..pb::Definition::default() };
        let located = failed("[a] build").located(&graph);
        assert!(located.has_source());
        // Once is enough.
        assert_eq!(located.clone().located(&graph).status.details, located.status.details);
        assert!(!failed("[b] build").located(&graph).has_source());
        assert!(!Error::user("no op").located(&graph).has_source());
        assert!(!failed("[a] build").located(&pb::Definition::default()).has_source());
    }

    #[test]
    fn a_status_without_details_keeps_code_and_message() {
        let error = Error::from(tonic::Status::not_found("gone")).context("spec.yaml");
        assert_eq!(error.to_string(), "spec.yaml: gone");
        let error = error.help("look again");
        assert_eq!(error.to_string(), "spec.yaml: gone; look again");
        assert_eq!(error.into_status().code, 5);
    }
}
