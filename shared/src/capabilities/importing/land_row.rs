//! Landing one row that was read outside of a run: a record that a seller made or looks at.

use jiff::SignedDuration;

use super::{Selection, imported_record, keys};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{Reading, SObject};
use crate::ports::Ports;
use crate::salesforce::Record;
use crate::store::Store;
use crate::work::WorkError;

/// An import's rows have the stamps that Salesforce gives; one that is landed here is older by
/// this. The next run finds it changed, stores what its own user sees, and hands it to matching.
const BEFORE: SignedDuration = SignedDuration::from_millis(1);

/// Lands a row as an import would, with the fields that the admin chose and this reader may see,
/// unless a run has landed it in this state.
pub(crate) async fn land_row(
    ports: &Ports,
    opened: &OpenGeneration,
    object: SObject,
    row: &Record,
    reading: Reading,
) -> Result<(), WorkError> {
    let store = Store::new(ports.clone());
    let chosen: Option<Selection> = store.read(&keys::selection(opened.connection.at)).await?;
    let shown = store.read(&opened.keys.org_fields(object)).await?;
    let shown = shown.map(|shown| shown.fields).unwrap_or_default();
    let Ok(selected) = chosen.unwrap_or_default().of(object, &shown) else {
        return Ok(()); // the runs do not read it either, and say why
    };
    if selected.excluded {
        return Ok(());
    }
    if let Some(mut record) = imported_record(object, &selected, row) {
        record.stamp -= BEFORE;
        opened.records.land(reading, vec![record]).await?;
    }
    Ok(())
}
