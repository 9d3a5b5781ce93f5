"""Holds release packages to what `provided.al2023` runs: their processor, and the symbols of glibc.

Usage: packages.py FOLDER ARCH, FOLDER holding NAME/bootstrap as `make packages` leaves it and ARCH
being x86_64 or arm64. Prints a table; fails when one function is for another processor, needs a
newer glibc than Amazon Linux 2023 has, or is too large.

A binary names the versions of glibc's symbols that it needs. Which they are depends on the machine
that linked it: what is linked on a newer Linux does not start on an older one.
"""

import struct
import sys
import zlib
from pathlib import Path

# Amazon Linux 2023 has glibc 2.34 for as long as it lives.
NEWEST_GLIBC = (2, 34)
# Larger ones start late, and forty of them fill what an account may keep.
LARGEST_MEGABYTES = 8.0
# The machine's number in an ELF file.
MACHINES = {"x86_64": 62, "arm64": 183}

DYNAMIC_STRINGS, VERSION_NEEDS = 3, 0x6FFFFFFE


class NotAnElf(Exception):
    """The file is no 64-bit little-endian ELF file."""


class Elf:
    """What a 64-bit ELF file says of the machine and of the symbols that it needs."""

    def __init__(self, content: bytes):
        if content[:6] != b"\x7fELF\x02\x01":
            raise NotAnElf
        self.content = content
        (self.machine,) = struct.unpack_from("<H", content, 18)
        (table,) = struct.unpack_from("<Q", content, 40)
        size, count = struct.unpack_from("<HH", content, 58)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", content, table + n * size) for n in range(count)]

    def text(self, section: int, offset: int) -> str:
        begin = self.sections[section][4] + offset
        return self.content[begin : self.content.index(b"\0", begin)].decode()

    def needed_versions(self) -> set[str]:
        """The versions that it needs of its libraries' symbols, such as GLIBC_2.34."""
        versions = set()
        for _, kind, _, _, offset, _, strings, count, _, _ in self.sections:
            if kind != VERSION_NEEDS:
                continue
            for _ in range(count):
                _, auxiliaries, _, first, after = struct.unpack_from("<HHIII", self.content, offset)
                at = offset + first
                for _ in range(auxiliaries):
                    _, _, _, name, step = struct.unpack_from("<IHHII", self.content, at)
                    versions.add(self.text(strings, name))
                    at += step
                offset += after
        return versions


def glibc(versions: set[str]) -> tuple[int, ...]:
    """The newest glibc among needed versions; nothing when none is needed."""
    numbers = (version.removeprefix("GLIBC_") for version in versions if version.startswith("GLIBC_"))
    return max((tuple(map(int, n.split("."))) for n in numbers if n[0].isdigit()), default=())


def faults(content: bytes, arch: str) -> tuple[tuple[int, ...], float, list[str]]:
    """The glibc that a binary needs, its deflated megabytes, and why it will not do."""
    megabytes = len(zlib.compress(content, 9)) / 1e6
    try:
        elf = Elf(content)
    except NotAnElf:
        return (), megabytes, ["is no 64-bit binary"]
    newest, found = glibc(elf.needed_versions()), []
    if elf.machine != MACHINES[arch]:
        found.append(f"is for another processor than {arch}")
    if newest > NEWEST_GLIBC:
        found.append("needs glibc " + ".".join(map(str, newest)))
    if megabytes > LARGEST_MEGABYTES:
        found.append(f"is larger than {LARGEST_MEGABYTES} MB")
    return newest, megabytes, found


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[2] not in MACHINES:
        sys.exit(__doc__)
    folder, arch = Path(sys.argv[1]), sys.argv[2]
    # The hello-world of `make start-times` is nobody's function.
    binaries = sorted(file for file in folder.glob("*/bootstrap") if file.parent.name != "hello")
    if not binaries:
        sys.exit(f"no function in {folder}: run `make packages` first")
    print("| function | processor | newest glibc | binary, MB | deflated, MB |")
    print("|---|---|---:|---:|---:|")
    bad = []
    for binary in binaries:
        content, name = binary.read_bytes(), binary.parent.name
        newest, megabytes, found = faults(content, arch)
        needs = ".".join(map(str, newest)) or "none"
        print(f"| {name} | {arch} | {needs} | {len(content) / 1e6:.1f} | {megabytes:.1f} |", flush=True)
        bad += [f"{name} {fault}" for fault in found]
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
