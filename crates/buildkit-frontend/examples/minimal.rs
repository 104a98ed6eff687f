//! A frontend to start from. Its spec is one line, the reference of an image; the result is that image with the spec
//! beside it, as `/spec`.

use buildkit_frontend::{BuildContext, BuildResult, Error, Frontend, Gateway, ImageConfig};
use buildkit_llb::{Definition, File, Meta, Mkfile, Source};

struct Minimal;

impl Frontend for Minimal {
    async fn build(&self, gateway: Gateway) -> Result<BuildResult, Error> {
        let context = BuildContext::load(&gateway, "Text", 1 << 16).await?;
        let spec = String::from_utf8_lossy(&context.spec().data).into_owned();
        let Some(reference) = spec.lines().find(|line| !line.is_empty() && !line.starts_with('#')) else {
            return Err(Error::user("the spec names no image"));
        };
        let platform = gateway.build_platform();
        let log = format!("[internal] load metadata for {reference}");
        let image = gateway.resolve_image_config(reference, &platform, &log).await?;
        let base = Source::image(&image.reference).platform(&platform).output();
        let file = Mkfile::new("/spec", 0o644, spec.clone().into_bytes()).timestamp(0);
        let tree = File::on(&base).mkfile(file).meta(Meta::named("write the spec")).output();
        let solved = gateway.solve(&Definition::marshal(&tree, &[])?).await?;
        let config = ImageConfig::default().over(&image.config, &platform);
        Ok(BuildResult::single(&platform, solved, Some(config)))
    }
}

fn main() -> std::process::ExitCode {
    buildkit_frontend::run(Minimal)
}
