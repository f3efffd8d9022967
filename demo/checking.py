"""Where a host plugs in a content check: none by default.

A check is a function ``(role, picture) -> str | None``. It is given every picture before it is used, and
every result before it is shown; what it returns is the sentence with which the picture is refused, None lets
it pass.

role     person, garment, pose, mask or result
picture  RGB, PIL

It is named on the command line, ``--check package.module:function``, and may load whatever it likes. If it
fails, the picture is refused: a check that does not work must not be one that lets everything pass.
"""

import importlib
import logging
from collections.abc import Callable

from PIL import Image

from leffa.errors import LeffaError

Check = Callable[[str, Image.Image], str | None]
LOG = logging.getLogger("leffa.demo")
_CHECKS: list[Check] = []


def plug_in(named: str | None) -> None:
    """Take the check of this name, or none. Raises LeffaError if there is no such function."""
    _CHECKS.clear()
    if named is None:
        return
    module, _, function = named.partition(":")
    try:
        check = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise LeffaError(f"the content check {named!r} cannot be had: {error}") from None
    if not callable(check):
        raise LeffaError(f"the content check {named!r} is no function: give package.module:function")
    _CHECKS.append(check)


def check(role: str, picture: Image.Image) -> None:
    """Raises LeffaError with the check's sentence, or with ours if it fails."""
    for one in _CHECKS:
        try:
            refused = one(role, picture)
        except Exception:
            LOG.exception("the content check failed")
            raise LeffaError("this picture could not be checked, and is not used: try again later") from None
        if refused is not None:
            raise LeffaError(str(refused))
