"""Files for programs that ask over the network: written for one visitor, deleted with their session."""

import logging
import tempfile
from pathlib import Path

from PIL import Image

from demo.sessions import Session
from demo.uploads import home
from leffa.errors import LeffaError

LOG = logging.getLogger("leffa.demo")


def keep(session: Session, picture: Image.Image | bytes) -> str:
    """Write a picture, or a PNG file's content, to last as long as the session; returns its path.

    Raises LeffaError if the disk has no room for it.
    """
    try:
        home().mkdir(parents=True, exist_ok=True)
        file = Path(tempfile.mkdtemp(dir=home())) / "leffa.png"
        if isinstance(picture, bytes):
            file.write_bytes(picture)
        else:
            picture.save(file, "PNG")
    except OSError:
        LOG.warning("a result could not be written: the disk has no room, or is not to be written to")
        raise LeffaError("there is no room for the result now: try again in some minutes") from None
    session.own(str(file))
    return str(file)
