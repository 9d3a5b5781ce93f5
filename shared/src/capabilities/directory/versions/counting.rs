//! Handing a directory version's entities over to be counted, some at a time.

use matching::{Company, CompanyForm, DirectoryLine, EntityKind, Person, PersonForm, ShardBuilder};

use super::Directory;
use crate::capabilities::directory::DirectoryVersion;
use crate::work::WorkError;

/// What an entity takes of a compressed part, about: a guess on the low side only makes the sketch of
/// block sizes finer.
const ENTITY_IN_PARTS: u64 = 90;

/// Entities that are counted at once.
const COUNTED_AT_ONCE: usize = 1 << 14;

impl Directory {
    /// About how many entities a version has, by the size of its parts.
    pub(super) async fn expected(&self, version: &DirectoryVersion) -> Result<u64, WorkError> {
        let mut bytes = 0;
        for part in &version.parts {
            bytes += self.ports.objects.list(&part.key).await?.iter().map(|o| o.size).sum::<u64>();
        }
        Ok(bytes / ENTITY_IN_PARTS)
    }

    /// Hands a version's entities, normalised, to `take`, so many at a time that memory stays flat; and
    /// the ids that were merged into others to `merge`.
    pub(super) async fn each_some(
        &self,
        version: &DirectoryVersion,
        note: &mut impl FnMut(&'static str),
        merge: &mut impl FnMut(String, String),
        mut take: impl FnMut(&ShardBuilder),
    ) -> Result<(), WorkError> {
        let mut some = ShardBuilder::new(EntityKind::Person, 0, 1);
        self.each::<Person>(version, some.kind(), note, |line| match line {
            DirectoryLine::Upsert(person) => {
                some.add_person(&PersonForm::from(&person));
                hand_over(&mut some, COUNTED_AT_ONCE, &mut take);
            }
            DirectoryLine::Merge { id, into } => merge(id, into),
            DirectoryLine::Delete { .. } => {}
        })
        .await?;
        hand_over(&mut some, 1, &mut take);
        some = ShardBuilder::new(EntityKind::Company, 0, 1);
        self.each::<Company>(version, some.kind(), note, |line| match line {
            DirectoryLine::Upsert(company) => {
                some.add_company(&CompanyForm::from(&company));
                hand_over(&mut some, COUNTED_AT_ONCE, &mut take);
            }
            DirectoryLine::Merge { id, into } => merge(id, into),
            DirectoryLine::Delete { .. } => {}
        })
        .await?;
        hand_over(&mut some, 1, &mut take);
        Ok(())
    }
}

/// Hands over what a builder holds, when that is `enough`, and empties it.
fn hand_over(builder: &mut ShardBuilder, enough: usize, take: &mut impl FnMut(&ShardBuilder)) {
    if builder.len() >= enough {
        take(builder);
        *builder = ShardBuilder::new(builder.kind(), 0, 1);
    }
}
