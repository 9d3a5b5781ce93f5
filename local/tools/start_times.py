"""Measures the release binaries of the functions: size, and time from start to first poll.

Usage: start_times.py FOLDER [RUNS], FOLDER being target/lambda/x86_64 as `make build` leaves it.

Each binary is started against a Lambda runtime API of ours on loopback and ended as soon as it asks
for its first event. The configuration is what the binary itself says it misses. A hello-world
(`bench/hello`) is started before and after each, so that what the machine does besides meets both.
"""

import os
import re
import statistics
import subprocess
import sys
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread

POLL = "/2018-06-01/runtime/invocation/next"
# No function takes that long; one that does is broken.
PATIENCE_SECONDS = 30


class RuntimeApi(ThreadingHTTPServer):
    """Tells when a function polls, and never gives it an event."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.polls: Queue[float] = Queue()
        self.over = Event()
        Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == POLL:
            self.server.polls.put(time.perf_counter())
            self.server.over.wait()

    def log_message(self, *_):
        pass


def lambdas_own(binary: Path, api: RuntimeApi) -> dict[str, str]:
    """What Lambda gives every function."""
    return {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": binary.parent.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "RUST_LOG": "error",
    }


def environment(binary: Path, api: RuntimeApi) -> dict[str, str]:
    """What Lambda gives this one, and something for each variable that it says it misses."""
    base = lambdas_own(binary, api)
    told = subprocess.run([binary], env=base, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    missing = re.findall(r"([A-Z_]+) is not set", told.stdout + told.stderr)
    return base | {name: "http://127.0.0.1:9/" if "URL" in name else "none" for name in missing}


def start(binary: Path, env: dict[str, str], api: RuntimeApi) -> tuple[float, float]:
    """Milliseconds to the first poll, and the megabytes then resident."""
    begun = time.perf_counter()
    process = subprocess.Popen([binary], env=env, stdout=subprocess.DEVNULL)
    try:
        polled = api.polls.get(timeout=PATIENCE_SECONDS)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    finally:
        process.kill()
        process.wait()
    return 1000 * (polled - begun), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    folder, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    binaries = sorted(file for file in folder.glob("*/bootstrap") if file.parent.name != "hello")
    if not binaries:
        sys.exit(f"no function in {folder}: run `make build` first")
    api = RuntimeApi()
    hello = folder / "hello" / "bootstrap"
    print("| function | binary, MB | deflated, MB | start to first poll, ms: median (range) | of a hello-world's | resident, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for binary in binaries:
        env, env_of_hello = environment(binary, api), lambdas_own(hello, api)
        measured, beside = [], []
        for _ in range(runs):
            beside.append(start(hello, env_of_hello, api)[0])
            measured.append(start(binary, env, api))
        times, resident = [m[0] for m in measured], max(m[1] for m in measured)
        ratio = statistics.median(times) / statistics.median(beside)
        content = binary.read_bytes()
        print(
            f"| {binary.parent.name} | {len(content) / 1e6:.1f} | {len(zlib.compress(content)) / 1e6:.1f} "
            f"| {statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f}) | {ratio:.1f} | {resident:.0f} |",
            flush=True,
        )
    api.over.set()


main()
