//! Writes that hold together or not at all.

use crate::org::OrgData;
use crate::storage::journal;

/// An open transaction of the current call. One may be opened inside another.
pub(crate) struct Transaction {
    outermost: bool,
    from: usize,
    writes: usize,
}

impl Transaction {
    /// Opens a transaction.
    pub(crate) fn begin(data: &OrgData) -> Self {
        let outermost = !journal::is_kept();
        if outermost {
            journal::begin();
        }
        Self { outermost, from: journal::len(), writes: data.writes.len() }
    }

    /// Keeps what was written.
    pub(crate) fn commit(self) {
        if self.outermost {
            journal::end();
        }
    }

    /// Undoes what was written.
    pub(crate) fn roll_back(self, data: &mut OrgData) {
        let entries = journal::split_off(self.from);
        if self.outermost {
            journal::end();
        }
        for (id, before) in entries.iter().rev() {
            let Some(position) = data.position_of(*id) else { continue };
            let table = &mut data.tables[position];
            table.late.remove(id);
            match before {
                Some(row) => {
                    table.put(*id, row.clone());
                    if !table.is_deleted(row) {
                        table.deletions.retain(|(own, _)| own != id);
                    }
                }
                None => {
                    table.remove(*id);
                }
            }
        }
        let undone: Vec<String> = entries.iter().map(|(id, _)| id.to_string()).collect();
        let mut at = 0;
        let from = self.writes;
        data.writes.retain(|entry| {
            at += 1;
            at <= from || !undone.contains(&entry.id)
        });
    }
}
