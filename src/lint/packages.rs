//! Rules about programs, packages of the distribution, and files.

use super::subject::{field, numbers, scalar};
use super::{Rule, Severity, Subject};
use crate::spec::Span;

/// Packages of the distribution that are what a component installs elsewhere.
const SHADOWED: [(&str, &str); 10] = [
    ("ffmpeg", "ffmpeg"),
    ("nodejs", "nodejs"),
    ("npm", "nodejs"),
    ("docker.io", "docker"),
    ("docker-ce", "docker"),
    ("python3", "python"),
    ("python3-pip", "python"),
    ("python3-torch", "torch"),
    ("python3-numpy", "wheels"),
    ("python3-opencv", "wheels"),
];

/// Packages with a lighter twin. Source: the packages' dependencies in Debian 13.
const HEAVY: [(&str, &str); 5] = [
    ("default-jdk", "default-jre-headless"),
    ("default-jre", "default-jre-headless"),
    ("locales-all", "locales"),
    ("python3-full", "python3"),
    ("vim", "vim-tiny"),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "EndOfLifeNode",
        severity: Severity::High,
        asks: "Node.js should be of a series that still gets security updates",
        why: "Node.js 20 got its last update in April 2026, and odd series live half a year only. Take an even one that is still \
              looked after. A release that the catalog does not know (`edgenode catalog sources`) needs `sha256`, the digest of the \
              archive for the image's architecture, from `https://nodejs.org/dist/vVERSION/SHASUMS256.txt`.",
        bad: "nodejs: 20.19.5\n",
        good: "nodejs: {version: 24.11.1, sha256: 0000000000000000000000000000000000000000000000000000000000000000}\n",
        find: ended_node,
    },
    Rule {
        id: "ShadowedPackage",
        severity: Severity::High,
        asks: "What a component installs should not be installed by the distribution as well",
        why: "The image would have two of it, of different versions, and which one runs depends on `PATH`. Leave the package out.",
        bad: "ffmpeg: {version: 7.1.5}\nsystem: {packages: [ffmpeg]}\n",
        good: "ffmpeg: {version: 7.1.5}\n",
        find: shadowed,
    },
    Rule {
        id: "DevelopmentPackage",
        severity: Severity::Low,
        asks: "Compilers and headers should not be in the image without need",
        why: "They are hundreds of megabytes, and a help for whoever breaks in. Components bring their own while they are built; \
              none of it stays. (torch.compile is a good reason to keep a compiler: ignore the rule and say so.)",
        bad: "system: {packages: [build-essential, libssl-dev]}\n",
        good: "system: {packages: [openssl]}\n",
        find: development,
    },
    Rule {
        id: "HeavyPackage",
        severity: Severity::Low,
        asks: "Of two twins an edge node should have the lighter package",
        why: "The package brings a desktop's libraries or more than a node needs; its twin does the same there.",
        bad: "system: {packages: [vim]}\n",
        good: "system: {packages: [vim-tiny]}\n",
        find: heavy,
    },
    Rule {
        id: "RedundantPackage",
        severity: Severity::Low,
        asks: "Packages that a setting brings need not be named",
        why: "`timezone` brings `tzdata`, `locale` brings `locales`, and `docker` brings what its engine needs; named twice, one of \
              them is forgotten when the other goes.",
        bad: "system: {timezone: Etc/UTC, packages: [tzdata]}\n",
        good: "system: {timezone: Etc/UTC}\n",
        find: redundant,
    },
    Rule {
        id: "NoCertificates",
        severity: Severity::Medium,
        asks: "An image that talks to the network should know whom to trust",
        why: "Without `ca-certificates` every https connection of Python, curl and the like fails with a certificate error. Slim \
              base images do not have them.",
        bad: "system: {packages: [curl]}\n",
        good: "system: {packages: [ca-certificates, curl]}\n",
        find: no_certificates,
    },
    Rule {
        id: "PlainHttp",
        severity: Severity::Medium,
        asks: "Downloads should come over https",
        why: "A digest tells that the file is the right one, but everybody on the way sees what is fetched, and can stop it; a \
              package index without https and digests can be replaced. Addresses of the machine itself are not found.",
        bad: "ffmpeg:\n  version: 7.1.5\n  url: http://example.org/ffmpeg-7.1.5.tar.xz\n  \
              sha256: 0000000000000000000000000000000000000000000000000000000000000000\n",
        good: "ffmpeg:\n  version: 7.1.5\n  url: https://example.org/ffmpeg-7.1.5.tar.xz\n  \
               sha256: 0000000000000000000000000000000000000000000000000000000000000000\n",
        find: plain_http,
    },
    Rule {
        id: "WorldWritable",
        severity: Severity::High,
        asks: "Files should not be writable by everyone",
        why: "Any process in the container could change what another one runs or reads. `0644` for files, `0755` for programs; \
              a directory that must be shared has the sticky bit (`1777`).",
        bad: "files: [{from: app.conf, to: /etc/app.conf, mode: \"0666\"}]\n",
        good: "files: [{from: app.conf, to: /etc/app.conf, mode: \"0644\"}]\n",
        find: world_writable,
    },
    Rule {
        id: "SetuidFile",
        severity: Severity::Medium,
        asks: "Files should not give their owner's rights to whoever starts them",
        why: "A program with the set-user-id or set-group-id bit is a way from any user to root. Let the runtime give the \
              container the capability that it needs.",
        bad: "files: [{from: tool, to: /usr/local/bin/tool, mode: \"4755\"}]\n",
        good: "files: [{from: tool, to: /usr/local/bin/tool, mode: \"0755\"}]\n",
        find: setuid,
    },
    Rule {
        id: "NetworkedCommand",
        severity: Severity::Medium,
        asks: "Commands should not need a network",
        why: "What a command downloads has no digest: the same spec gives another image when the server's file changes, and it \
              cannot be built where there is no network. Fetch the file beside the spec, and give it as an input.",
        bad: "commands: [{name: warm, run: [python3, /app/warm.py], network: true}]\n",
        good: "commands: [{name: warm, run: [python3, /app/warm.py], inputs: [models]}]\n",
        find: networked,
    },
];

fn ended_node(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let Some((version, span)) = subject.version("nodejs") else { return Vec::new() };
    match numbers(version).first() {
        Some(major) if *major <= 21 || *major % 2 == 1 => {
            let ways = "take 22 or 24, with `sha256` from nodejs.org's SHASUMS256.txt where the catalog does \
                        not know the release";
            vec![(span, format!("Node.js {major} gets no more updates; {ways}"))]
        }
        _ => Vec::new(),
    }
}

fn shadowed(subject: &Subject<'_>) -> Vec<(Span, String)> {
    subject
        .packages()
        .into_iter()
        .filter_map(|(package, span)| {
            let (_, key) = SHADOWED.iter().find(|(name, key)| *name == package && subject.has(key))?;
            Some((span, format!("`{key}:` installs its own; leave `{package}` out")))
        })
        .collect()
}

fn development(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let tools = ["build-essential", "gcc", "g++", "clang", "cmake", "make", "pkg-config", "cargo", "golang"];
    let packages = subject.packages().into_iter();
    packages
        .filter(|(package, _)| package.ends_with("-dev") || tools.contains(package))
        .map(|(package, span)| (span, format!("`{package}` is for building programs, not for running them")))
        .collect()
}

fn heavy(subject: &Subject<'_>) -> Vec<(Span, String)> {
    subject
        .packages()
        .into_iter()
        .filter_map(|(package, span)| {
            let (_, twin) = HEAVY.iter().find(|(name, _)| *name == package)?;
            Some((span, format!("its lighter twin is `{twin}`")))
        })
        .collect()
}

/// Settings and the packages that they bring.
const BROUGHT: [(&str, &str); 5] = [
    ("system.timezone", "tzdata"),
    ("system.locale", "locales"),
    ("docker", "fuse-overlayfs"),
    ("docker", "iptables"),
    ("docker", "pigz"),
];

fn redundant(subject: &Subject<'_>) -> Vec<(Span, String)> {
    subject
        .packages()
        .into_iter()
        .filter_map(|(package, span)| {
            let (key, _) = BROUGHT.iter().find(|(key, name)| *name == package && subject.has(key))?;
            Some((span, format!("`{key}` brings `{package}`")))
        })
        .collect()
}

fn no_certificates(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let packages = subject.packages();
    let has = |name: &str| packages.iter().any(|(package, _)| *package == name);
    if has("ca-certificates") || subject.has("docker") || subject.has("ngrok") {
        return Vec::new();
    }
    let talks = ["curl", "git", "wget"].into_iter().find(|name| has(name));
    let at = packages.iter().find(|(package, _)| Some(*package) == talks).map(|(_, span)| *span);
    at.map(|span| (span, "add `ca-certificates` to `system.packages`".to_owned())).into_iter().collect()
}

fn plain_http(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let local = ["http://127.", "http://localhost", "http://[::1]"];
    let addresses = subject.scalars().into_iter().filter(|(key, _, _)| ["url", "index"].contains(key));
    addresses
        .filter(|(_, text, _)| text.starts_with("http://") && !local.iter().any(|l| text.starts_with(l)))
        .map(|(_, text, span)| (span, format!("`{text}` is not encrypted; write `https://`")))
        .collect()
}

/// The permission bits of each entry of `files`.
fn modes(subject: &Subject<'_>) -> Vec<(u32, Span)> {
    let modes = subject.list("files").iter().filter_map(|file| field(file, "mode")).filter_map(scalar);
    modes.filter_map(|(text, span)| Some((u32::from_str_radix(text, 8).ok()?, span))).collect()
}

fn world_writable(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let open = modes(subject).into_iter().filter(|(bits, _)| bits & 0o1002 == 0o002);
    open.map(|(bits, span)| (span, format!("write `{:04o}`", bits & !0o002))).collect()
}

fn setuid(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let raised = modes(subject).into_iter().filter(|(bits, _)| bits & 0o6000 != 0);
    raised.map(|(bits, span)| (span, format!("write `{:04o}`", bits & 0o1777))).collect()
}

fn networked(subject: &Subject<'_>) -> Vec<(Span, String)> {
    let commands = subject.spec.commands.iter().filter(|command| command.network);
    commands
        .map(|command| (command.name.span, "give what it fetches as `inputs`, with no network".to_owned()))
        .collect()
}
