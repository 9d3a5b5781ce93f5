//! Sealing: AES-256-GCM under a generation's data key, with the item's place as associated data.
//!
//! A sealed text opens only where it was sealed for, and never again once the data key is gone.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use lz4_flex::block;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::ports::Entropy;

/// The form of sealed texts: version, nonce, ciphertext with its tag. The plain text is a length,
/// in four bytes from the lowest, and an LZ4 block. (The first version deflated it.)
const VERSION: u8 = 2;

/// Where the ciphertext begins.
const TEXT_AT: usize = 1 + NONCE_LEN;

/// What the key of names is derived for. Stored keys follow from it.
const NAMING: &str = "crm-sync 2026-11-28 names of what is looked up by";

/// What the key of signatures is derived for.
const SIGNING: &str = "crm-sync 2026-11-28 signatures of what callers hand back";
/// What the key of digests is derived for. Stored digests follow from it.
const DIGESTS: &str = "crm-sync 2026-11-28 digests of contents";

/// No body grows beyond this when opened; a page of records stays far below.
const MAX_OPENED: usize = 512 << 20;

/// Why a sealed text did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Altered, sealed under another key, or sealed for another place.
    #[error("the sealed text does not open here: it was altered, moved, or its key is gone")]
    Unopenable,
    /// Not a sealed text of a form that this code knows.
    #[error("not a sealed text of a known version")]
    UnknownVersion,
    /// The opened text does not decompress.
    #[error("the sealed text holds no valid compressed data")]
    Corrupt,
}

/// Seals and opens under one data key. Clones share its material, which is large and overwritten
/// when the last of them goes.
#[derive(Clone)]
pub struct Sealer(Arc<Keys>);

struct Keys {
    /// Its own copy of the data key, which AWS-LC overwrites as it frees it.
    cipher: LessSafeKey,
    /// Derived from the data key, for names alone.
    naming_key: Zeroizing<[u8; 32]>,
    /// Derived from the data key, for signatures alone.
    signing_key: Zeroizing<[u8; 32]>,
    /// Derived from the data key, for digests alone.
    digest_key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}

impl Sealer {
    /// A sealer under this data key.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a key of 32 bytes is one")]
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let naming_key = Zeroizing::new(blake3::derive_key(NAMING, &**key));
        let signing_key = Zeroizing::new(blake3::derive_key(SIGNING, &**key));
        let digest_key = Zeroizing::new(blake3::derive_key(DIGESTS, &**key));
        #[expect(clippy::unwrap_used, reason = "a key of 32 bytes is one")]
        let unbound = UnboundKey::new(&AES_256_GCM, &**key).unwrap();
        let cipher = LessSafeKey::new(unbound);
        Self(Arc::new(Keys { cipher, naming_key, signing_key, digest_key }))
    }

    /// A name for a text that is to be found by, and may not be read from, a key. It is always the
    /// same under one data key, and tells nothing without it.
    #[must_use]
    pub fn name(&self, text: &str) -> String {
        blake3::keyed_hash(&self.0.naming_key, text.as_bytes()).to_hex()[..32].to_owned()
    }

    /// A signature under this data key: nobody without the key can make it.
    #[must_use]
    pub fn sign(&self, text: &str) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.0.signing_key, text.as_bytes());
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// A digest of contents, to tell them from others. It tells nothing without the data key.
    #[must_use]
    pub fn digest(&self, contents: &[u8]) -> String {
        blake3::keyed_hash(&self.0.digest_key, contents).to_hex()[..32].to_owned()
    }

    /// Compresses and seals `plain` for `place`, the key of the item or object that will hold it.
    /// Compressed by LZ4: deflate would make a tenth less of a record, and take a tenth of an
    /// import's time.
    pub fn seal(
        &self,
        place: &str,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        self.seal_packed(place, &block::compress_prepend_size(plain), nonce)
    }

    fn seal_packed(
        &self,
        place: &str,
        packed: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Result<Vec<u8>, SealError> {
        let cipher = &self.0.cipher;
        let room = TEXT_AT + packed.len() + AES_256_GCM.tag_len();
        let mut sealed = Vec::with_capacity(room);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(packed);
        let (nonce, place) = (Nonce::assume_unique_for_key(nonce), Aad::from(place));
        let text = sealed.get_mut(TEXT_AT..).unwrap_or_default();
        let tag = cipher.seal_in_place_separate_tag(nonce, place, text);
        sealed.extend_from_slice(tag.map_err(|_| SealError::Unopenable)?.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&VERSION, rest) = sealed.split_first().ok_or(SealError::UnknownVersion)? else {
            return Err(SealError::UnknownVersion);
        };
        let (nonce, text) =
            rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::UnknownVersion)?;
        let (nonce, place) = (Nonce::assume_unique_for_key(*nonce), Aad::from(place));
        let mut text = text.to_vec();
        let packed = self
            .0
            .cipher
            .open_in_place(nonce, place, &mut text)
            .map_err(|_| SealError::Unopenable)?;
        let (length, packed) = block::uncompressed_size(packed).map_err(|_| SealError::Corrupt)?;
        if length > MAX_OPENED {
            return Err(SealError::Corrupt);
        }
        block::decompress(packed, length).map_err(|_| SealError::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Zeroizing::new([byte; 32]))
    }

    /// Does not compile while the features that overwrite keys are off. AWS-LC overwrites the key
    /// of the cipher itself.
    #[test]
    fn key_material_is_overwritten_when_a_sealer_goes() {
        fn goes_clean(_: &impl zeroize::ZeroizeOnDrop) {}
        let Keys { cipher: _, naming_key, signing_key, digest_key } = &*sealer(1).0;
        for key in [naming_key, signing_key, digest_key] {
            goes_clean(key);
        }
        let names = sealer(1).sign("a");
        assert_ne!(names, sealer(2).sign("a"));
        assert_ne!(names, sealer(1).sign("b"));
    }

    #[test]
    fn names_signatures_and_digests_tell_nothing_of_each_other() {
        let sealer = sealer(1);
        let of = "jane@acme.example";
        let signature = format!("{:032x}", u128::from_be_bytes(sealer.sign(of)));
        let all = [sealer.name(of), signature, sealer.digest(of.as_bytes())];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
    }

    /// Zeros of this length, as a block that says so in little room.
    fn zeros(length: usize) -> Vec<u8> {
        // A literal, a match of the rest but five, and five literals.
        let copied = length - 1 - 4 - 5;
        let mut block = u32::try_from(length).unwrap().to_le_bytes().to_vec();
        block.extend([0x1f, 0, 1, 0]);
        let rest = copied - 15;
        block.extend(std::iter::repeat_n(255, rest / 255));
        block.push(u8::try_from(rest % 255).unwrap());
        block.extend([0x50, 0, 0, 0, 0, 0]);
        block
    }

    #[test]
    fn a_text_that_would_grow_beyond_the_bound_is_not_opened() {
        let sealer = sealer(1);
        let wrapped = |packed: &[u8]| sealer.seal_packed("a#1", packed, [0; NONCE_LEN]).unwrap();
        let small = sealer.open("a#1", &wrapped(&zeros(100_000))).unwrap();
        assert!(small.len() == 100_000 && small.iter().all(|byte| *byte == 0));
        let large = sealer.open("a#1", &wrapped(&zeros(MAX_OPENED + 1)));
        assert_eq!(large.map(|plain| plain.len()), Err(SealError::Corrupt));
    }

    #[test]
    fn what_is_sealed_opens_in_its_place() {
        let entropy = Counting(0.into());
        let sealed = sealer(1).seal("a#1", b"hello", &entropy).unwrap();
        assert_eq!(sealer(1).open("a#1", &sealed).unwrap(), b"hello");
    }

    /// Made by `aes-gcm` 0.11, which sealed before AWS-LC: what is stored opens for good.
    #[test]
    fn what_was_sealed_earlier_opens() {
        let stored = "02000000000000000000000000\
                      ba3598dc255366d3ff161ef098988eca5279a9113d500e34b7a5";
        let stored: Vec<u8> = (0..stored.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&stored[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(sealer(1).open("a#1", &stored).unwrap(), b"hello");
        assert_eq!(sealer(1).seal("a#1", b"hello", &Counting(0.into())).unwrap(), stored);
    }

    #[test]
    fn a_name_is_the_same_under_one_key_and_another_under_another() {
        let name = |byte, text| sealer(byte).name(text);
        assert_eq!(name(1, "jane@acme.example"), name(1, "jane@acme.example"));
        assert_ne!(name(1, "jane@acme.example"), name(1, "joe@acme.example"));
        assert_ne!(name(1, "jane@acme.example"), name(2, "jane@acme.example"));
        assert_eq!(name(1, "").len(), 32);
    }

    #[test]
    fn a_text_of_any_length_and_kind_is_as_it_was_however_many_were_sealed_before() {
        let noise =
            |n: usize| (0..n).map(|i| ((i * i * 31) >> 7).to_le_bytes()[0]).collect::<Vec<_>>();
        for plain in [noise(3_000_000), vec![], vec![b'a'; 1 << 20], noise(700), b"a".to_vec()] {
            let sealed = sealer(1).seal("a#1", &plain, &Counting(0.into())).unwrap();
            assert!(sealer(1).open("a#1", &sealed).unwrap() == plain, "{} bytes", plain.len());
        }
    }

    #[test]
    fn a_sealed_text_moved_to_another_place_does_not_open() {
        let sealed = sealer(1).seal("a#1", b"hello", &Counting(0.into())).unwrap();
        assert_eq!(sealer(1).open("a#2", &sealed), Err(SealError::Unopenable));
        assert_eq!(sealer(2).open("a#1", &sealed), Err(SealError::Unopenable));
    }

    #[test]
    fn an_altered_text_does_not_open_whatever_byte_is_altered() {
        let sealed = sealer(1).seal("a#1", b"hello", &Counting(0.into())).unwrap();
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 1;
            assert!(sealer(1).open("a#1", &altered).is_err(), "byte {i}");
            assert!(sealer(1).open("a#1", &sealed[..i]).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let entropy = Counting(0.into());
        let one = sealer(1).seal("a#1", b"hello", &entropy).unwrap();
        let two = sealer(1).seal("a#1", b"hello", &entropy).unwrap();
        assert_ne!(one, two);
    }
}
