//! The time that everything has which is made: the build argument `SOURCE_DATE_EPOCH`.

use buildkit_frontend::{BuildContext, Error, Gateway};

use crate::diagnostic::{Diagnostic, Severity};
use crate::spec::Span;

/// The build argument. Source: reproducible-builds.org, and BuildKit's Dockerfile reference for `context`.
pub(super) const EPOCH_ARG: &str = "SOURCE_DATE_EPOCH";
/// What tells exporters the time, where the build argument does not. Source: BuildKit's `exporter/exptypes/keys.go`.
pub(super) const EPOCH_KEY: &str = "source.date.epoch";

/// What the client says about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Epoch {
    /// Nothing.
    Unset,
    /// Seconds since 1970. The daemon's exporters read them without us.
    Given(u64),
    /// The time of the build context, as it was found there.
    OfContext(Option<u64>),
}

impl Epoch {
    /// Reads the build argument, and asks the context where that is what it says.
    ///
    /// # Errors
    ///
    /// Anything that is no time.
    pub(super) async fn read(gateway: &Gateway, context: &BuildContext) -> Result<Self, Error> {
        match gateway.options().build_args.get(EPOCH_ARG).map_or("", String::as_str) {
            "" => Ok(Self::Unset),
            "context" => Ok(Self::OfContext(context.time().await?.and_then(|time| time.try_into().ok()))),
            text => text.parse().map(Self::Given).map_err(|_| {
                let text = text.escape_debug();
                Error::user(format!(
                    "{EPOCH_ARG} is a number of seconds since 1970, or `context` for the time of the commit or archive that \
                     is built, not `{text}`"
                ))
            }),
        }
    }

    /// Seconds since 1970, where they are known.
    pub(super) fn seconds(self) -> Option<u64> {
        match self {
            Self::Unset => None,
            Self::Given(seconds) => Some(seconds),
            Self::OfContext(seconds) => seconds,
        }
    }

    /// A warning where the context has no time that anybody knows.
    pub(super) fn problem(self, span: Span) -> Option<Diagnostic> {
        let message = format!(
            "{EPOCH_ARG} asks for the time of the build context, which has none that the builder knows"
        );
        let help = "commits have one, and archives whose server says when they were changed; else name the seconds since 1970";
        let warning = Diagnostic { severity: Severity::Warning, message, help: Some(help.to_owned()), span };
        (self == Self::OfContext(None)).then_some(warning)
    }
}
