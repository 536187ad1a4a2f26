"""Alerts reach a real mail server and a real webhook, once a day each, and never stop the work they speak of (D12-D14)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import date
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from linkage import settings
from linkage.custody.destruction.sweep import sweep
from linkage.custody.watch import alerts
from linkage.custody.watch.watchdog import watch_and_tell


class Post:
    """A mail server on loopback that keeps what it was given."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        self.letters.append(message_from_bytes(envelope.content))
        return "250 taken"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, told: Any) -> AuthResult:
        self.logins.append((told.login, told.password))
        return AuthResult(success=True)


class AnyPort(Controller):
    """A controller that takes a free port and says which."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Hook(BaseHTTPRequestHandler):
    """A webhook on loopback that keeps what was posted, and answers as told."""

    posted: list[dict[str, Any]]
    tokens: list[str | None]
    answers: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).posted.append(json.loads(body))
        type(self).tokens.append(self.headers["Authorization"])
        self.send_response(type(self).answers)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def post(doubled_house, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """Alerts go to a mail server."""
    taken = Post()
    server = AnyPort(taken, hostname="127.0.0.1", port=0, authenticator=taken.login, auth_require_tls=False)
    server.start()
    monkeypatch.setenv("LINKAGE_ALERT_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
    monkeypatch.setenv("LINKAGE_ALERT_EMAIL_TO", "governance@example.org, dpo@example.org")
    yield taken
    server.stop()


@pytest.fixture
def hook(doubled_house, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hook]]:
    """Alerts go to a webhook."""
    kept = type("Kept", (Hook,), {"posted": [], "tokens": [], "answers": 204})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kept)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("LINKAGE_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{server.server_port}/alerts")
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def _secrets(**told: str) -> None:
    folder = settings.load().secrets
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alerts.json").write_text(json.dumps(told))


def test_an_alert_goes_out_as_a_letter_that_says_what_and_where(post: Post) -> None:
    alerts.raise_alert("breach", "hld_1 is past its legal deadline", "hld_2 is past its legal deadline")
    [letter] = post.letters
    assert letter["Subject"] == "[linkage all] 2 alerts: breach (simulated clock)"
    assert letter["To"] == "governance@example.org, dpo@example.org"
    told = letter.get_payload()
    assert "2022-10-03 breach: hld_1 is past its legal deadline" in told
    assert "hld_2 is past its legal deadline" in told


def test_a_mail_server_that_asks_for_a_login_gets_it(post: Post) -> None:
    _secrets(smtp_user="linkage", smtp_password="a secret")
    alerts.raise_alert("breach", "hld_1 is past its legal deadline")
    assert post.logins == [(b"linkage", b"a secret")]
    assert len(post.letters) == 1


def test_an_alert_is_posted_as_json_with_its_token(hook: type[Hook]) -> None:
    _secrets(webhook_token="t0ken")
    alerts.raise_alert("silent_sweep", "no sweep has ever reported")
    [told] = hook.posted
    assert (told["site"], told["simulated"]) == ("all", True)
    [one] = told["alerts"]
    assert (one["kind"], one["sentence"]) == ("silent_sweep", "no sweep has ever reported")
    assert "no sweep has ever reported" in told["text"]
    assert hook.tokens == ["Bearer t0ken"]


def test_the_same_sentence_is_told_once_a_day(doubled_house, post: Post, hook: type[Hook]) -> None:
    for _ in range(3):
        alerts.raise_alert("breach", "hld_1 is past its legal deadline")
    assert (len(post.letters), len(hook.posted)) == (1, 1)
    alerts.raise_alert("breach", "hld_2 is past its legal deadline")
    assert len(post.letters) == 2
    doubled_house.at(date(2022, 10, 4), 0, 1)
    alerts.raise_alert("breach", "hld_1 is past its legal deadline")
    assert len(post.letters) == 3


def test_when_nothing_waits_nothing_is_sent(post: Post, hook: type[Hook], caplog: pytest.LogCaptureFixture) -> None:
    assert alerts.deliver()
    told = [record for record in caplog.records if record.name == "linkage.alerts"]  # not the mail server's own diary
    assert (post.letters, hook.posted, told) == ([], [], [])


def test_a_channel_that_is_down_is_tried_again_and_the_other_is_not_told_twice(
    doubled_house, post: Post, hook: type[Hook], caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = 503
    alerts.raise_alert("breach", "hld_1 is past its legal deadline")
    assert "could not be told by webhook" in caplog.text
    assert [one.sentence for one in alerts.waiting()] == ["hld_1 is past its legal deadline"]
    hook.answers = 204
    doubled_house.at(date(2022, 10, 5))
    alerts.raise_alert("breach", "hld_2 is past its legal deadline")
    assert [one["sentence"] for one in hook.posted[-1]["alerts"]] == [
        "hld_1 is past its legal deadline",
        "hld_2 is past its legal deadline",
    ]
    assert alerts.waiting() == []
    told = [letter.get_payload() for letter in post.letters]
    assert sum("hld_1" in one for one in told) == 1


def test_an_alert_that_nobody_takes_stops_no_sweep(
    doubled_house, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D7: destruction does not wait for a mail server."""
    monkeypatch.setenv("LINKAGE_ALERT_SMTP_URL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("LINKAGE_ALERT_EMAIL_TO", "governance@example.org")
    held = doubled_house.put()
    doubled_house.at(date(2022, 11, 2))
    report = sweep()
    assert report.breaches == [held.id]
    assert doubled_house.register.get(held.id).state == "destroyed"
    assert "could not be told by email" in caplog.text
    assert any(held.id in one.sentence for one in alerts.waiting())


def test_a_breach_that_the_sweep_finds_is_told(doubled_house, post: Post) -> None:
    held = doubled_house.put()
    doubled_house.at(date(2022, 11, 2))
    sweep()
    assert any("breach" in letter["Subject"] and held.id in letter.get_payload() for letter in post.letters)


def test_a_failed_destruction_is_told_when_the_sweep_ends(doubled_house, post: Post) -> None:
    """D7: an incident is an alert."""
    held = doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)
    doubled_house.world.deaf_to_deletion = True
    sweep()
    assert any("destruction_failed" in one.get_payload() and held.id in one.get_payload() for one in post.letters)


def test_the_watchdog_tells_what_it_finds_and_delivers_what_waited(doubled_house, hook: type[Hook]) -> None:
    """D13."""
    hook.answers = 500
    watch_and_tell()
    hook.answers = 204
    sweep()
    watch_and_tell()
    assert alerts.waiting() == []
    assert {one["kind"] for one in hook.posted[-1]["alerts"]} == {"silent_sweep"}


def test_an_unreachable_register_is_an_alert_too(
    doubled_house, hook: type[Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D13: alerts are kept as files, for the register may be what is down."""
    from linkage.errors import DependencyUnreachable

    monkeypatch.setenv("LINKAGE_REGISTER_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with pytest.raises(DependencyUnreachable):
        watch_and_tell()
    assert hook.posted[-1]["alerts"][0]["kind"] == "unreachable"


def test_a_folder_that_cannot_be_written_keeps_nobody_from_being_told(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("LINKAGE_ALERTS_DIR", str(tmp_path / "a-file" / "alerts"))
    alerts.raise_alert("breach", "hld_1 is past its legal deadline")
    assert len(post.letters) == 1


def test_an_alert_holds_no_national_insurance_number(
    post: Post, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """D10: an alert outlives the data; whoever calls for one may have been given a value by a library."""
    with caplog.at_level(logging.INFO):
        alerts.raise_alert("breach", "something about AB 12 34 56 C")
    kept = " ".join(file.read_text() for file in settings.load().alerts.glob("*.json"))
    for told in (caplog.text, kept, post.letters[0].as_string()):
        assert "12 34 56" not in told
    assert "withheld" in post.letters[0].get_payload()


def test_what_everybody_took_is_forgotten_after_a_day(doubled_house, post: Post) -> None:
    for day in (3, 4, 5):
        doubled_house.at(date(2022, 10, day))
        alerts.raise_alert("breach", f"hld_{day} is past its legal deadline")
    kept = sorted(file.name[:10] for file in settings.load().alerts.glob("*.json"))
    assert kept == ["2022-10-04", "2022-10-05"]


def test_the_watchdog_tells_what_another_machine_noted_and_nobody_twice(
    doubled_house, hook: type[Hook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D14: the sweep's own machine has no way out; the register brings its incidents to the watchdog's."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("LINKAGE_ALERT_WEBHOOK_URL", "")
        elsewhere.setenv("LINKAGE_ALERTS_DIR", str(tmp_path / "elsewhere"))
        doubled_house.register.incident("unowned_object", "dwp-vault/x", "found by the reconciliation")
    sweep()
    watch_and_tell()
    doubled_house.at(date(2022, 10, 4), 8)
    sweep()
    watch_and_tell()
    told = [one["sentence"] for body in hook.posted for one in body["alerts"]]
    assert told == ["dwp-vault/x: found by the reconciliation"]


def test_many_alerts_are_one_letter(post: Post) -> None:
    alerts.raise_alert("breach", *(f"hld_{number} is past its legal deadline" for number in range(250)))
    [letter] = post.letters
    assert "250 alerts" in letter["Subject"]
    assert "and 150 more" in letter.get_payload()
