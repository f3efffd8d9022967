"""Visitors are kept apart and forgotten; the line is fair; texts are complete."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from demo.painting import Speed
from demo.queue import BusyError, Queue
from demo.sessions import Session, Sessions, address_of
from demo.slots import Picked
from demo.texts import TEXTS, doing, preferred, problem, say
from leffa.errors import LeffaError, PersonError


def test_an_ended_session_leaves_no_file_and_stops_its_run(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    sessions = Sessions()
    one, other = sessions.of("one"), sessions.of("other")
    assert one is sessions.of("one") and one is not other
    file = tmp_path / "folder" / "photo.png"
    file.parent.mkdir()
    file.write_bytes(b"photo")
    one.own(str(file))
    stop = one.stops["try_on"] = threading.Event()
    sessions.end("one")
    assert stop.is_set() and not file.parent.exists()
    assert sessions.of("one") is not one and sessions.of("other") is other


def test_what_was_found_in_pictures_ends_with_the_visit():
    sessions = Sessions()
    findings = sessions.of("one").findings
    assert findings is not sessions.of("other").findings
    findings.remember("photo", lambda: np.zeros(1000))
    assert findings.bytes
    sessions.end("one")
    findings.remember("late", lambda: np.zeros(1000))  # by a run that was not stopped yet
    assert findings.bytes == 0


def test_of_too_many_findings_those_of_who_is_away_longest_go():
    sessions = Sessions(most_bytes=400_000)
    early, late = sessions.of("early"), sessions.of("late")
    for session in (early, late):
        session.findings.remember("photo", lambda: np.zeros(60_000, np.uint8))
    sessions.of("early")
    assert early.findings.bytes and not late.findings.bytes and not late.has_ended


def test_idle_and_surplus_sessions_end():
    sessions = Sessions(most=2)
    first = sessions.of("1")
    sessions.of("2"), sessions.of("3")
    assert len(sessions) == 2 and sessions.of("1") is not first
    idle = Sessions()
    before = idle.of("a", idle_seconds=0)
    time.sleep(0.01)
    idle.of("b")
    assert idle.of("a") is not before


def brought(sessions: Sessions, key: str, address: str, picture: Image.Image) -> Session:
    session = sessions.of(key, address=address)
    session.slots("try_on").pictures["photo"] = Picked(picture.copy(), key, key)
    return session


def test_one_address_cannot_drive_out_the_visitors_of_others():
    sessions, photo = Sessions(most=8), Image.new("RGB", (8, 8))
    early = brought(sessions, "early", "192.0.2.1", photo)
    stop = early.stops["try_on"] = threading.Event()
    waiting = sessions.of("waiting", address="192.0.2.2")  # holds nothing yet
    for number in range(300):
        brought(sessions, f"invented {number}", "192.0.2.66", photo)
    assert len(sessions) == 8 and not stop.is_set()
    assert sessions.of("early") is early and sessions.of("waiting") is waiting
    assert sessions.of("invented 299").slots("try_on").pictures  # of their own the latest stay


def test_of_one_address_those_with_nothing_end_first():
    sessions = Sessions(most=3)
    early = brought(sessions, "early", "192.0.2.1", Image.new("RGB", (8, 8)))
    for number in range(9):
        newest = sessions.of(f"invented {number}", address="192.0.2.1")
        assert not newest.has_ended
    assert sessions.of("early") is early and len(sessions) == 3


def test_one_address_cannot_use_up_the_budget_of_others():
    sessions, photo = Sessions(most_bytes=3_000_000), Image.new("RGB", (500, 400))  # 0.6 MB
    early = brought(sessions, "early", "192.0.2.1", photo)
    for number in range(9):
        brought(sessions, f"invented {number}", "192.0.2.66", photo)
    large = brought(sessions, "large", "192.0.2.67", Image.new("RGB", (1000, 900)))  # 2.7 MB
    sessions.end_idle()
    assert sessions.of("early") is early and large.has_ended


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:7:1::1", "2001:db8:0:7::/64"),
        ("2001:db8:0:7:ffff::2", "2001:db8:0:7::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_an_address_is_a_household(host, address):
    assert address_of(SimpleNamespace(client=SimpleNamespace(host=host))) == address
    assert address_of(None) == "" and address_of(SimpleNamespace(client=None)) == ""


def test_open_pages_keep_within_their_budget():
    sessions = Sessions(most_bytes=3_000_000)
    photo = Image.new("RGB", (1000, 800))  # 2.4 MB
    for name in "abc":
        sessions.of(name).slots("try_on").pictures["photo"] = Picked(photo.copy(), name, name)
    sessions.end_idle()
    assert len(sessions) == 1 and sessions.of("c").slots("try_on").pictures


def test_only_so_many_wait_in_line():
    line, leave = Queue(), threading.Event()

    def visit(visitor):
        with line.turn(leave, lambda ahead: None, visitor, most=3, most_each=2):
            leave.wait(5)

    threads = [threading.Thread(target=visit, args=("ann",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(line) < 2:
        time.sleep(0.005)
    with pytest.raises(BusyError, match="you have 2 runs"), line.turn(leave, print, "ann", 3, 2):
        pass
    threads.append(threading.Thread(target=visit, args=("bob",)))
    threads[-1].start()
    while len(line) < 3:
        time.sleep(0.005)
    with pytest.raises(BusyError, match="busy: 3 runs"), line.turn(leave, print, "cid", 3, 2):
        pass
    leave.set()
    for thread in threads:
        thread.join(5)
    assert len(line) == 0


def test_the_line_serves_in_order_and_tells_how_many_are_before():
    line, served, told = Queue(), [], []
    first_in, leave = threading.Event(), threading.Event()

    def visit(name, wait):
        with line.turn(threading.Event(), told.append) as may_go:
            assert may_go
            served.append(name)
            first_in.set()
            if wait:
                leave.wait(5)

    threads = [threading.Thread(target=visit, args=("first", True))]
    threads[0].start()
    assert first_in.wait(5)
    for name in ("second", "third"):
        threads.append(threading.Thread(target=visit, args=(name, False)))
        threads[-1].start()
        while len(line) < len(threads):
            time.sleep(0.005)
    leave.set()
    for thread in threads:
        thread.join(5)
    assert served == ["first", "second", "third"]
    assert told[:2] == [1, 2] and len(line) == 0


def test_whoever_gives_up_leaves_the_line():
    line, stop = Queue(), threading.Event()
    with line.turn(threading.Event(), print):
        stop.set()
        with line.turn(stop, print) as may_go:
            assert not may_go
        assert len(line) == 1


def test_the_speed_of_the_machine_is_learnt():
    speed = Speed()
    speed.learn(10, 11.5)
    assert speed.seconds(20) == pytest.approx(21.5)
    speed.learn(10, 21.5)
    assert 21.5 < speed.seconds(20) < 41.5


def test_every_text_is_there_in_both_languages_with_the_same_places():
    import string

    for key, (english, chinese) in TEXTS.items():
        assert bool(english) == bool(chinese), key
        places = [
            {name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)
        ]
        assert places[0] == places[1] or key.startswith("error_"), key


def test_the_language_follows_the_browser_and_errors_are_sentences():
    assert preferred("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred("fr-FR,en;q=0.5") == "en" and preferred(None) == "en"
    assert doing("zh", "painting, step 3 of 12") == say("zh", "what_painting", step=3, steps=12)
    assert problem("en", LeffaError("no such thing")) == "No such thing."
    assert problem("zh", PersonError("nobody there")) == TEXTS["error_PersonError"][1]
