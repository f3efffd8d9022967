"""``python -m demo``: the arguments of the app, and its start."""

import argparse

from demo.launch import launch
from leffa.errors import LeffaError


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="Leffa: try on clothes and change poses, and see why.")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (default: 7860 or the next free one)")
    parser.add_argument("--mcp", action="store_true", help="also serve the endpoints as tools for agents")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args()
    try:
        launch(host=options.host, port=options.port, mcp=options.mcp, open_browser=options.open)
    except LeffaError as error:
        parser.exit(2, f"leffa: {error}\n")


if __name__ == "__main__":
    main()
