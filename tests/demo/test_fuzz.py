"""Every named endpoint with values of every kind, by each of the routes on which it can be asked."""

import random
import time

import httpx
import pytest
from asking import META, PATIENCE, ask, upload

from demo.mask_choices import HEMS, KINDS, PROTECTED, SLEEVES

LEAST = 40  # requests, however slow the machine is
KNOWN = (*KINDS, *SLEEVES, *HEMS, *PROTECTED, "result", "reference", "try_on", "pose_transfer")


def values(dice: random.Random, files: list[str]) -> object:
    """A value that an endpoint might or might not expect."""
    file = {"path": dice.choice(files), "meta": META}
    return dice.choice(
        [
            lambda: file,
            lambda: file,
            lambda: {**file, "path": dice.choice(["/etc/passwd", "", "x" * 5000, "http://127.0.0.1/"])},
            lambda: {**file, "path": dice.choice([None, 7, [], {}])},
            lambda: {**file, "url": "http://127.0.0.1:1/", "meta": dice.choice([{}, None, META, 3])},
            lambda: dice.choice(KNOWN),
            lambda: dice.choice(KNOWN),
            lambda: [dice.choice(KNOWN) for _ in range(dice.randrange(4))],
            lambda: None,
            lambda: dice.choice([True, False]),
            lambda: dice.choice([0, 1, -1, 4, 5, 7, 200, 201, 2**31, 2**32, -(2**63), 10**30]),
            lambda: dice.choice([0.0, 0.5, 1.0, 2.5, -0.1, 1e308, 1e-300, 3.999999]),
            lambda: dice.choice(["", " ", "0", "nan", "\0", "ü" * 50, "<script>", "../" * 9, "a" * 100_000]),
            lambda: dice.choice([[], {}, [[]], [None], {"a": {"b": []}}, [1] * 1000]),
        ]
    )()


def fuzz(address: str, files: list[str], seconds: float, seed: int) -> tuple[int, int]:
    """Ask until the time is up; returns how often, and how often something came of it."""
    dice = random.Random(seed)
    info = httpx.get(f"{address}/gradio_api/info", timeout=PATIENCE).json()["named_endpoints"]
    config = httpx.get(f"{address}/config", timeout=PATIENCE).json()
    numbers = {one["api_name"]: one["id"] for one in config["dependencies"] if one["api_name"]}
    until, asked, succeeded = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until or asked < LEAST:
        name = dice.choice(list(info)).strip("/")
        wanted = info[f"/{name}"]["parameters"]
        data = [values(dice, files) for _ in wanted]
        if dice.random() < 0.5:  # sound but for one, so that what lies behind the first check is reached
            data = [one.get("parameter_default") for one in wanted]
            for place, one in enumerate(wanted):
                if one["component"] == "Image":
                    data[place] = {"path": dice.choice(files), "meta": META}
                if one["parameter_name"] == "steps":
                    data[place] = 4
            if data:
                data[dice.randrange(len(data))] = values(dice, files)
        if dice.random() < 0.1:
            data = data[: dice.randrange(len(data) + 1)]
        done, answer = ask(address, numbers[name], data, f"fuzz-{dice.randrange(3)}")
        asked, succeeded = asked + 1, succeeded + done
        if not done:
            assert isinstance(answer, str) and "went wrong" not in answer, (name, data, answer)
            assert "\n" not in answer.strip() and len(answer) < 500, (name, answer[:500])
        for body in ({"data": data}, {"data": data, "fn_index": dice.choice([-1, 10**9, "x", None])}):
            route = dice.choice(["call", "run"])
            direct = httpx.post(f"{address}/gradio_api/{route}/{name}", json=body, timeout=PATIENCE)
            assert direct.status_code < 500, (route, name, data, direct.text)
    return asked, succeeded


def check(address, pictures, seconds, capfd) -> None:
    address = address.rstrip("/")
    brought = pictures.person, pictures.garment, pictures.broken
    files = [upload(address, one.read_bytes()) for one in brought]
    asked, succeeded = fuzz(address, files, seconds, 1)
    told = capfd.readouterr()
    assert "Traceback" not in told.err + told.out
    assert succeeded
    print(f"{asked} requests in {seconds:.0f} s, {succeeded} of them sound; each answered in a sentence")


def test_endpoints_bear_a_little_of_everything(app, pictures, capfd):
    check(app, pictures, 15, capfd)


def test_a_forged_page_learns_nothing(app, pictures):
    """The page's own events, which have no names, with values that no page sends."""
    address, dice = app.rstrip("/"), random.Random(2)
    files = [upload(address, pictures.person.read_bytes())]
    config = httpx.get(f"{address}/config", timeout=PATIENCE).json()
    quick = [one for one in config["dependencies"] if not one["types"]["generator"] and one["backend_fn"]]
    for event in dice.sample(quick, 40):
        data = [values(dice, files) for _ in event["inputs"]]
        told = dice.choice([None, {}, {"name": "../../etc/passwd"}, {"strokes": [[]]}, {"person": "first"}])
        body = {"data": data, "session_hash": "forged", "fn_index": event["id"], "event_data": told}
        if event["queue"] is False:
            answer = httpx.post(f"{address}/gradio_api/run/predict", json=body, timeout=PATIENCE)
            assert answer.status_code < 500
            said = answer.text
        else:
            said = str(ask(address, event["id"], data, "forged", event_data=told)[1])
        assert "Traceback" not in said and "site-packages" not in said and str(files[0]) not in said[:200]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_endpoints_bear_ten_minutes_of_everything(app, pictures, capfd):
    check(app, pictures, 600, capfd)
