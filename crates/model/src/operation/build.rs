//! What a build utters: its parts, folded to what matters by whoever shows it.

use serde::{Deserialize, Serialize};

/// One piece of news of one build. A part is an instruction of the Dockerfile, or something that the builder does by
/// itself; `part` counts them in the order in which they began, within one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum BuildNews {
    PartBegan {
        part: u32,
        #[serde(flatten)]
        what: BuildPart,
    },
    /// A line that a part printed.
    PartSaid { part: u32, line: String },
    PartEnded {
        part: u32,
        #[serde(flatten)]
        what: BuildPart,
        /// Nothing was done: the result of an earlier build was taken.
        cached: bool,
        took_ms: u64,
    },
    PartFailed {
        part: u32,
        #[serde(flatten)]
        what: BuildPart,
        took_ms: u64,
    },
    /// Ended because another part failed.
    PartCancelled {
        part: u32,
        #[serde(flatten)]
        what: BuildPart,
    },
    /// Something to know that belongs to no part.
    Noted { line: String },
}

/// What a part is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildPart {
    /// `[2/5] RUN npm ci`, in one line.
    pub name: String,
    /// The builder does it by itself: it loads a context, begins with an image, writes the layers.
    pub aside: bool,
}

impl BuildNews {
    /// The texts in it, for whoever takes secrets out of them.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let text = match self {
            BuildNews::PartBegan { what, .. }
            | BuildNews::PartEnded { what, .. }
            | BuildNews::PartFailed { what, .. }
            | BuildNews::PartCancelled { what, .. } => &mut what.name,
            BuildNews::PartSaid { line, .. } | BuildNews::Noted { line } => line,
        };
        std::iter::once(text)
    }
}
