//! `ffmpeg:` FFmpeg built from its release archive into `/usr/local`, with the libraries that the spec names.
//!
//! A library comes from the distribution, or, where a version is written, from its own release archive; then it is a
//! branch of its own, linked statically.

use super::{Component, Declared, Registration};
use crate::catalog::{NvencHeaders, numbers, source};
use crate::diagnostic::Problems;
use crate::lock::PlatformLock;
use crate::plan::{Codec, Coder, Mount, Planner, Provided, Script, StepId};
use crate::resolve::{Context, SourceArchive, SourceFields, is_older};
use crate::spec::{At, Fields, Node, Scalar, Span, Value, Wish, checked, entries, items, list};
use crate::suggest::nearest;

/// The component's entry in the registry.
pub(super) const REGISTRATION: Registration = Registration { key: "ffmpeg", decode };

const PREFIX: &str = "/usr/local";
const BUILD: Script = Script { name: "ffmpeg.sh", text: include_str!("scripts/ffmpeg.sh") };

/// Flags that every build has: what the Ratio1 images are configured with.
const FLAGS: [&str; 8] = [
    "--enable-gpl",
    "--enable-version3",
    "--enable-pic",
    "--enable-pthreads",
    "--enable-zlib",
    "--enable-hardcoded-tables",
    "--disable-openssl",
    "--disable-sndio",
];

/// What every build needs: the assembler, and zlib.
const BUILD_PACKAGES: [&str; 2] = ["nasm", "zlib1g-dev"];

/// A library that FFmpeg can be built with.
#[derive(Debug)]
struct Library {
    /// Its name in a spec.
    name: &'static str,
    /// The configure flag that turns it on.
    flags: &'static [&'static str],
    /// The distribution's package for building against it; none where only our own build will do.
    package: &'static [&'static str],
    /// How it is built from its release archive.
    build: Option<LibraryBuild>,
    /// What FFmpeg can do with it that can be tried.
    codecs: &'static [Codec],
}

/// How a library is built from source.
#[derive(Debug)]
struct LibraryBuild {
    script: Script,
    packages: &'static [&'static str],
    /// What a program must link with besides, as the library is static.
    links: &'static str,
}

const fn distribution(
    name: &'static str,
    flags: &'static [&'static str],
    package: &'static [&'static str],
    codecs: &'static [Codec],
) -> Library {
    Library { name, flags, package, build: None, codecs }
}

const fn coder(name: &'static str, coder: Coder) -> Codec {
    Codec { name, coder }
}

/// Sorted by name. Package names are the same from Debian 12 and Ubuntu 22.04 on.
const LIBRARIES: &[Library] = &[
    distribution("aom", &["--enable-libaom"], &["libaom-dev"], &[coder("libaom-av1", Coder::Video)]),
    distribution("ass", &["--enable-libass"], &["libass-dev"], &[]),
    Library {
        name: "dav1d",
        flags: &["--enable-libdav1d"],
        package: &["libdav1d-dev"],
        build: Some(LibraryBuild {
            script: Script { name: "dav1d.sh", text: include_str!("scripts/dav1d.sh") },
            packages: &["meson", "nasm", "ninja-build"],
            links: "",
        }),
        codecs: &[coder("libdav1d", Coder::Decoder)],
    },
    distribution("fontconfig", &["--enable-libfontconfig"], &["libfontconfig-dev"], &[]),
    distribution("freetype", &["--enable-libfreetype"], &["libfreetype-dev"], &[]),
    distribution("gnutls", &["--enable-gnutls"], &["libgnutls28-dev"], &[]),
    distribution(
        "mp3lame",
        &["--enable-libmp3lame"],
        &["libmp3lame-dev"],
        &[coder("libmp3lame", Coder::Audio)],
    ),
    Library {
        name: "nvenc",
        flags: &["--enable-ffnvcodec", "--enable-nvenc", "--enable-nvdec", "--enable-cuvid"],
        package: &["libffmpeg-nvenc-dev"],
        build: Some(LibraryBuild {
            script: Script { name: "nvenc.sh", text: include_str!("scripts/nvenc.sh") },
            packages: &[],
            links: "",
        }),
        codecs: &[coder("h264_nvenc", Coder::GpuVideo), coder("hevc_nvenc", Coder::GpuVideo)],
    },
    Library {
        name: "openh264",
        flags: &["--enable-libopenh264"],
        package: &["libopenh264-dev"],
        build: Some(LibraryBuild {
            script: Script { name: "openh264.sh", text: include_str!("scripts/openh264.sh") },
            packages: &["meson", "nasm", "ninja-build"],
            links: "-lstdc++",
        }),
        codecs: &[coder("libopenh264", Coder::Video)],
    },
    distribution("opus", &["--enable-libopus"], &["libopus-dev"], &[coder("libopus", Coder::Audio)]),
    Library {
        name: "svt-av1",
        flags: &["--enable-libsvtav1"],
        package: &["libsvtav1enc-dev"],
        build: Some(LibraryBuild {
            script: Script { name: "svt-av1.sh", text: include_str!("scripts/svt-av1.sh") },
            packages: &["cmake", "nasm", "ninja-build"],
            links: "",
        }),
        codecs: &[coder("libsvtav1", Coder::Video)],
    },
    distribution("vaapi", &["--enable-vaapi"], &["libdrm-dev", "libva-dev"], &[]),
    distribution(
        "vpx",
        &["--enable-libvpx"],
        &["libvpx-dev"],
        &[coder("libvpx-vp9", Coder::Video), coder("libvpx", Coder::Video)],
    ),
    distribution("x264", &["--enable-libx264"], &["libx264-dev"], &[coder("libx264", Coder::Video)]),
    distribution(
        "x265",
        &["--enable-libx265"],
        &["libnuma-dev", "libx265-dev"],
        &[coder("libx265", Coder::Video)],
    ),
    distribution("xml2", &["--enable-libxml2", "--enable-demuxer=dash"], &["libxml2-dev"], &[]),
];

/// Libraries under the GPL. Source: `EXTERNAL_LIBRARY_GPL_LIST` in FFmpeg's `configure`.
const GPL: [&str; 2] = ["x264", "x265"];

/// Flags that ask for what no library of a spec brings, and what does the same.
const ABSENT: [(&str, &str); 2] = [
    ("--enable-libfdk-aac", "FFmpeg's own `aac` is there without it"),
    ("--enable-openssl", "write `gnutls: distribution` below `libraries` for TLS"),
];

/// Where a library of the spec comes from.
#[derive(Debug)]
struct Chosen<S> {
    library: &'static Library,
    /// Its release, if not the distribution's.
    source: Option<S>,
    span: Span,
}

#[derive(Debug)]
struct FfmpegSpec {
    source: SourceFields,
    libraries: Vec<Chosen<SourceFields>>,
    flags: Vec<String>,
}

fn decode(node: &Node, problems: &mut Problems) -> Option<Box<dyn Declared>> {
    let mut fields = Fields::open_versioned("`ffmpeg`", node, problems)?;
    let source = SourceFields::decode(&mut fields, REGISTRATION.key, "7.1.5", problems);
    let mut libraries = match fields.take("libraries") {
        Some(node) => entries("`libraries`", node, problems, decode_library),
        None => Vec::new(),
    };
    let flags = match fields.take("flags") {
        Some(node) => items("`flags`", node, problems, |node, problems| {
            checked("a flag of FFmpeg's `configure`", node, problems, flag)
        }),
        None => Vec::new(),
    };
    fields.finish(problems);
    check_licence(&libraries, &flags, problems);
    let flags = flags.into_iter().map(|flag| flag.value).collect();
    libraries.sort_by_key(|chosen| chosen.library.name);
    Some(Box::new(FfmpegSpec { source: source?, libraries, flags }))
}

/// Reports a flag that turns the GPL off where a library is under it.
fn check_licence(libraries: &[Chosen<SourceFields>], flags: &[At<String>], problems: &mut Problems) {
    let last = flags.iter().rfind(|flag| ["--enable-gpl", "--disable-gpl"].contains(&flag.value.as_str()));
    let Some(flag) = last.filter(|flag| flag.value == "--disable-gpl") else { return };
    for chosen in libraries.iter().filter(|chosen| GPL.contains(&chosen.library.name)) {
        let name = chosen.library.name;
        problems.error_with_help(
            flag.span,
            format!("`{name}` ({}) is under the GPL, which `--disable-gpl` leaves out", chosen.span.line()),
            format!("take `{name}` out of `libraries`, or leave the flag out"),
        );
    }
}

/// Reads a flag of `configure` that chooses what is compiled, or how hard the compiler tries. `configure` is a shell script
/// that evaluates some of its arguments, so nothing passes here that a shell could take for more than a word.
pub(crate) fn flag(text: &str) -> Result<String, String> {
    if let Some(library) = LIBRARIES.iter().find(|library| library.flags.contains(&text)) {
        return Err(format!(
            "write `{}` below `libraries`, which also brings what it is built with",
            library.name
        ));
    }
    if let Some((_, help)) = ABSENT.iter().find(|(flag, _)| *flag == text) {
        return Err(format!("nothing brings the library that it needs; {help}"));
    }
    // The image's programs and libraries use the shared ones.
    let is_ours =
        ["--enable-static", "--disable-static", "--enable-shared", "--disable-shared"].contains(&text);
    let switch = text.strip_prefix("--enable-").or_else(|| text.strip_prefix("--disable-"));
    let is_word = |text: &str, more: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    let is_switch = switch.is_some_and(|switch| match switch.split_once('=') {
        Some((name, values)) => is_word(name, "-_") && is_word(values, "-_,"),
        None => is_word(switch, "-_"),
    });
    let optimization = text.strip_prefix("--optflags=-O");
    let is_optimization = optimization.is_some_and(|level| ["0", "1", "2", "3", "s"].contains(&level));
    if !is_ours && (is_switch || is_optimization) {
        return Ok(text.to_owned());
    }
    Err("write `--enable-…` or `--disable-…`, such as `--disable-encoder=gif`, or `--optflags=-O2`"
        .to_owned())
}

fn decode_library(key: &At<String>, node: &Node, problems: &mut Problems) -> Option<Chosen<SourceFields>> {
    let names: Vec<_> = LIBRARIES.iter().map(|library| library.name).collect();
    let Some(library) = LIBRARIES.iter().find(|library| library.name == key.value) else {
        let message = format!("FFmpeg has no library `{}` here", key.value.escape_debug());
        let help = match nearest(&key.value, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", list(&names)),
        };
        problems.error_with_help(key.span, message, help);
        return None;
    };
    let span = key.span.to(node.span);
    if matches!(&node.value, Value::Scalar(Scalar { text, .. }) if text == "distribution") {
        return Some(Chosen { library, source: None, span });
    }
    if library.build.is_none() {
        problems.error_with_help(
            node.span,
            format!("`{}` can only come from the distribution", library.name),
            format!("write `{}: distribution`", library.name),
        );
        return None;
    }
    let source = SourceFields::decode_short("a library", library.name, node, problems)?;
    Some(Chosen { library, source: Some(source), span })
}

impl Declared for FfmpegSpec {
    fn key(&self) -> &'static str {
        REGISTRATION.key
    }

    fn codes_video(&self) -> bool {
        self.libraries.iter().any(|chosen| chosen.library.name == "nvenc")
    }

    fn keep(&mut self, lock: &PlatformLock) {
        self.source.keep(REGISTRATION.key, REGISTRATION.key, lock);
        for Chosen { library, source, .. } in &mut self.libraries {
            source.iter_mut().for_each(|source| source.keep(REGISTRATION.key, library.name, lock));
        }
    }

    fn installs(&self, _: &Context<'_>) -> Vec<String> {
        // A flag may leave out programs, or a library without which there are none.
        let may_leave_out = |flag: &String| flag.starts_with("--disable-") && !flag.contains('=');
        if self.flags.iter().any(may_leave_out) {
            return Vec::new();
        }
        ["ffmpeg", "ffprobe"].map(|name| format!("{PREFIX}/bin/{name}")).into()
    }

    fn choice(&self, _: &Context<'_>) -> Option<(At<Wish>, String)> {
        Some((self.source.wish.clone(), self.source.version.to_string()))
    }

    fn resolve(&self, context: &Context<'_>, _: Span, problems: &mut Problems) -> Option<Box<dyn Component>> {
        let source = self.source.resolve(REGISTRATION.key, problems);
        let libraries = self.libraries.iter().map(|chosen| {
            let source = match &chosen.source {
                Some(source) => Some(source.resolve(chosen.library.name, problems)?),
                None => None,
            };
            Some(Chosen { library: chosen.library, source, span: chosen.span })
        });
        // Collected before anything returns, so that every library reports its problems.
        let libraries: Vec<_> = libraries.collect();
        let libraries = libraries.into_iter().collect::<Option<Vec<_>>>()?;
        check_nvenc(source.as_ref()?, context, &libraries, problems);
        Some(Box::new(Ffmpeg { source: source?, libraries, flags: self.flags.clone() }))
    }
}

/// Reports headers that the nodes' driver or this FFmpeg are too old for, by the catalog.
fn check_nvenc(
    ffmpeg: &SourceArchive,
    context: &Context<'_>,
    libraries: &[Chosen<SourceArchive>],
    problems: &mut Problems,
) {
    let Some(nvenc) = libraries.iter().find(|chosen| chosen.library.name == "nvenc") else { return };
    if context.cuda().is_none() && !context.fleet.has_gpus() {
        problems.error_with_help(
            nvenc.span,
            "`nvenc` is of use on NVIDIA machines only, which the spec is not for",
            "name their `driver` or `gpus` below `target`, add `torch:` with a CUDA channel, or leave `nvenc` out",
        );
    }
    let Some(headers) = &nvenc.source else { return };
    let (version, release) = (headers.version.as_str(), ffmpeg.version.as_str());
    let others = match fitting_headers(release, context) {
        Some(other) => format!("`nvenc: {}`, or ", other.nvenc),
        None => String::new(),
    };
    let row = context.catalog.nvenc.iter().find(|row| row.nvenc == version);
    if let (Some(row), Some(driver)) = (row, &context.fleet.driver)
        && is_older(&driver.value.oldest, &row.driver)
    {
        let message = format!(
            "the NVIDIA headers {version} ask for the driver {}, and `target.driver` ({}) begins at {}",
            row.driver,
            driver.span.line(),
            driver.value.oldest
        );
        let help = format!("take {others}drivers from {} on", row.driver);
        problems.error_with_help(nvenc.span, message, help);
    }
    let mut refuse = |help: String| {
        let message = format!("FFmpeg {release} cannot be built with the NVIDIA headers {version}");
        problems.error_with_help(nvenc.span, message, help);
    };
    if let Some(newer) = row.and_then(|row| newer_ffmpeg(release, row)) {
        refuse(format!("take {others}FFmpeg {newer} or newer"));
    }
    if is_dropped(release, version) {
        refuse(format!("take {others}a newer FFmpeg"));
    }
}

/// The newest headers whose source is known, and which go with the nodes' driver and this FFmpeg.
fn fitting_headers<'a>(release: &str, context: &Context<'a>) -> Option<&'a NvencHeaders> {
    let driver = context.fleet.driver.as_ref();
    context.catalog.nvenc.iter().rev().find(|row| {
        source("nvenc", &row.nvenc).is_some()
            && driver.is_none_or(|driver| !is_older(&driver.value.oldest, &row.driver))
            && newer_ffmpeg(release, row).is_none()
            && !is_dropped(release, &row.nvenc)
    })
}

/// The FFmpeg that headers ask for, if this one is older.
fn newer_ffmpeg<'a>(release: &str, row: &'a NvencHeaders) -> Option<&'a str> {
    row.ffmpeg.as_deref().filter(|oldest| is_older(release, oldest))
}

/// Whether headers dropped a field that this FFmpeg sets. Source: jetson-containers#1717.
fn is_dropped(release: &str, headers: &str) -> bool {
    numbers(release).starts_with(&[8, 1]) && !is_older(headers, "13.1")
}

#[derive(Debug)]
struct Ffmpeg {
    source: SourceArchive,
    libraries: Vec<Chosen<SourceArchive>>,
    /// Of the spec; they come last, and so have the last word.
    flags: Vec<String>,
}

impl Component for Ffmpeg {
    fn plan(&self, span: Span, planner: &mut Planner) {
        let label = format!("ffmpeg {}", self.source.version);
        let mut packages = BUILD_PACKAGES.to_vec();
        let mut flags: Vec<_> = FLAGS.to_vec();
        let mut built = Vec::new();
        // Static libraries need libm and threads; `pkg-config --static` would say so, but would ask for the static parts
        // of the distribution's libraries as well.
        let mut links = vec!["-lm", "-lpthread"];
        for chosen in &self.libraries {
            flags.extend(chosen.library.flags);
            planner.promise(chosen.library.codecs);
            match (&chosen.source, &chosen.library.build) {
                (Some(source), Some(build)) => {
                    built.push(build_library(chosen, source, build, planner));
                    links.extend(Some(build.links).filter(|links| !links.is_empty()));
                }
                _ => packages.extend(chosen.library.package),
            }
        }
        let root = planner.toolchain(&label, &packages, span);
        let source = planner.source(&label, &self.source);
        let mut run = planner.compile(&BUILD, root, source, PREFIX);
        run.env.push(("EXTRA_LIBS".to_owned(), links.join(" ")));
        run.argv.extend(flags.iter().map(|&flag| flag.to_owned()));
        run.argv.extend(self.flags.iter().cloned());
        let mut search = Vec::new();
        for (prefix, tree) in built {
            search.push(format!("{prefix}/lib/pkgconfig"));
            run.mounts.push(Mount { at: prefix.clone(), from: tree, part: prefix });
        }
        if !search.is_empty() {
            run.env.push(("PKG_CONFIG_PATH".to_owned(), search.join(":")));
        }
        let tree = planner.run(format!("[{label}] build"), span, run);
        planner.provide(Provided {
            built_in: Some(root),
            small: true,
            ..Provided::new(REGISTRATION.key, self.source.version.as_str(), tree, span)
        });
    }
}

/// Builds a library into a prefix of its own; gives the prefix and the tree.
fn build_library(
    chosen: &Chosen<SourceArchive>,
    source: &SourceArchive,
    build: &LibraryBuild,
    planner: &mut Planner,
) -> (String, StepId) {
    let label = format!("{} {}", chosen.library.name, source.version);
    let prefix = format!("/opt/build/{}", chosen.library.name);
    let root = planner.toolchain(&label, build.packages, chosen.span);
    let unpacked = planner.source(&label, source);
    let run = planner.compile(&build.script, root, unpacked, &prefix);
    (prefix, planner.run(format!("[{label}] build"), chosen.span, run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_words() {
        for taken in
            ["--disable-everything", "--enable-decoder=h264,hevc", "--optflags=-O1", "--enable-small"]
        {
            assert_eq!(flag(taken), Ok(taken.to_owned()));
        }
        for refused in [
            "",
            "--enable-",
            "--enable-$(id)",
            "--enable-a;id",
            "--disable-a=",
            "--disable-a=b c",
            "--prefix=/",
            "--enable-static",
            "--optflags=-O9",
            "--extra-cflags=-O2",
        ] {
            assert!(flag(refused).is_err(), "{refused:?} is taken");
        }
        assert!(flag("--enable-libfdk-aac").is_err_and(|help| help.contains("FFmpeg's own `aac`")));
        assert!(flag("--enable-openssl").is_err_and(|help| help.contains("write `gnutls: distribution`")));
        assert!(flag("--enable-libx264").is_err_and(|help| help.contains("write `x264` below `libraries`")));
    }

    #[test]
    fn libraries_are_sorted_and_have_a_source() {
        assert!(LIBRARIES.is_sorted_by_key(|library| library.name));
        for library in LIBRARIES {
            assert!(!library.flags.is_empty(), "{} does nothing", library.name);
            assert!(!library.package.is_empty() || library.build.is_some(), "{} has no source", library.name);
        }
    }
}
