//! Lines that end in LF, CR LF, or CR alone, as old spreadsheets write them.

/// How many lines end in `bytes`. A CR at their very end is a line end of its own, so a CR LF must
/// not be cut in two.
pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr2_iter(b'\n', b'\r', bytes).filter(|&at| ends_line(bytes, at)).count() as u64
}

/// One past the first line's end; all of `bytes` when no line ends in them.
pub(super) fn first_line(bytes: &[u8]) -> usize {
    let mut ends = memchr::memchr2_iter(b'\n', b'\r', bytes);
    ends.find(|&at| ends_line(bytes, at)).map_or(bytes.len(), |at| at + 1)
}

/// One past the last line end that no further byte can change; 0 when there is none.
pub(super) fn last_line_end(bytes: &[u8]) -> usize {
    // A CR that stands last may be the first half of a CR LF.
    let sure = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    memchr::memrchr2(b'\n', b'\r', sure).map_or(0, |at| at + 1)
}

/// The lines of `bytes`, their ends left out.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (line, after) = rest.split_at(first_line(rest));
        rest = after;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        (!line.is_empty() || !rest.is_empty()).then(|| line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// The CR of a CR LF does not end the line: the LF does.
fn ends_line(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n')
}
