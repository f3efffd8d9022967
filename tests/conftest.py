"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of photos and golden files that stands beside the checkout; skips where there is none."""
    root = Path(os.environ.get("LEFFA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not root.is_dir():
        pytest.skip("needs the shared folder beside the checkout (or LEFFA_SHARED)")
    return root
