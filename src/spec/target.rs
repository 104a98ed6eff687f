//! `target:` the nodes that the image must run on.

use super::{At, Fields, Node, Span, Value, Version, checked, items, text};
use crate::catalog::compare;
use crate::diagnostic::Problems;
use crate::suggest::nearest;

/// The nodes that the image must run on, as far as the spec says.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// NVIDIA's drivers.
    pub driver: Option<At<DriverRange>>,
    /// GPUs, by compute capability or by the name of a product.
    pub gpus: Vec<At<String>>,
    /// The oldest processor.
    pub cpu: Option<At<CpuLevel>>,
    /// Jetson's Linux on the boards.
    pub l4t: Option<At<Version>>,
    /// Its place.
    pub span: Span,
}

/// Drivers from one release on, and before another if that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverRange {
    /// The oldest.
    pub oldest: String,
    /// The first that is not among them any more.
    pub before: Option<String>,
}

impl DriverRange {
    /// Reads `>=570` or `>=570,<600`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = || "write the drivers as `>=570` or `>=570,<600`".to_owned();
        let number = |text: &str| {
            let text = text.trim();
            let fits = (1..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c == '.');
            (fits && text.starts_with(|c: char| c.is_ascii_digit())).then(|| text.to_owned())
        };
        let (oldest, before) = match text.split_once(',') {
            Some((oldest, before)) => (oldest, Some(before)),
            None => (text, None),
        };
        let oldest = oldest.trim().strip_prefix(">=").and_then(number).ok_or_else(help)?;
        let before = match before {
            Some(before) => Some(before.trim().strip_prefix('<').and_then(number).ok_or_else(help)?),
            None => None,
        };
        match before {
            Some(before) if compare(&oldest, &before).is_ge() => {
                Err(format!("no driver is both from {oldest} on and before {before}"))
            }
            before => Ok(Self { oldest, before }),
        }
    }
}

/// A level of processors: what all of them have. Source: the x86-64 psABI, and Arm's architecture versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuLevel {
    /// Any amd64 processor.
    X86_64,
    /// With SSE 4.2, POPCNT and CMPXCHG16B.
    X86_64V2,
    /// With AVX2, BMI and FMA.
    X86_64V3,
    /// Any arm64 processor.
    Armv8,
}

impl CpuLevel {
    const ALL: [Self; 4] = [Self::X86_64, Self::X86_64V2, Self::X86_64V3, Self::Armv8];

    /// Its name in a spec.
    pub fn word(self) -> &'static str {
        match self {
            Self::X86_64 => "x86-64",
            Self::X86_64V2 => "x86-64-v2",
            Self::X86_64V3 => "x86-64-v3",
            Self::Armv8 => "armv8",
        }
    }

    /// The level of a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == text)
    }
}

impl Target {
    /// Reads `target:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`target`", node, problems)?;
        let driver = fields.take("driver");
        let driver = driver.and_then(|n| checked("a range of drivers", n, problems, DriverRange::parse));
        let gpus = match fields.take("gpus") {
            Some(node) if matches!(node.value, Value::Scalar(_)) => {
                text("a GPU", node, problems).into_iter().collect()
            }
            Some(node) => items("`gpus`", node, problems, |node, problems| text("a GPU", node, problems)),
            None => Vec::new(),
        };
        let cpu = fields.take("cpu").and_then(|node| cpu(node, problems));
        let l4t = fields.take("l4t").and_then(|n| checked("a release of L4T", n, problems, Version::parse));
        fields.finish(problems);
        Some(Self { driver, gpus, cpu, l4t, span: node.span })
    }
}

fn cpu(node: &Node, problems: &mut Problems) -> Option<At<CpuLevel>> {
    let text = text("`cpu`", node, problems)?;
    if let Some(level) = CpuLevel::parse(&text.value) {
        return Some(At::new(level, text.span));
    }
    let help = match nearest(&text.value, CpuLevel::ALL.map(CpuLevel::word)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `x86-64`, `x86-64-v2`, `x86-64-v3` or `armv8`".to_owned(),
    };
    let message = format!("`{}` is no level of processors that is known here", text.value.escape_debug());
    problems.error_with_help(text.span, message, help);
    None
}
