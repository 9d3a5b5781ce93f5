//! Work on pieces in parallel, results in order.

use crossbeam_channel::bounded;
use std::collections::BTreeMap;
use std::thread;

/// Reads `pieces` on one thread, works on them on `threads` threads and hands the results to
/// `collect` on the calling thread, in the order of the pieces. So the outcome is the same for any
/// number of threads. At most a few pieces per thread are in memory at a time.
///
/// Each thread has a state of its own, made by `start`; the states are returned at the end. What a
/// state has seen depends on the threads' luck: only what is the same in any order may be kept
/// there.
///
/// The first error of `collect` ends the run; what is under way is dropped.
pub fn in_order<P, R, S, E>(
    pieces: impl Iterator<Item = P> + Send,
    threads: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, P) -> R + Sync,
    mut collect: impl FnMut(R) -> Result<(), E>,
) -> Result<Vec<S>, E>
where
    P: Send,
    R: Send,
    S: Send,
{
    let threads = threads.max(1);
    thread::scope(|scope| {
        let (give, take) = bounded::<(u64, P)>(threads);
        let (finish, finished) = bounded::<(u64, R)>(threads);
        scope.spawn(move || {
            for numbered in (0..).zip(pieces) {
                if give.send(numbered).is_err() {
                    break;
                }
            }
        });
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (take, finish, start, work) = (take.clone(), finish.clone(), &start, &work);
            workers.push(scope.spawn(move || {
                let mut state = start();
                for (number, piece) in take {
                    if finish.send((number, work(&mut state, piece))).is_err() {
                        break;
                    }
                }
                state
            }));
        }
        drop((take, finish));

        let mut early = BTreeMap::new();
        let mut next = 0;
        for (number, result) in finished {
            early.insert(number, result);
            while let Some(result) = early.remove(&next) {
                collect(result)?;
                next += 1;
            }
        }
        let resume = |panic| std::panic::resume_unwind(panic);
        Ok(workers.into_iter().map(|worker| worker.join().unwrap_or_else(resume)).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            // The earlier a piece, the longer its work.
            let work =
                |n: u64| (0..(300 - n) * 200).fold(n, |x, y| std::hint::black_box(x).max(y % 2));
            let collect = |(n, _)| {
                seen.push(n);
                Ok::<_, ()>(())
            };
            let done = in_order(0..300, threads, || (), |(), n| (n, work(n)), collect);
            assert_eq!(done.map(|states| states.len()), Ok(threads));
            assert_eq!(seen, (0..300).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_of_the_collector_ends_an_endless_run() {
        let stopped =
            in_order(0.., 2, || (), |(), n: u64| n, |n| if n < 1000 { Ok(()) } else { Err(n) });
        assert_eq!(stopped.err(), Some(1000));
    }
}
