//! Error details. BuildKit sends them as JSON inside `google.protobuf.Any`, with Go's field names and bytes in base64.
//! Source: BuildKit's `util/grpcerrors` and `solver/errdefs`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{pb, protobuf::Any};

/// The type URL of [`source`].
pub const SOURCE: &str = "github.com/moby/buildkit/errdefs.Source+json";
/// The type URL of [`subrequest`].
pub const SUBREQUEST: &str = "github.com/moby/buildkit/errdefs.Subrequest+json";
/// The type URL of [`frontend_cap`].
pub const FRONTEND_CAP: &str = "github.com/moby/buildkit/errdefs.FrontendCap+json";

/// The type URL of the detail that has the op which failed.
pub const SOLVE: &str = "github.com/moby/buildkit/errdefs.Solve+json";

#[derive(Deserialize)]
struct SolveJson {
    #[serde(default)]
    description: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    info: InfoJson<'a>,
    ranges: Vec<RangeJson>,
}

#[derive(Serialize)]
struct InfoJson<'a> {
    filename: &'a str,
    language: &'a str,
    data: String,
}

#[derive(Serialize)]
struct RangeJson {
    start: PositionJson,
    end: PositionJson,
}

#[derive(Serialize)]
struct PositionJson {
    line: i32,
    character: i32,
}

impl From<Option<pb::Position>> for PositionJson {
    fn from(position: Option<pb::Position>) -> Self {
        let pb::Position { line, character } = position.unwrap_or_default();
        Self { line, character }
    }
}

#[derive(Serialize)]
struct NameJson<'a> {
    name: &'a str,
}

/// Which lines of which file an error comes from. Both ends of every range are written: clients rely on them.
pub fn source(info: &pb::SourceInfo, ranges: &[pb::Range]) -> Any {
    let data = STANDARD.encode(&info.data);
    let info = InfoJson { filename: &info.filename, language: &info.language, data };
    let ranges =
        ranges.iter().map(|range| RangeJson { start: range.start.into(), end: range.end.into() }).collect();
    any(SOURCE, &SourceJson { info, ranges })
}

/// Which subrequest is not supported.
pub fn subrequest(name: &str) -> Any {
    any(SUBREQUEST, &NameJson { name })
}

/// Which capability was asked of the frontend in vain.
pub fn frontend_cap(name: &str) -> Any {
    any(FRONTEND_CAP, &NameJson { name })
}

/// What an op that has failed is called in progress, as a detail says it.
pub fn failed_op(detail: &Any) -> Option<String> {
    let is_solve = detail.type_url == SOLVE;
    let solve = is_solve.then(|| serde_json::from_slice::<SolveJson>(&detail.value).ok()).flatten();
    solve?.description.remove("llb.customname")
}

fn any(type_url: &str, value: &impl Serialize) -> Any {
    // Structs of strings and numbers always have a JSON form.
    let value = serde_json::to_vec(value).unwrap_or_default();
    Any { type_url: type_url.to_owned(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_gos_field_names_and_both_ends() {
        let info = pb::SourceInfo {
            filename: "spec.yaml".into(),
            data: b"a: 1\n".to_vec(),
            language: "YAML".into(),
            definition: None,
        };
        let position = |line| Some(pb::Position { line, character: 0 });
        let any = source(&info, &[pb::Range { start: position(1), end: position(2) }]);
        let json = String::from_utf8(any.value).expect("text");
        assert_eq!(
            json,
            r#"{"info":{"filename":"spec.yaml","language":"YAML","data":"YTogMQo="},"ranges":[{"start":{"line":1,"character":0},"end":{"line":2,"character":0}}]}"#
        );
    }
}
