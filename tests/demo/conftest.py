"""The running app for the tests of this folder."""

from serving import app, pictures, toy_model  # noqa: F401
