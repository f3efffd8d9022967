"""One way to tell a person at the console how a run goes."""


def report(line: str) -> None:
    """Print a line at once, also into a pipe or a log file."""
    print(line, flush=True)  # noqa: T201
