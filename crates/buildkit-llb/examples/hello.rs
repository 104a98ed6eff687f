//! Writes a graph for `buildctl build`: two trees made from scratch, merged.

use std::io::Write;

use buildkit_llb::{Definition, File, Meta, Mkfile, Output, merge};

fn tree(path: &str, text: &str) -> Output {
    let file = Mkfile::new(path, 0o644, text.into()).timestamp(0);
    File::on(&Output::scratch()).mkfile(file).meta(Meta::named(&format!("write {path}"))).output()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let both = [tree("/hello", "hello\n"), tree("/world", "world\n")];
    let definition = Definition::marshal(&merge(&both, Meta::named("put together")), &[])?;
    std::io::stdout().write_all(&definition.to_bytes())?;
    Ok(())
}
