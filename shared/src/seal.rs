//! Sealing: AES-256-GCM under a generation's data key, with the item's place as associated data.
//!
//! A sealed text opens only where it was sealed for, and never again once the data key is gone.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use lz4_flex::block;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::ports::Entropy;

/// The form of sealed texts: version, nonce, ciphertext with its tag. The plain text is a length,
/// in four bytes from the lowest, and an LZ4 block. (The first version deflated it.)
const VERSION: u8 = 2;
const NONCE_LEN: usize = 12;

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
    cipher: Aes256Gcm,
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
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let naming_key = Zeroizing::new(blake3::derive_key(NAMING, &**key));
        let signing_key = Zeroizing::new(blake3::derive_key(SIGNING, &**key));
        let digest_key = Zeroizing::new(blake3::derive_key(DIGESTS, &**key));
        let key = Zeroizing::new(**key);
        let cipher = Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&*key));
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
        let packed = block::compress_prepend_size(plain);
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let sealed = self
            .0
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: &packed, aad: place.as_bytes() })
            .map_err(|_| SealError::Unopenable)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&VERSION, rest) = sealed.split_first().ok_or(SealError::UnknownVersion)? else {
            return Err(SealError::UnknownVersion);
        };
        let (nonce, text) =
            rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::UnknownVersion)?;
        let packed = self
            .0
            .cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: text, aad: place.as_bytes() })
            .map_err(|_| SealError::Unopenable)?;
        let (length, packed) = block::uncompressed_size(&packed).map_err(|_| SealError::Corrupt)?;
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

    /// Does not compile while the features that overwrite keys are off.
    #[test]
    fn key_material_is_overwritten_when_a_sealer_goes() {
        fn goes_clean<T: zeroize::ZeroizeOnDrop>() {}
        goes_clean::<Aes256Gcm>();
        goes_clean::<Zeroizing<[u8; 32]>>();
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
        let wrapped = |packed: &[u8]| {
            let (nonce, aad) = (Nonce::from([0; NONCE_LEN]), b"a#1".as_slice());
            let text = sealer.0.cipher.encrypt(&nonce, Payload { msg: packed, aad }).unwrap();
            [&[VERSION][..], &[0; NONCE_LEN], &text].concat()
        };
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
