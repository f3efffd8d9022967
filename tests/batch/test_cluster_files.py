"""The files for Kubernetes and Slurm, as far as they can be tried without either."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from leffa import cli

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "docs/cluster"


def understood(command):
    """Options of a ``leffa`` command."""
    name, *arguments = command
    assert name == "leffa"
    return cli._parser().parse_args(arguments)


def test_kuberay_asks_for_what_the_command_takes():
    job = pytest.importorskip("yaml").safe_load((FILES / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    options = understood(shlex.split(job["spec"]["entrypoint"]))
    cluster = job["spec"]["rayClusterSpec"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "pyproject.toml").read_text()
    [group] = cluster["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == options.workers
    for part in (cluster["headGroupSpec"], group):
        spec = part["template"]["spec"]
        [container] = spec["containers"]
        places = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert all(any(str(name).startswith(f"{place}/") for place in places) for name in (
            options.manifest, options.out
        ))  # fmt: skip
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in spec["volumes"]
        }
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert float(container["resources"]["limits"]["nvidia.com/gpu"]) == options.worker_gpus


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_slurm_runs_the_command_on_all_nodes(tmp_path):
    """Stand-ins: ``scontrol`` lists nodes, ``srun`` runs what it is given, ``ray`` says its arguments."""
    stand_ins = {
        "scontrol": '[ "$*" = "show hostnames n[1-3]" ] && printf "n1\\nn2\\nn3\\n"',
        "srun": 'shift; exec "$@"',
        "ray": 'printf "%s\\n" "$@"',
    }
    for name, line in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    given = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_CPUS_PER_TASK": "8"}
    done = subprocess.run(
        ["bash", FILES / "slurm.sh", "/shop/my catalogue.csv", "/shop/out"],
        env={**os.environ, **given, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    said = done.stdout.splitlines()
    first, command = said[: said.index("--")], said[said.index("--") + 1 :]
    assert shlex.join(first) == "symmetric-run --address n1:6379 --min-nodes 3 --num-cpus 8 --num-gpus 1"
    options = understood(command)
    assert (options.manifest, options.out) == ("/shop/my catalogue.csv", Path("/shop/out"))
    assert (options.workers, options.worker_gpus, options.address) == (3, 1, "n1:6379")
    lines = (FILES / "slurm.sh").read_text().splitlines()
    asked = dict(
        line.removeprefix("#SBATCH --").split("=") for line in lines if "#SBATCH" in line and "=" in line
    )
    assert asked["ntasks-per-node"] == asked["gpus-per-node"] == "1"
