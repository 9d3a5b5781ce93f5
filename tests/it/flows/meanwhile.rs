//! Something that happens between two calls of a piece of work.

use futures::StreamExt;
use futures::future::{Either, LocalBoxFuture, select};
use tests::world::World;

/// No piece of work here makes so many calls.
const MOST_CALLS: usize = 80;

/// Lets `work` make `n` calls, has `happens` happen before the next one, and lets the rest pass. It
/// happens behind the last call where the work makes no more. Gives what came of the work, and
/// whether it was over before.
pub(super) async fn meanwhile<T>(
    world: &World,
    n: usize,
    mut work: LocalBoxFuture<'_, T>,
    mut happens: LocalBoxFuture<'_, ()>,
) -> (T, bool) {
    let mut gates = world.fuse.gates();
    let mut calls = 0;
    let own = loop {
        let next = match select(work.as_mut(), gates.next()).await {
            Either::Left((done, _)) => Err(done),
            Either::Right((gate, _)) => Ok(gate),
        };
        match next {
            Err(done) => {
                // Whoever drops the gates lets every later call through.
                drop(gates);
                happens.await;
                return (done, true);
            }
            Ok(gate) if calls == n => break gate,
            // A gate that is dropped opens.
            Ok(gate) => drop(gate),
        }
        calls += 1;
    };
    // The calls of what happens pass; the work's waits for its turn.
    while let Either::Right((gate, _)) = select(happens.as_mut(), gates.next()).await {
        drop(gate);
    }
    drop((own, gates));
    (work.await, false)
}

/// Tries something at each call in turn, until it says that there was no such call. Work of fewer
/// calls than `least` is not what was meant.
pub(super) async fn at_each_call(least: usize, mut tries: impl AsyncFnMut(usize) -> bool) {
    for n in 0..MOST_CALLS {
        if tries(n).await {
            assert!(n >= least, "it makes {n} calls");
            return;
        }
    }
    panic!("it makes more calls");
}
