//! An object's key as a path below a folder, one to one.
//!
//! Each part of a key is a name: what is not a letter, a digit or one of `-_.=` is written as in an
//! address, `%2B`. A folder's name ends with `+`, which no file's does: an object `a` may stand
//! beside an object `a/b`. No path leads out of its folder.

use std::path::{Path, PathBuf};

/// The longest key, in bytes, as S3 has it: a tenant that moves there takes every object along.
const LONGEST_KEY: usize = 1_024;

/// The longest name of the usual file systems, in bytes.
const LONGEST_NAME: usize = 255;

/// The end of a folder's name.
const FOLDER: char = '+';

/// Why a key names no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, absolute, or with an empty part, `.` or `..`.
    #[error("an object's key has an empty part, `.` or `..`")]
    Part,
    /// Longer than an object's key or one of its parts may be.
    #[error("an object's key or a part of it is too long")]
    Long,
}

/// The path of an object, below the folder of all objects.
pub(super) fn path_of(key: &str) -> Result<PathBuf, KeyError> {
    if key.len() > LONGEST_KEY {
        return Err(KeyError::Long);
    }
    let mut parts: Vec<String> = key.split('/').map(name_of).collect::<Result<_, _>>()?;
    let last = parts.len() - 1;
    parts[..last].iter_mut().for_each(|part| part.push(FOLDER));
    if parts.iter().any(|part| part.len() > LONGEST_NAME) {
        return Err(KeyError::Long);
    }
    Ok(parts.iter().collect())
}

/// The folder that holds every object whose key begins with `prefix`, and the key of that folder;
/// none when no key can begin so.
pub(super) fn folder_of(prefix: &str) -> Option<(PathBuf, &str)> {
    let Some((folders, _)) = prefix.rsplit_once('/') else {
        return Some((PathBuf::new(), ""));
    };
    let names = folders.split('/').map(|part| Some(name_of(part).ok()? + "+"));
    Some((names.collect::<Option<PathBuf>>()?, &prefix[..=folders.len()]))
}

/// The part of a key that a file's name stands for; none when it is no file of ours.
pub(super) fn part_of_file(name: &Path) -> Option<String> {
    part_of(name.to_str()?)
}

/// The part of a key that a folder's name stands for; none when it is no folder of ours.
pub(super) fn part_of_folder(name: &Path) -> Option<String> {
    part_of(name.to_str()?.strip_suffix(FOLDER)?)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte)
}

fn name_of(part: &str) -> Result<String, KeyError> {
    if matches!(part, "" | "." | "..") || part.contains('/') {
        return Err(KeyError::Part);
    }
    Ok(escaped(part))
}

/// A part of a key with everything but plain characters as in an address.
pub(super) fn escaped(part: &str) -> String {
    part.bytes().fold(String::with_capacity(part.len()), |mut name, byte| {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
        name
    })
}

fn part_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    let part = String::from_utf8(bytes).ok()?;
    // Only the one name that this part is written with stands for it.
    (name_of(&part).ok()? == name).then_some(part)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The key of a path, read back name by name.
    fn key_of(path: &Path) -> Option<String> {
        let names: Vec<&Path> = path.iter().map(Path::new).collect();
        let (file, folders) = names.split_last()?;
        let mut parts: Vec<String> =
            folders.iter().map(|name| part_of_folder(name)).collect::<Option<_>>()?;
        parts.push(part_of_file(file)?);
        Some(parts.join("/"))
    }

    proptest! {
        #[test]
        fn a_key_and_its_path_are_one_to_one(
            key in "([a-zA-Z0-9._=%+~ é\\\\\u{0}-]{1,6}/){0,3}[ab.%+é]{1,4}",
        ) {
            if let Ok(path) = path_of(&key) {
                prop_assert_eq!(key_of(&path), Some(key));
                prop_assert!(path.is_relative());
                let plain = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(path.components().all(plain));
            } else {
                prop_assert!(key.split('/').any(|part| part == "." || part == ".."));
            }
        }

        #[test]
        fn a_name_that_is_read_is_the_name_that_is_written(name in "[a-c.%+0-9A-F]{0,8}") {
            if let Some(part) = part_of_file(Path::new(&name)) {
                prop_assert_eq!(path_of(&part), Ok(PathBuf::from(name)));
            }
        }
    }

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in ["", "/", "/etc/passwd", "a//b", "a/", "..", "../a", "a/../b", "a/.", "./a"] {
            assert_eq!(path_of(key), Err(KeyError::Part), "{key}");
        }
        // Not parts of a path, but characters of a name.
        for key in ["..\\a", "a\0b", "%2E%2E/a", "~/a", "...", "a/..b"] {
            assert_eq!(key_of(&path_of(key).unwrap()).as_deref(), Some(key));
        }
    }

    #[test]
    fn long_keys_and_names_are_refused() {
        assert!(path_of(&"n".repeat(255)).is_ok());
        assert_eq!(path_of(&"n".repeat(256)), Err(KeyError::Long));
        assert_eq!(path_of(&format!("{}/a", "n".repeat(255))), Err(KeyError::Long));
        assert_eq!(path_of(&"é".repeat(43)), Err(KeyError::Long), "as it is written");
        assert!(path_of(&"abc/".repeat(255).replacen("abc", "abcd", 1).add_end()).is_ok());
        assert_eq!(path_of(&"abc/".repeat(256).add_end()), Err(KeyError::Long));
    }

    trait AddEnd {
        fn add_end(&self) -> String;
    }

    impl AddEnd for String {
        fn add_end(&self) -> String {
            format!("{self}a")
        }
    }

    #[test]
    fn a_foreign_file_whose_name_hides_a_slash_is_no_object() {
        assert_eq!(part_of_file(Path::new("%2F")), None);
        assert_eq!(part_of_folder(Path::new("a%2Fb+")), None);
    }

    #[test]
    fn an_object_stands_beside_a_folder_of_the_same_name() {
        let keys = ["a", "a/b", "a+", "a+/b", "a%2B", "A"];
        let paths: BTreeMap<PathBuf, &str> =
            keys.iter().map(|key| (path_of(key).unwrap(), *key)).collect();
        assert_eq!(paths.len(), keys.len());
        assert_ne!(path_of("a/b").unwrap().parent(), Some(&*path_of("a").unwrap()));
    }
}
