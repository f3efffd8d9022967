"""Shared GPUs of Hugging Face Spaces; nothing at all elsewhere."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def on_shared_gpu() -> bool:
    """Whether this process runs on a Space that lends its GPU by the call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")


def gpu(duration: Callable[..., int]) -> Callable[[Function], Function]:
    """Mark a function that needs the GPU; ``duration`` tells from its arguments for how many seconds."""

    def mark(function: Function) -> Function:
        if not on_shared_gpu():
            return function
        import spaces

        return spaces.GPU(function, duration=duration)

    return mark
