"""What must not enter the repository is found; what is in it passes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
check_supply = pytest.importorskip("check_supply")


def test_the_repository_passes():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/check_supply.py"], capture_output=True, text=True, check=False
    )
    if "not a git repository" in done.stderr:
        pytest.skip("needs a checkout")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"token = 'hf_" + b"a" * 34 + b"'", "Hugging Face"),
        (b"-----BEGIN " + b"PRIVATE KEY-----", "private key"),
        (b"AKIA" + b"A" * 16, "AWS"),
        (b"https://user:" + b"secret1@example.org", "password"),
        (b"x" * 1_000_001, "at most"),
    ],
)
def test_secrets_and_large_files_are_found(content, said):
    assert said in check_supply.faults_of_file("leffa/x.py", content)[0]
    assert check_supply.faults_of_file("leffa/x.py", b"nothing") == []


def test_what_is_not_locked_is_found():
    lock = "tqdm==4.0 \\\n    --hash=sha256:00\nscipy==1.0\n"
    assert check_supply.faults_of_lock("tqdm==4.0 # why\ntorch==2.13.0\n", lock) == [
        "scipy==1.0 is locked without a hash"
    ]
    found = check_supply.faults_of_lock("tqdm==4.1\nnumpy\n", lock)
    assert any("tqdm==4.1 is not in" in one for one in found) and "numpy is not pinned" in found


def test_torchao_is_not_loaded_by_what_does_not_use_it():
    modules = "leffa.engine, leffa.model.pipeline, leffa.training.loop"
    code = f"import sys, {modules}; print('torchao' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"] and "torchao" not in done.stderr
