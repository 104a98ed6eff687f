//! A definition as text that people can read and review.

use std::collections::BTreeMap;
use std::fmt::Write;

use buildkit_proto::pb;

use crate::Definition;

impl Definition {
    /// One block for each op, inputs first. Ops are referred to by number, so that a changed byte changes only the
    /// lines that are about it.
    pub fn to_text(&self) -> String {
        let numbers: BTreeMap<_, _> =
            self.order.iter().enumerate().map(|(n, (digest, _))| (digest.as_str(), n)).collect();
        let mut text = String::new();
        for (number, (digest, op)) in self.order.iter().enumerate() {
            let metadata = self.pb.metadata.get(digest).cloned().unwrap_or_default();
            let name = metadata.description.get("llb.customname").map(String::as_str).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "#{number} {name}");
            let lines = self.pb.source.as_ref().and_then(|source| source.locations.get(digest));
            if let Some(lines) = lines {
                let _ = writeln!(text, "  at {}", places(lines));
            }
            if metadata.ignore_cache {
                text.push_str("  ignore cache\n");
            }
            let inputs: Vec<_> = op.inputs.iter().map(|input| reference(input, &numbers)).collect();
            match &op.op {
                Some(pb::op::Op::Source(source)) => source_lines(&mut text, source),
                Some(pb::op::Op::Exec(exec)) => exec_lines(&mut text, exec, &inputs),
                Some(pb::op::Op::File(file)) => file_lines(&mut text, file, &inputs),
                Some(pb::op::Op::Merge(_)) => {
                    let _ = writeln!(text, "  merge {}", inputs.join(" "));
                }
                Some(pb::op::Op::Diff(_)) => {
                    let _ = writeln!(text, "  diff {}", inputs.join(" "));
                }
                Some(pb::op::Op::Build(_)) => {
                    let _ = writeln!(text, "  build {}", inputs.join(" "));
                }
                None => {}
            }
        }
        text
    }
}

fn reference(input: &pb::Input, numbers: &BTreeMap<&str, usize>) -> String {
    match (numbers.get(input.digest.as_str()), input.index) {
        (Some(number), 0) => format!("#{number}"),
        (Some(number), index) => format!("#{number}.{index}"),
        (None, _) => "?".to_owned(),
    }
}

fn places(locations: &pb::Locations) -> String {
    let ranges = locations.locations.iter().flat_map(|location| &location.ranges);
    let line = |position: &Option<pb::Position>| position.as_ref().map(|p| p.line).unwrap_or_default();
    let places: Vec<_> =
        ranges.map(|range| format!("lines {}-{}", line(&range.start), line(&range.end))).collect();
    places.join(", ")
}

fn source_lines(text: &mut String, source: &pb::SourceOp) {
    let _ = writeln!(text, "  source {}", source.identifier);
    for (key, value) in &source.attrs {
        let _ = writeln!(text, "    {key}={value}");
    }
}

fn exec_lines(text: &mut String, exec: &pb::ExecOp, inputs: &[String]) {
    let meta = exec.meta.clone().unwrap_or_default();
    let network = match exec.network() {
        pb::NetMode::None => " network=none",
        pb::NetMode::Host => " network=host",
        pb::NetMode::Unset => "",
    };
    let _ = writeln!(text, "  exec cwd={}{network}", meta.cwd);
    for argument in &meta.args {
        let _ = writeln!(text, "    arg {argument}");
    }
    for variable in &meta.env {
        let _ = writeln!(text, "    env {variable}");
    }
    for mount in &exec.mounts {
        let from = usize::try_from(mount.input).ok().and_then(|i| inputs.get(i));
        let from = from.map_or("scratch", String::as_str);
        let kind = match mount.mount_type() {
            pb::MountType::Cache => {
                let cache = mount.cache_opt.clone().unwrap_or_default();
                format!("cache {} {:?}", cache.id, cache.sharing())
            }
            pb::MountType::Bind => match (mount.readonly, mount.output) {
                (true, _) => format!("read {from}{}", mount.selector),
                (false, -1) => format!("write {from}{}", mount.selector),
                (false, output) => format!("write {from}{} -> {output}", mount.selector),
            },
            other => format!("{other:?}").to_lowercase(),
        };
        let _ = writeln!(text, "    mount {} {kind}", mount.dest);
    }
}

fn file_lines(text: &mut String, file: &pb::FileOp, inputs: &[String]) {
    use pb::file_action::Action;
    let tree = |index: i64| match usize::try_from(index) {
        Err(_) => "scratch".to_owned(),
        Ok(i) => inputs.get(i).cloned().unwrap_or_else(|| format!("action {}", i - inputs.len())),
    };
    for action in &file.actions {
        let _ = write!(text, "  file on {}: ", tree(action.input));
        let _ = match &action.action {
            Some(Action::Copy(copy)) => {
                let unpack = if copy.attempt_unpack_docker_compatibility { " unpacked" } else { "" };
                let optional = if copy.allow_empty_wildcard { " if there" } else { "" };
                writeln!(
                    text,
                    "copy {} of {} to {}{unpack}{optional}",
                    copy.src,
                    tree(action.secondary_input),
                    copy.dest
                )
            }
            Some(Action::Mkfile(file)) => {
                writeln!(text, "mkfile {} {:o}, {} bytes", file.path, file.mode, file.data.len())
            }
            Some(Action::Mkdir(dir)) => writeln!(text, "mkdir {} {:o}", dir.path, dir.mode),
            Some(Action::Rm(rm)) => writeln!(text, "rm {}", rm.path),
            Some(Action::Symlink(link)) => {
                writeln!(text, "symlink {} to {}", link.newpath, link.oldpath)
            }
            None => writeln!(text, "nothing"),
        };
    }
}
