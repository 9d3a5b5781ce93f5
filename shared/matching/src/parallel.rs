//! Work in ranges, in parallel with the feature `parallel`; the result never depends on it.

use std::ops::Range;

/// Applies a function to consecutive ranges and gives the results in order. The threads end with
/// the work: the allocator keeps for a thread what others freed of its memory until it allocates
/// again, and a thread that waits for the next directory does not.
#[cfg(feature = "parallel")]
pub(crate) fn map_ranges<R: Send>(
    length: usize,
    size: usize,
    apply: impl Fn(Range<usize>) -> R + Sync,
) -> Vec<R> {
    use rayon::prelude::*;
    let map = || {
        (0..length.div_ceil(size))
            .into_par_iter()
            .map(|chunk| apply(chunk * size..((chunk + 1) * size).min(length)))
            .collect()
    };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads());
    match threads.build() {
        Ok(threads) => threads.install(map),
        // A system that gives no more threads lets those work that are there.
        Err(_) => map(),
    }
}

/// The size of the ranges that give each thread one.
#[cfg(feature = "parallel")]
pub(crate) fn share(length: usize) -> usize {
    length.div_ceil(rayon::current_num_threads())
}

/// The size of the ranges that give each thread one.
#[cfg(not(feature = "parallel"))]
pub(crate) fn share(length: usize) -> usize {
    length
}

/// Applies a function to consecutive ranges and gives the results in order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map_ranges<R>(
    length: usize,
    size: usize,
    apply: impl Fn(Range<usize>) -> R,
) -> Vec<R> {
    (0..length.div_ceil(size))
        .map(|chunk| apply(chunk * size..((chunk + 1) * size).min(length)))
        .collect()
}
