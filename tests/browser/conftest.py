"""The running app and a browser for the tests of this folder."""

from browsing import browser, visit  # noqa: F401
from serving import app, pictures, toy_model  # noqa: F401
