"""``python -m demo``: the arguments of the app, and its start."""

import argparse

from demo.gate import Limits
from demo.launch import Options, launch, read_passwords
from leffa.errors import LeffaError


def main() -> None:
    """Read the arguments and serve."""
    parser = _parser()
    given = parser.parse_args()
    try:
        launch(
            Options(
                host=given.host,
                port=given.port,
                allowed_hosts=tuple(given.allow_host),
                auth=read_passwords(given.auth) if given.auth else None,
                root_path=given.root_path,
                proxies=tuple(given.trust_proxy),
                certificate=given.tls_cert,
                key=given.tls_key,
                check=given.check,
                mcp=given.mcp,
                open_browser=given.open,
                limits=Limits(given.most_in_line, given.most_each, seconds=given.longest_run),
            )
        )
    except LeffaError as error:
        parser.exit(2, f"leffa: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Leffa: try on clothes and change poses, and see why.")
    add = parser.add_argument
    add("--host", help="address to listen on (default: 127.0.0.1)")
    add("--port", type=int, help="port (default: 7860 or the next free one)")
    add("--mcp", action="store_true", help="also serve the endpoints as tools for agents")
    add("--open", action="store_true", help="open the page in a browser")
    limits, add = Limits(), parser.add_argument_group("where others reach it").add_argument
    known = (
        "a name the app is reached by, such as try.example.org or *.example.org; again for more (also "
        "LEFFA_HOSTS, with commas). localhost and addresses in figures always work, other names do not"
    )
    trusted = (
        "address or network of a proxy whose X-Forwarded-For says where visitors come from; again for more. "
        "Without it all visitors behind a proxy count as one"
    )
    add("--allow-host", metavar="NAME", action="append", default=[], help=known)
    add("--auth", metavar="FILE", help="ask for a password; the file has lines name:password")
    add("--root-path", metavar="PATH", help="sub-path that a proxy serves the app under")
    add("--trust-proxy", metavar="ADDRESS", action="append", default=[], help=trusted)
    add("--tls-cert", metavar="FILE", help="certificate, to serve over https")
    add("--tls-key", metavar="FILE", help="the certificate's key")
    add("--check", metavar="MODULE:FUNCTION", help="a check of every picture's content, see docs/misuse.md")
    in_line = "runs at most, waiting ones included"
    add("--most-in-line", type=int, default=limits.in_line, help=in_line)
    add("--most-each", type=int, default=limits.each, help="of these, for one visitor's address")
    may_paint = "a run may paint for"
    add("--longest-run", type=float, default=limits.seconds, metavar="SECONDS", help=may_paint)
    return parser


if __name__ == "__main__":
    main()
