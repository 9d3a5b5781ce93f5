//! What the tests of this crate share.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A stream that the test reads.
#[derive(Clone, Default)]
pub(crate) struct Read(Arc<Mutex<Vec<u8>>>);

impl Read {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Read {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
