"""A discrete-event model of the queues: how long much work takes, and where it waits.

Usage: model.py PAGE. Reads measured.json (runs of one process, and what a connection asks of AWS) and template.yaml;
writes the tables and the chart of PAGE (docs/scale.md).

A run of a connection is a row of stages. A stage is so many messages of a queue, each of a service time; so many of one
connection are worked on at a time (one, where a lease or a chain orders them), and so many of all connections (the
queue's workers). A stage begins when the one before it ends, but a settlement follows the scores batch by batch.
"""

import heapq
import json
import re
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BEGIN, END = "<!-- modelled -->\n", "\n<!-- /modelled -->"
# A call of the table, a queue or the object store takes about that long, and eight of a step run beside each other.
SECONDS_PER_CALL, BESIDE = 0.005, 8
# From so much memory on, a function has a whole processor.
WHOLE_PROCESSOR_MB = 1769
# Records of a batch, and people of a shard.
BATCH, SHARD = 500, 1_100_000


@dataclass
class Stage:
    queue: str
    messages: int
    seconds: float
    at_once: int
    # Units of table capacity that a message writes.
    units: float = 0.0
    # It need not wait for the stage before, only for as many of its messages in proportion.
    follows: bool = False


@dataclass
class Run:
    name: str
    begins: float
    stages: list[Stage]
    sent: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    ended: float = 0.0


class World:
    """Queues with their workers, and runs that are under way."""

    def __init__(self, workers: dict[str, int], most: int = 10**9):
        self.workers, self.most, self.busy_all = workers, most, 0
        self.busy = dict.fromkeys(workers, 0)
        # Fair: one waiting message of each run and stage, in turn.
        self.waiting = {queue: deque() for queue in workers}
        self.events, self.order, self.now = [], 0, 0.0
        self.backlog, self.history, self.concurrency = 0, [], []
        self.units: dict[int, float] = {}
        self.peak = 0

    def at(self, time: float, what, *of) -> None:
        self.order += 1
        heapq.heappush(self.events, (time, self.order, what, of))

    def begin(self, run: Run) -> None:
        run.sent, run.done = [0] * len(run.stages), [0] * len(run.stages)
        self.backlog += sum(stage.messages for stage in run.stages)
        self.offer(run)

    def allowed(self, run: Run, n: int) -> int:
        """How many messages of a stage may have been sent so far."""
        stage = run.stages[n]
        if n == 0:
            return stage.messages
        before, done = run.stages[n - 1], run.done[n - 1]
        if stage.follows and n >= 1:
            return stage.messages * done // before.messages
        return stage.messages if done == before.messages else 0

    def offer(self, run: Run) -> None:
        for n, stage in enumerate(run.stages):
            room = min(self.allowed(run, n), run.done[n] + stage.at_once) - run.sent[n]
            for _ in range(room):
                run.sent[n] += 1
                self.waiting[stage.queue].append((run, n))
        self.work()

    def work(self) -> None:
        for queue, waiting in self.waiting.items():
            while waiting and self.busy[queue] < self.workers[queue] and self.busy_all < self.most:
                run, n = waiting.popleft()
                self.busy[queue] += 1
                self.busy_all += 1
                self.peak = max(self.peak, self.busy_all)
                self.at(self.now + run.stages[n].seconds, self.finish, run, n)

    def finish(self, run: Run, n: int) -> None:
        stage = run.stages[n]
        self.busy[stage.queue] -= 1
        self.busy_all -= 1
        self.backlog -= 1
        run.done[n] += 1
        minute = int(self.now // 60)
        self.units[minute] = self.units.get(minute, 0.0) + stage.units
        if all(done == stage.messages for done, stage in zip(run.done, run.stages)):
            run.ended = self.now
        self.offer(run)

    def go(self, runs: list[Run], look: float) -> float:
        for run in runs:
            self.at(run.begins, self.begin, run)
        next_look = 0.0
        while self.events:
            time, _, what, of = heapq.heappop(self.events)
            while next_look <= time:
                self.history.append((next_look, self.backlog, self.busy_all))
                next_look += look
            self.now = time
            what(*of)
        return max(run.ended for run in runs)


def memory(template: str) -> dict[str, int]:
    found = re.findall(r'FunctionName: !Sub "\$\{AWS::StackName\}-([a-z-]+)".*?MemorySize: (\d+)', template, re.S)
    return {name: int(size) for name, size in found}


class Costs:
    """What a message takes, by queue: as measured in one process, and as on AWS. What a row adds is the difference
    between the two smaller runs; the largest one is not looked at here."""

    FUNCTIONS = {"import": "bulk-import", "match": "match-shard", "auto_save": "auto-save"}

    def __init__(self, measured: dict):
        self.measured = measured
        self.small, self.base = measured["runs"][:2]
        self.memory = memory((ROOT / "template.yaml").read_text())

    def of(self, queue: str, what: str, rows: int) -> float:
        """Messages of a queue, or the seconds of all of them, at a number of rows."""
        small, base = (run["queues"][queue][what] for run in (self.small, self.base))
        return base + (base - small) * (rows - self.base["rows"]) / (self.base["rows"] - self.small["rows"])

    def messages(self, queue: str, rows: int) -> int:
        return max(1, round(self.of(queue, "messages", rows)))

    def here(self, queue: str, rows: int) -> float:
        return self.of(queue, "seconds", rows) / self.messages(queue, rows)

    def on_aws(self, queue: str, rows: int) -> float:
        """Its own time on the memory that it has, and its calls."""
        function = self.FUNCTIONS[queue]
        share = min(1.0, self.memory[function] / WHOLE_PROCESSOR_MB)
        asked = self.measured["asked"][function]
        calls = asked["calls"] / asked["messages"]
        # A message that is being worked on has a processor for this part of its time.
        own = self.here(queue, rows) * self.base["processor_seconds"] / self.base["all_seconds"]
        return own / share + calls * SECONDS_PER_CALL / BESIDE

    def units(self, queue: str) -> float:
        asked = self.measured["asked"][self.FUNCTIONS[queue]]
        return asked["units"] / asked["messages"]


def one_process(costs: Costs, rows: int) -> float:
    """Seconds from connect to saved in one process.

    An import waits for Salesforce as long as a small one takes. Two cores are shared with the simulator, so messages
    take longer than they would alone: by as much as in the middle run.
    """
    base = costs.base["queues"]
    after_import = costs.base["seconds"] - costs.base["imported"]
    stretch = after_import / max(base["match"]["seconds"], base["auto_save"]["seconds"])
    waits = Run("waits", 0.0, [Stage("salesforce", 1, costs.small["imported"], 1)])
    work = Run("work", 0.0, [Stage("import", costs.messages("import", rows), costs.here("import", rows) * stretch, 2)])
    world = World({"salesforce": 1, "import": 2})
    imported = world.go([waits, work], 60.0)
    stages = [
        Stage("match", costs.messages("match", rows), costs.here("match", rows) * stretch, 1),
        Stage("auto_save", costs.messages("auto_save", rows), costs.here("auto_save", rows) * stretch, 1, follows=True),
    ]
    return imported + World({"match": 1, "auto_save": 1}).go([Run("one", 0.0, stages)], 60.0)


def first_import(costs: Costs, rows: int, shards: int) -> list[Stage]:
    batches = max(1, rows // BATCH)
    # Half of the match queue's work is scoring, half settling.
    match = costs.of("match", "seconds", rows) / batches / 2 / costs.here("match", rows) * costs.on_aws("match", rows)
    save = costs.messages("auto_save", rows)
    return [
        # The objects are imported side by side, each page after page.
        Stage("import", costs.messages("import", rows), costs.on_aws("import", rows), 3, costs.units("import")),
        Stage("match", batches * shards, match, 1_000),
        # One settlement at a time works on a connection.
        Stage("match", batches, match, 1, costs.units("match"), follows=True),
        Stage("auto_save", save, costs.on_aws("auto_save", rows), 1_000, costs.units("auto_save")),
    ]


def rematch(costs: Costs, rows: int, shards: int) -> list[Stage]:
    """Everything against a version in which one in a hundred people changed: most lists stay as they are."""
    score, settle = first_import(costs, rows, shards)[1:3]
    settle.units = costs.measured["rematch_units_a_row"] * BATCH
    return [score, settle]


def scheduled(costs: Costs, changed: int) -> list[Stage]:
    # A run in which nothing changed takes some fifty steps.
    steps = 48 + costs.messages("import", changed) - costs.small["queues"]["import"]["messages"]
    matching = first_import(costs, changed, 1)[1:3]
    return [Stage("import", max(48, steps), costs.on_aws("import", changed), 11, 8.0), *matching]


def shown(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def scenario(name: str, runs: list[Run], workers: int, most: int, look: float):
    world = World(dict.fromkeys(("import", "match", "auto_save"), workers), most)
    ended = world.go(runs, look)
    longest = max(run.ended - run.begins for run in runs)
    peak_units = max(world.units.values(), default=0.0) / 60
    row = [
        name, str(workers), shown(ended), shown(longest), f"{max(b for _, b, _ in world.history):,}",
        f"{world.peak:,}", f"{peak_units:,.0f}",
    ]
    return row, world.history


def chart(series: list[tuple[str, list]], width: int = 720, height: int = 260) -> str:
    """The backlog of each scenario over its time, each scaled to its own largest."""
    colours = ["#0b6e99", "#b3541e", "#3f7d20", "#7a3b8f"]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 22 * len(series)}" role="img" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height + 22 * len(series)}" fill="#ffffff"/>',
        f'<path d="M50 {height - 30}H{width - 10}M50 {height - 30}V12" stroke="#444" fill="none"/>',
        f'<text x="{width - 10}" y="{height - 10}" text-anchor="end" fill="#222">time, to the end of each</text>',
        '<text x="54" y="20" fill="#222">messages that are left</text>',
    ]
    for n, (name, history) in enumerate(series):
        most = max(backlog for _, backlog, _ in history) or 1
        end = max(time for time, _, _ in history) or 1
        points = " ".join(
            f"{50 + (width - 60) * time / end:.1f},{height - 30 - (height - 60) * backlog / most:.1f}"
            for time, backlog, _ in history
        )
        colour = colours[n % len(colours)]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = height + 14 + 22 * n
        out.append(f'<rect x="50" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        out.append(f'<text x="72" y="{y}" fill="#222">{name}: at most {most:,}, ends after {shown(end)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    measured = json.loads((HERE / "measured.json").read_text())
    costs = Costs(measured)
    checked = []
    for run in measured["runs"]:
        modelled = one_process(costs, run["rows"])
        off = modelled / run["seconds"] - 1
        checked.append([f"{run['rows']:,} rows", f"{run['seconds']:.1f} s", f"{modelled:.1f} s", f"{off:+.0%}"])
        if abs(off) > 0.2:
            sys.exit(f"{run['rows']} rows: modelled {modelled:.1f} s, measured {run['seconds']:.1f} s")
    day = 12 * 3_600.0
    spread = [Run("t", n * day / 10_000, scheduled(costs, 1_000)) for n in range(10_000)]
    everybody = [Run("t", n * 0.05, rematch(costs, 100_000, 1)) for n in range(10_000)]
    large = [Run("t", 0.0, first_import(costs, 20_000_000, 1))]
    beside = [Run("large", 0.0, first_import(costs, 2_000_000, 1))]
    beside += [Run("t", 60.0 * n, scheduled(costs, 1_000)) for n in range(200)]
    shards = 100_000_000 // SHARD
    wide = [Run("t", 0.0, first_import(costs, 1_000_000, shards))]
    scenarios = [
        ("10,000 connections of 100,000 rows, 1 % changed, over 12 h", spread, 20, 1_000, 300.0),
        ("10,000 connections of 100,000 rows, all matched anew", everybody, 20, 1_000, 300.0),
        ("these 10,000 matched anew by 200 workers a queue", everybody, 200, 1_000, 60.0),
        ("one connection of 20 M rows, first import", large, 20, 1_000, 300.0),
        ("200 runs of the schedule beside a first import of 2 M rows", beside, 20, 1_000, 60.0),
        (f"1 M rows against 100 M people in {shards} shards", wide, 20, 1_000, 60.0),
        ("the same rows by 200 workers a queue", wide, 200, 1_000, 60.0),
    ]
    rows, series = [], []
    for name, runs, workers, most, look in scenarios:
        row, history = scenario(name, runs, workers, most, look)
        rows.append(row)
        series.append((name, history))
        print(" | ".join(row), flush=True)
    header = ["", "workers a queue", "ends after", "the longest run", "messages left, at most", "at work, at most", "write units a second, at most"]
    text = (
        "One process, measured and modelled:\n\n"
        + table(["", "measured", "modelled", "off by"], checked)
        + "\n\nOn AWS, modelled:\n\n"
        + table(header, rows)
    )
    before, rest = target.read_text().split(BEGIN)
    target.write_text(before + BEGIN + text + END + rest.split(END)[1])
    chosen = [series[n] for n in (1, 2, 3, 5)]
    (target.parent / "scale-backlog.svg").write_text(chart(chosen))


if __name__ == "__main__":
    main()
