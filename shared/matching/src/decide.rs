//! From probabilities to decisions.

use serde::{Deserialize, Serialize};

/// The decision about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchDecision {
    /// Not the same.
    NonMatch,
    /// A person should look.
    Review,
    /// The same.
    Match,
}

/// The probabilities from which a pair is reviewed or matched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The lowest probability of a match.
    #[serde(rename = "match")]
    pub match_at: f64,
    /// The lowest probability of a review.
    #[serde(rename = "review")]
    pub review_at: f64,
}

impl Default for Thresholds {
    /// With calibrated probabilities F1 is best a little under one half: at half the best F1
    /// (Lipton, Elkan and Naryanaswamy 2014). A product that acts on matches asks for somewhat
    /// more.
    fn default() -> Self {
        Self { match_at: 0.5, review_at: 0.2 }
    }
}

impl Thresholds {
    /// The decision at a probability.
    #[must_use]
    pub fn decide(&self, probability: f64) -> MatchDecision {
        if probability >= self.match_at {
            MatchDecision::Match
        } else if probability >= self.review_at {
            MatchDecision::Review
        } else {
            MatchDecision::NonMatch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_decide() {
        let thresholds = Thresholds { match_at: 0.9, review_at: 0.5 };
        assert_eq!(
            [0.95, 0.9, 0.7, 0.1].map(|probability| thresholds.decide(probability)),
            [
                MatchDecision::Match,
                MatchDecision::Match,
                MatchDecision::Review,
                MatchDecision::NonMatch
            ]
        );
    }
}
