"""Rehearse a Gradio Space of Hugging Face: its installation, its environment, both tasks through a client.

    python tools/rehearse_space.py --python python3.11 --folder rehearsal
    python tools/rehearse_space.py --quick      the plan, and whether the files it needs are here

The commands are those that the build log of a Space shows: the platform's packages, then ours in one call
with Gradio, its extras and ``spaces``. The app runs from a copy of what git holds, with a home in which
nothing can be written. Prints which packages differ from requirements.lock, then what came back.
"""

import argparse
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "assets" / "examples"
START_SECONDS = 180
HOST = "somebody-leffa.hf.space"
SPACE = f"""SYSTEM=spaces SPACE_ID=somebody/leffa SPACE_AUTHOR_NAME=somebody SPACE_REPO_NAME=leffa
SPACE_HOST={HOST} GRADIO_SERVER_NAME=0.0.0.0 GRADIO_NUM_PORTS=1 GRADIO_ALLOW_FLAGGING=never
GRADIO_THEME=huggingface CPU_CORES=2 MEMORY=16Gi TQDM_POSITION=-1 PYTHONUNBUFFERED=1"""
CALLS = """-U pip
datasets 'huggingface-hub>=0.30' 'hf-transfer>=0.1.4' 'protobuf<4' 'click<8.1'
-r requirements.txt 'gradio[oauth,mcp]=={version}' 'uvicorn>=0.14.0' 'websockets>=10.4' spaces"""
VISIT = """
import sys, time
from gradio_client import Client, handle_file
from PIL import Image
app = Client(sys.argv[1], verbose=False)
for name, first, second in (("/try_on", *sys.argv[2:4]), ("/pose_transfer", *sys.argv[4:6])):
    began = time.monotonic()
    result, _, _, details = app.predict(handle_file(first), handle_file(second), seed=7, api_name=name)
    print(name, Image.open(result).size, "seed", details["seed"], f"{time.monotonic() - began:.1f} s")
"""


def calls() -> list[str]:
    """What pip is asked for, call by call."""
    version = re.findall(r"(?m)^sdk_version: (\S+)$", (ROOT / "README.md").read_text())[0]
    return CALLS.format(version=version).splitlines()


def pictures() -> list[Path]:
    """Of the examples: the first try-on's person and garment, the first transfer's reference and pose."""
    rows = [line.split("\t") for line in (EXAMPLES / "pairs.tsv").read_text().splitlines()[1:]]
    try_on, pose = (next(row for row in rows if (row[0] == "pose") is is_pose) for is_pose in (False, True))
    return [EXAMPLES / name for name in (*try_on[1:3], *pose[1:3])]


def install(python: str, folder: Path) -> Path:
    """The interpreter of a new environment with everything in it."""
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    inside = folder / "venv" / "bin" / "python"
    for packages in calls():
        print("pip install", packages, flush=True)
        subprocess.run([inside, "-m", "pip", "install", "-q", *shlex.split(packages)], cwd=ROOT, check=True)
    subprocess.run([inside, "-m", "pip", "check"], check=False)  # a Space goes on all the same
    listed = subprocess.run(
        [inside, "-m", "pip", "list", "--format=json"], check=True, stdout=subprocess.PIPE
    )
    lock = re.findall(r"(?m)^([a-z0-9-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text())
    for package in json.loads(listed.stdout):
        name = re.sub(r"[._]+", "-", package["name"]).lower()
        tested = [version for locked, version in lock if locked == name]
        if tested and package["version"] not in tested:
            print(f"  {name} {package['version']}, tested with {' or '.join(tested)}")
    return inside


def serve_and_visit(python: Path, folder: Path) -> None:
    """Start the app as a Space does, run both tasks, stop it. Raises CalledProcessError where one fails."""
    app, home = folder / "app", folder / "home"
    subprocess.run(["git", "clone", "-q", ROOT, app], check=True)
    home.write_text("a file: nothing can be written below it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {"PATH": os.environ["PATH"], **dict(one.split("=", 1) for one in SPACE.split())}
    environment |= {"GRADIO_SERVER_PORT": address.rpartition(":")[2], "HOME": str(home)}
    with subprocess.Popen([python, "app.py"], cwd=app, env=environment) as served:
        try:
            wait_for(f"{address}/healthz", served)
            with urllib.request.urlopen(urllib.request.Request(address, headers={"Host": HOST})) as page:
                print(f"page as {HOST}: {page.status}", flush=True)
            subprocess.run([python, "-c", VISIT, address, *pictures()], env=environment, check=True)
        finally:
            served.terminate()
    print("stopped, exit status", served.returncode)


def wait_for(url: str, served: subprocess.Popen[bytes]) -> None:
    """Until the app answers. Raises SystemExit if it ends before, or takes too long."""
    until = time.monotonic() + START_SECONDS
    while served.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the app did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="which Python the environment is made with")
    parser.add_argument("--folder", type=Path, help="new folder for the environment and the copy of the app")
    parser.add_argument("--quick", action="store_true", help="only print the plan, and look for the files")
    options = parser.parse_args()
    if missing := [path for path in (*pictures(), ROOT / "requirements.lock") if not path.is_file()]:
        raise SystemExit(f"missing: {', '.join(map(str, missing))}")
    if options.quick:
        print("\n".join(f"pip install {packages}" for packages in calls()))
        print("then app.py, and through a client:", *(path.name for path in pictures()))
    elif options.folder is None:
        parser.error("give a --folder, or --quick")
    else:
        options.folder.mkdir(parents=True)
        serve_and_visit(install(options.python, options.folder.resolve()), options.folder.resolve())


if __name__ == "__main__":
    main()
