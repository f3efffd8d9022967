"""Starts the app. Hugging Face Spaces run this file as it is; at home ``make app`` does."""

from demo.__main__ import main

if __name__ == "__main__":
    main()
