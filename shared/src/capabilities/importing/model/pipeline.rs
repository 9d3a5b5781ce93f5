//! The stages of the org's opportunities.

use serde::{Deserialize, Serialize};

/// A stage of the org's pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its API name, which opportunities hold whatever the stage is called by now.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// True if opportunities in it are closed.
    pub is_closed: bool,
    /// True if it is in use.
    pub is_active: bool,
}

/// The org's stages, in pipeline order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The stages.
    pub stages: Vec<Stage>,
}

/// From which stage on an opportunity counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageRule<'a> {
    /// The stage, by its API name; none for every open opportunity.
    pub from: Option<&'a str>,
    /// Only after it, not at it.
    pub is_after: bool,
}

impl Pipeline {
    /// True if an opportunity counts for auto-save: it is open, and at or after the chosen stage,
    /// or only after it where that was chosen. If the pipeline does not know one of the two stages,
    /// or no longer uses it, the place cannot be told, and any open opportunity counts.
    #[must_use]
    pub fn counts(&self, rule: StageRule<'_>, stage: Option<&str>, is_closed: bool) -> bool {
        if is_closed {
            return false;
        }
        let place = |name: Option<&str>| {
            self.stages.iter().position(|s| s.is_active && Some(s.name.as_str()) == name)
        };
        match (place(rule.from), place(stage)) {
            (Some(from), Some(at)) => at > from || at == from && !rule.is_after,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline() -> Pipeline {
        let stage = |name: &str, is_closed, is_active| Stage {
            name: name.into(),
            label: format!("{name}, renamed"),
            is_closed,
            is_active,
        };
        Pipeline {
            stages: vec![
                stage("Prospecting", false, true),
                stage("Old \"quoted\\\" stage", false, false),
                stage("Proposal", false, true),
                stage("Closed Won", true, true),
            ],
        }
    }

    fn from(stage: &str) -> StageRule<'_> {
        StageRule { from: Some(stage), is_after: false }
    }

    #[test]
    fn not_sure_means_every_open_opportunity() {
        assert!(pipeline().counts(StageRule::default(), Some("Prospecting"), false));
        assert!(!pipeline().counts(StageRule::default(), Some("Closed Won"), true));
    }

    #[test]
    fn a_chosen_stage_counts_itself_and_what_follows() {
        assert!(!pipeline().counts(from("Proposal"), Some("Prospecting"), false));
        assert!(pipeline().counts(from("Proposal"), Some("Proposal"), false));
        let after = |stage| {
            pipeline().counts(StageRule { is_after: true, ..from("Proposal") }, Some(stage), false)
        };
        assert!(!after("Proposal") && !after("Prospecting") && after("Nowhere"));
        assert!(!pipeline().counts(from("Proposal"), Some("Closed Won"), true));
    }

    #[test]
    fn a_stage_unknown_to_the_pipeline_goes_by_is_closed() {
        assert!(pipeline().counts(from("Proposal"), Some("Old \"quoted\\\" stage"), false));
        assert!(pipeline().counts(from("Proposal"), Some("Nowhere"), false));
        assert!(pipeline().counts(from("Gone"), Some("Prospecting"), false));
        assert!(!pipeline().counts(from("Gone"), Some("Nowhere"), true));
        assert!(pipeline().counts(from("Proposal"), None, false));
    }
}
