//! The forms of the files of a folder: CSV, JSON and JSON lines.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;

fn write(folder: &Path, name: &str, bytes: std::io::Result<Vec<u8>>) -> Result<(), Error> {
    let path = folder.join(name);
    bytes.and_then(|bytes| fs::write(&path, bytes)).map_err(|source| Error::Write { path, source })
}

pub(crate) fn csv<T: Serialize>(folder: &Path, name: &str, rows: &[T]) -> Result<(), Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.iter().try_for_each(|row| writer.serialize(row));
    let bytes = written
        .map_err(std::io::Error::other)
        .and_then(|()| writer.into_inner().map_err(csv::IntoInnerError::into_error));
    write(folder, name, bytes)
}

pub(crate) fn json<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::other);
    write(folder, name, bytes.map(|bytes| [bytes, b"\n".to_vec()].concat()))
}

pub(crate) fn json_lines<T: Serialize>(
    folder: &Path,
    name: &str,
    values: &[T],
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let written = values
        .iter()
        .try_for_each(|value| serde_json::to_writer(&mut bytes, value).map(|()| bytes.push(b'\n')));
    write(folder, name, written.map(|()| bytes).map_err(std::io::Error::other))
}
