"""Files for programs that ask over the network: written for one visitor, deleted with their session."""

import tempfile
from pathlib import Path

from PIL import Image

from demo.sessions import Session
from demo.uploads import home


def keep(session: Session, picture: Image.Image | bytes) -> str:
    """Write a picture, or a PNG file's content, to last as long as the session; returns its path."""
    home().mkdir(parents=True, exist_ok=True)
    file = Path(tempfile.mkdtemp(dir=home())) / "leffa.png"
    if isinstance(picture, bytes):
        file.write_bytes(picture)
    else:
        picture.save(file, "PNG")
    session.own(str(file))
    return str(file)
