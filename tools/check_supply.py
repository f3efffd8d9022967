"""Fails on what must not enter the repository: a secret, a large file, a dependency that is not locked.

python tools/check_supply.py             everything that is in the repository
python tools/check_supply.py --quick     the lists of dependencies alone
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 1_000_000  # bytes
LARGE = {  # what is shipped, with its bound
    "checkpoints/": 30_000_000,
    "leffa/synthetic/body/body.npz": 5_000_000,
}
UNHASHED = {"torch"}  # one version, many builds: see tools/lock.sh
SECRETS = {
    "a private key": rb"-----BEGIN (?:RSA |EC |OPENSSH |DSA |PGP )?PRIVATE KEY",
    "a token of Hugging Face": rb"\bhf_[A-Za-z0-9]{30,}",
    "a token of GitHub": rb"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "a key of AWS": rb"\bAKIA[0-9A-Z]{16}\b",
    "a key of OpenAI or Anthropic": rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "a token of Slack": rb"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "a password in an address": rb"\b[a-z]{2,12}://[^\s/:@'\"{}<>]+:[^\s/:@'\"{}<>]{6,}@[a-z]",
}


def faults_of_file(name: str, content: bytes) -> list[str]:
    """What is wrong with one file of the repository."""
    most = next((bound for place, bound in LARGE.items() if name.startswith(place)), LARGEST)
    found = [f"{name} has {len(content):,} bytes: at most {most:,}"] if len(content) > most else []
    return found + [f"{name} holds {what}" for what, form in SECRETS.items() if re.search(form, content)]


def faults_of_lock(requirements: str, lock: str) -> list[str]:
    """What of the requirements is not locked, and what of the lock has no hash."""
    locked: dict[str, set[str]] = {}
    found = []
    for entry in re.split(r"\n(?=[a-z0-9])", lock):
        head = re.match(r"([a-z0-9._-]+)==([^\s;\\]+)", entry)
        if head:
            locked.setdefault(head[1], set()).add(head[2])
            if "--hash=sha256:" not in entry:
                found.append(f"{head[1]}=={head[2]} is locked without a hash")
    for line in requirements.splitlines():
        wanted = line.split("#")[0].split(";")[0].strip()
        if not wanted:
            continue
        name, separator, version = wanted.partition("==")
        name = re.sub(r"[._]", "-", name.split("[")[0]).lower()
        if not separator:
            found.append(f"{wanted} is not pinned")
        elif name not in UNHASHED and version not in locked.get(name, set()):
            found.append(f"{name}=={version} is not in requirements.lock: run tools/lock.sh")
    return found


def faults_of_extras(project: str) -> list[str]:
    """Optional packages without a version."""
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    return [f"{name} is not pinned" for name in re.findall(r'"([^"]+)"', extras) if "==" not in name]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the lists of dependencies alone")
    found = []
    if not parser.parse_args().quick:
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, names.decode().split("\0")):
            file = ROOT / name
            if file.is_file():
                found += faults_of_file(name, file.read_bytes())
    found += faults_of_lock((ROOT / "requirements.txt").read_text(), (ROOT / "requirements.lock").read_text())
    found += faults_of_extras((ROOT / "pyproject.toml").read_text())
    print("\n".join(found) or "nothing found")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
