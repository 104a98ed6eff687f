//! Reads a definition, as `buildctl build` takes it, and tells what ops are in it.

use std::io::{Read, Write};

use buildkit_proto::pb;
use pb::op::Op;
use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let definition = pb::Definition::decode(bytes.as_slice())?;
    for bytes in &definition.def {
        let op = pb::Op::decode(bytes.as_slice())?;
        let what = match &op.op {
            Some(Op::Source(source)) => format!("source {}", source.identifier),
            Some(Op::Exec(exec)) => format!("exec {:?}", exec.meta.clone().unwrap_or_default().args),
            Some(Op::File(file)) => format!("file, {} actions", file.actions.len()),
            Some(Op::Merge(_)) => "merge".to_owned(),
            Some(Op::Diff(_)) => "diff".to_owned(),
            Some(Op::Build(_)) => "build".to_owned(),
            None => "result".to_owned(),
        };
        writeln!(std::io::stdout(), "{what}, {} inputs", op.inputs.len())?;
    }
    Ok(())
}
