"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data that may not be part of the repository; tests of it are skipped where it is absent."""
    root = Path(os.environ.get("LEFFA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not root.is_dir():
        pytest.skip("the reference data in ../shared are not here")
    return root
