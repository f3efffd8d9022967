"""Asks the app over plain HTTP, as somebody does who does not keep to the client."""

import json
import secrets
from functools import cache
from typing import Any

import httpx

PATIENCE = 120.0  # s: a busy machine of two cores
META = {"_type": "gradio.FileData"}


def upload(address: str, content: bytes, name: str = "picture.png") -> str:
    """The path that the app gives an upload."""
    answer = httpx.post(f"{address}/gradio_api/upload", files={"files": (name, content)}, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()[0]


def ask(
    address: str, endpoint: str | int, data: list[Any], session: str | None = None, **more: Any
) -> tuple[bool, Any]:
    """Whether an endpoint, by name or by its number, succeeded, and what it gave or said."""
    session = session or secrets.token_hex(8)
    number = endpoint if isinstance(endpoint, int) else number_of(address, endpoint)
    body = {"fn_index": number, "data": data, "session_hash": session, **more}
    joined = httpx.post(f"{address}/gradio_api/queue/join", json=body, timeout=PATIENCE)
    if joined.status_code != 200:
        assert joined.status_code < 500, joined.text
        return False, joined.json()["detail"]
    with httpx.stream(
        "GET", f"{address}/gradio_api/queue/data", params={"session_hash": session}, timeout=PATIENCE
    ) as stream:
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            message = json.loads(line[5:])
            if message["msg"] == "process_completed":
                output = message["output"]
                return message["success"], output["data"] if message["success"] else output["error"]
            if message["msg"] == "unexpected_error":
                return False, message["message"]
    raise AssertionError("the stream ended without an answer")


@cache
def number_of(address: str, name: str) -> int:
    """The number by which the page knows a named endpoint."""
    config = httpx.get(f"{address}/config", timeout=PATIENCE).json()
    return next(one["id"] for one in config["dependencies"] if one["api_name"] == name)
