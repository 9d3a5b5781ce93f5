//! Any bytes as any file: rows are read or counted, never a panic.
#![no_main]

use crm_sync::input::from_reader;
use crm_sync::linkage::{AccountsById, Content, Rows};
use libfuzzer_sys::fuzz_target;
use matching::Probe;

const CONTENTS: [Content; 5] = [
    Content::People,
    Content::Companies,
    Content::Leads,
    Content::Contacts,
    Content::Accounts,
];

// The first byte says what the file should be, the rest is the file.
fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let content = CONTENTS[usize::from(*choice) % CONTENTS.len()];
    let bytes = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let Ok(file) = from_reader("fuzz".into(), bytes) else { return };
    let Ok((rows, chunks)) = Rows::of(file, content) else { return };
    for chunk in chunks {
        let Ok(chunk) = chunk else { return };
        let mut problems = Vec::new();
        rows.read(&chunk, &AccountsById::default(), &mut problems, |row| {
            assert!(!row.probe.record_id().is_empty());
            // A probe comes back from its bytes as it was.
            let bytes = row.probe.to_bytes().unwrap();
            assert_eq!(Probe::from_bytes(&bytes).as_ref(), Ok(&row.probe));
        });
    }
});
