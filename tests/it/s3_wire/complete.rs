//! What a completion of an upload in parts names.

use bytes::Bytes;

use super::stub::{Refusal, bad};

/// The parts in the order in which they were named.
pub(super) struct Completion {
    pub(super) parts: Vec<NamedPart>,
}

/// A part as a completion names it.
pub(super) struct NamedPart {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) checksum: Option<String>,
}

impl Completion {
    /// Reads the request's body; parts out of order are refused as S3 does.
    pub(super) fn read(sent: &Bytes) -> Result<Self, Refusal> {
        let text = String::from_utf8_lossy(sent);
        let document = roxmltree::Document::parse(&text).map_err(|_| bad("MalformedXML", ""))?;
        let parts: Vec<NamedPart> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "Part")
            .map(NamedPart::read)
            .collect::<Option<_>>()
            .ok_or_else(|| bad("MalformedXML", ""))?;
        if parts.is_empty() {
            return Err(bad("MalformedXML", "no parts"));
        }
        if !parts.windows(2).all(|two| two[0].number < two[1].number) {
            return Err(bad("InvalidPartOrder", "The list of parts was not in ascending order."));
        }
        Ok(Self { parts })
    }
}

impl NamedPart {
    fn read(node: roxmltree::Node<'_, '_>) -> Option<Self> {
        let child = |name: &str| {
            let found = node.children().find(|child| child.tag_name().name() == name)?;
            found.text().map(ToOwned::to_owned)
        };
        let number = child("PartNumber")?.parse().ok()?;
        Some(Self { number, etag: child("ETag")?, checksum: child("ChecksumCRC32") })
    }
}
