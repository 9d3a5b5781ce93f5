"""Writes the software bill of materials: what the program is made of, in CycloneDX's JSON.

Every crate of Cargo.lock that some target of the workspace reaches, with its version, licence,
source and checksum, and who depends on whom. The same lock file gives the same bytes.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    own = package["source"] is None
    found = {
        "type": "application" if own else "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package.get("license"):
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def bill(metadata, lock):
    checksums = {
        (package["name"], package["version"]): package["checksum"]
        for package in lock["package"]
        if "checksum" in package
    }
    packages = {package["id"]: package for package in metadata["packages"]}
    # What only tests and builds need is in nobody's hands.
    edges = {}
    for node in metadata["resolve"]["nodes"]:
        normal = [
            dep["pkg"]
            for dep in node["deps"]
            if any(kind["kind"] in (None, "build") for kind in dep["dep_kinds"])
        ]
        edges[node["id"]] = normal
    shipped = [
        package["id"]
        for package in metadata["packages"]
        if package["source"] is None and "/functions/" in package["manifest_path"]
        or package["name"] == "crm-sync"
    ]
    reached, waiting = set(), list(shipped)
    while waiting:
        id_ = waiting.pop()
        if id_ not in reached:
            reached.add(id_)
            waiting.extend(edges[id_])
    order = sorted(reached, key=lambda id_: (packages[id_]["name"], packages[id_]["version"]))
    components = [component(packages[id_], checksums) for id_ in order]
    dependencies = [
        {"ref": purl(packages[id_]), "dependsOn": sorted({purl(packages[d]) for d in edges[id_]})}
        for id_ in order
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "crm-sync"}},
        "components": components,
        "dependencies": dependencies,
    }


def main(out):
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    lock = tomllib.loads(Path("Cargo.lock").read_text())
    made = bill(metadata, lock)
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).digest()
    made["serialNumber"] = f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"
    refs = {found["bom-ref"] for found in made["components"]}
    assert all(set(d["dependsOn"]) <= refs for d in made["dependencies"]), "a part is missing"
    unlicensed = [c["name"] for c in made["components"] if "licenses" not in c]
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps(made, indent=1) + "\n")
    print(f"{out}: {len(made['components'])} components, {len(unlicensed)} without a licence")


if __name__ == "__main__":
    main(sys.argv[1])
