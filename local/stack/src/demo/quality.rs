//! How good matches are, against a truth file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};

/// Who is who: the entity that each record truly is.
#[derive(Debug)]
pub(super) struct Truth {
    records: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    object: String,
    entity: Option<String>,
    /// Why the record is easy or hard; empty when the file does not say.
    case: String,
}

/// The cases of records whose person works elsewhere now, as the directory says: they left, or
/// their profile never told of the record's employer.
const STALE: [&str; 2] = ["match_stale_employer", "match_unlisted_employer"];

/// Precision and recall of one object's matches. Each (object, entity) counts once: a second
/// record that is truly the same entity is a duplicate in the CRM and neither right nor wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Matches that are right, of all matches.
    pub precision: f64,
    /// Entities that were found, of all that have a record.
    pub recall: f64,
}

impl Quality {
    /// The harmonic mean of both.
    #[must_use]
    pub fn f1(self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

impl Truth {
    /// Reads a CSV file with `crm_id`, `profile_id` and `object`, plain or gzipped.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        Self::parse(&text(path)?).with_context(|| format!("read {}", path.display()))
    }

    /// No value of the file holds a comma: ids, names of objects and of cases.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| {
            header
                .iter()
                .position(|h| *h == name)
                .ok_or_else(|| anyhow!("there is no column {name}"))
        };
        let (record, entity, object) =
            (column("crm_id")?, column("profile_id")?, column("object")?);
        let case = header.iter().position(|name| *name == "case");
        let mut records = BTreeMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let cells: Vec<&str> = line.split(',').collect();
            let cell =
                |i: usize| cells.get(i).copied().ok_or_else(|| anyhow!("a short row: {line}"));
            let entity = Some(cell(entity)?).filter(|e| !e.is_empty()).map(str::to_owned);
            let case = case.and_then(|case| cells.get(case)).copied().unwrap_or_default();
            let (object, case) = (cell(object)?.to_owned(), case.to_owned());
            records.insert(cell(record)?.to_owned(), Known { object, entity, case });
        }
        Ok(Self { records })
    }

    /// The entity that a record truly is.
    pub(super) fn entity_of(&self, record: &str) -> Option<&str> {
        self.records.get(record)?.entity.as_deref()
    }

    /// The entities that some record truly is.
    pub(super) fn entities(&self) -> BTreeSet<&str> {
        self.records.values().filter_map(|known| known.entity.as_deref()).collect()
    }

    /// True if a record's person truly works elsewhere now.
    pub(super) fn is_stale(&self, record: &str) -> bool {
        self.records.get(record).is_some_and(|known| STALE.contains(&known.case.as_str()))
    }

    /// The quality of `matches`, pairs of record and entity, of one object; none when the truth
    /// knows no record of it.
    pub(super) fn judge<'a>(
        &self,
        object: &str,
        matches: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<Quality> {
        let all: BTreeSet<&str> = self
            .records
            .values()
            .filter(|known| known.object == object)
            .filter_map(|known| known.entity.as_deref())
            .collect();
        if all.is_empty() {
            return None;
        }
        let mut right = BTreeSet::new();
        let mut wrong = 0_u32;
        for (record, entity) in matches {
            // Records that the truth does not know, such as one created since, are not judged.
            let Some(known) = self.records.get(record) else { continue };
            if known.entity.as_deref() == Some(entity) {
                right.insert(entity);
            } else {
                wrong += 1;
            }
        }
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let found = count(right.len());
        let precision = if found > 0.0 { found / (found + f64::from(wrong)) } else { 0.0 };
        Some(Quality { precision, recall: found / count(all.len()) })
    }
}

/// The text of a file, plain or gzipped.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .with_context(|| format!("unpack {}", path.display()))?;
    } else {
        text =
            String::from_utf8(bytes).with_context(|| format!("read {} as text", path.display()))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: &str = "crm_id,profile_id,object,case\nL1,p1,Lead,match\nL2,p1,Lead,duplicate\nL3,\
         p2,Lead,match\nL4,,Lead,junk\nC1,p1,Contact,match\n";

    fn judge(matches: &[(&str, &str)]) -> Quality {
        Truth::parse(TRUTH).unwrap().judge("Lead", matches.iter().copied()).unwrap()
    }

    #[test]
    fn a_second_record_of_the_same_entity_counts_neither_way() {
        let quality = judge(&[("L1", "p1"), ("L2", "p1")]);
        assert_eq!(quality, Quality { precision: 1.0, recall: 0.5 });
    }

    #[test]
    fn a_wrong_entity_and_a_record_without_one_cost_precision() {
        let quality = judge(&[("L1", "p2"), ("L3", "p2"), ("L4", "p1")]);
        assert!((quality.precision - 1.0 / 3.0).abs() < 1e-9, "{quality:?}");
        assert!((quality.recall - 0.5).abs() < 1e-9, "{quality:?}");
    }

    #[test]
    fn an_unknown_record_is_not_judged() {
        assert_eq!(judge(&[("L1", "p1"), ("new", "p9")]), Quality { precision: 1.0, recall: 0.5 });
    }

    #[test]
    fn an_object_without_truth_has_no_quality() {
        assert_eq!(Truth::parse(TRUTH).unwrap().judge("Account", std::iter::empty()), None);
    }
}
