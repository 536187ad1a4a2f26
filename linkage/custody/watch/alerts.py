"""Alerts: plain sentences to the people in charge, by log, e-mail and webhook, kept until each channel took them (D12-D14).

An alert never stops the work it speaks of: what cannot be delivered is logged and tried again with the next one. The
same sentence is told once a London day. Alerts name holdings, stores and rules, never a value (D10). They are kept as
files and not in the register, because the register being down is itself worth an alert.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import smtplib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from linkage import clock, settings
from linkage.custody.evidence.batch_level import holds_nino

_log = logging.getLogger("linkage.alerts")
_SECONDS = 10
_MOST = 100


@dataclass(frozen=True, slots=True)
class Alert:
    """One sentence of one London day; `told_by` are the channels that took it."""

    day: str
    kind: str
    sentence: str
    at: str
    site: str
    simulated: bool
    told_by: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its file: the same sentence on the same day is the same file."""
        digest = hashlib.sha256(f"{self.kind}\n{self.sentence}".encode()).hexdigest()[:24]
        return f"{self.day}.{self.kind}.{digest}.json"


Channel = Callable[[Sequence[Alert]], None]


def raise_alert(kind: str, *sentences: str) -> None:
    """Tell the people in charge now; `kind` is a short word such as `breach`. Never raises."""
    homeless = keep(kind, *sentences)
    deliver()
    if homeless:
        for channel, send in _channels().items():
            _sent(channel, send, homeless)


def keep(kind: str, *sentences: str, at: datetime | None = None) -> list[Alert]:
    """Log sentences and keep them for the next delivery, each once a London day. Never raises.

    `at` is when it happened, if not now. Returns those that could not be kept, because the alerts' folder cannot be
    written.
    """
    homeless = []
    for sentence in sentences:
        alert = _alert(kind, sentence, at or clock.now())
        try:
            fresh = _remember(alert)
        except OSError:
            homeless.append(alert)
            fresh = True
        if fresh:
            _log.error("ALERT (%s) %s", alert.kind, alert.sentence)
    return homeless


def deliver() -> bool:
    """Send what waits, all of it in one message for each channel; whether nothing waits any more. Never raises."""
    try:
        with _alone():
            return _deliver(list(_waiting()), _channels())
    except Exception as error:  # noqa: BLE001  (the sweep goes on, whatever became of the folder of alerts)
        _log.warning("alerts cannot be delivered (%s); they are tried again with the next", type(error).__name__)
        return False


def waiting() -> list[Alert]:
    """The alerts that some channel has not taken yet, oldest first."""
    channels = _channels()
    return [alert for alert in _kept() if not set(channels) <= set(alert.told_by)]


def _alert(kind: str, sentence: str, at: datetime) -> Alert:
    if holds_nino(sentence):
        sentence = "An alert was withheld: its text held something like a National Insurance number (D10)."
    day = at.astimezone(clock.LONDON).date().isoformat()
    return Alert(day, kind, sentence, at.isoformat(), settings.load().site, clock.is_simulated())


def _remember(alert: Alert) -> bool:
    """Write the alert unless it is there; whether it is new. A half-written file never bears an alert's name."""
    folder = settings.load().alerts
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f".{alert.name}.{os.getpid()}"
    part.write_text(json.dumps(asdict(alert)))
    try:
        os.link(part, folder / alert.name)
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True


def _kept() -> Iterator[Alert]:
    for file in sorted(settings.load().alerts.glob("*.json")):
        told = json.loads(file.read_text())
        yield Alert(**{**told, "told_by": tuple(told["told_by"])})


def _waiting() -> Iterator[Alert]:
    """What some channel has yet to take. What everybody took and is older than yesterday is forgotten on the way."""
    channels, yesterday = set(_channels()), (clock.today() - timedelta(days=1)).isoformat()
    for alert in _kept():
        if not channels <= set(alert.told_by):
            yield alert
        elif alert.day < yesterday:
            (settings.load().alerts / alert.name).unlink(missing_ok=True)


def _deliver(alerts: Sequence[Alert], channels: dict[str, Channel]) -> bool:
    done = True
    for channel, send in channels.items():
        fresh = [alert for alert in alerts if channel not in alert.told_by]
        if fresh and _sent(channel, send, fresh):
            alerts = [_told(alert, channel) if alert in fresh else alert for alert in alerts]
        elif fresh:
            done = False
    return done


def _sent(channel: str, send: Channel, alerts: Sequence[Alert]) -> bool:
    try:
        send(alerts)
    except Exception as error:  # noqa: BLE001  (whatever a mail server or a proxy does, the sweep goes on)
        _log.warning("%d alerts could not be told by %s (%s)", len(alerts), channel, type(error).__name__)
        return False
    return True


def _told(alert: Alert, channel: str) -> Alert:
    taken = replace(alert, told_by=(*alert.told_by, channel))
    file = settings.load().alerts / alert.name
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(asdict(taken)))
    part.replace(file)
    return taken


@contextmanager
def _alone() -> Iterator[None]:
    """One delivery at a time, so that nobody is told twice by two processes."""
    folder = settings.load().alerts
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _channels() -> dict[str, Channel]:
    """The channels that the settings name; the log is always one, and needs no delivery."""
    conf = settings.load()
    found: dict[str, Channel] = {}
    if conf.alert_smtp_url and conf.alert_email_to:
        found["email"] = _email
    if conf.alert_webhook_url:
        found["webhook"] = _webhook
    return found


def _email(alerts: Sequence[Alert]) -> None:
    from email.message import EmailMessage
    from email.utils import make_msgid

    conf = settings.load()
    message = EmailMessage()
    message["Subject"] = _subject(alerts)
    message["From"] = conf.alert_email_from
    message["To"] = conf.alert_email_to
    message["Message-ID"] = make_msgid(domain="linkage.invalid")
    message.set_content("\n\n".join(_lines(alerts)) + "\n")
    with _mail_server(conf.alert_smtp_url) as server:
        server.send_message(message)


def _mail_server(url: str) -> smtplib.SMTP:
    import ssl
    from urllib.parse import urlsplit

    told, context = urlsplit(url), ssl.create_default_context()
    host = told.hostname or "localhost"
    server: smtplib.SMTP
    if told.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, told.port or 465, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, told.port or 25, timeout=_SECONDS)
    if told.scheme == "smtp+starttls":
        server.starttls(context=context)
    login = _secrets()
    if "smtp_user" in login:
        server.login(login["smtp_user"], login["smtp_password"])
    return server


def _webhook(alerts: Sequence[Alert]) -> None:
    import ssl

    import httpx

    token = _secrets().get("webhook_token")
    told = {
        "text": "\n".join([_subject(alerts), *_lines(alerts)]),
        "site": alerts[0].site,
        "simulated": any(alert.simulated for alert in alerts),
        "alerts": [{"kind": alert.kind, "sentence": alert.sentence, "at": alert.at} for alert in alerts],
    }
    answer = httpx.post(
        settings.load().alert_webhook_url,
        json=told,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=_SECONDS,
        verify=ssl.create_default_context(),
    )
    answer.raise_for_status()


def _subject(alerts: Sequence[Alert]) -> str:
    kinds = ", ".join(dict.fromkeys(alert.kind.replace("_", " ") for alert in alerts))
    simulated = " (simulated clock)" if any(alert.simulated for alert in alerts) else ""
    return f"[linkage {alerts[0].site}] {len(alerts)} alert{'s' * (len(alerts) != 1)}: {kinds}{simulated}"


def _lines(alerts: Sequence[Alert]) -> Iterable[str]:
    yield from (f"{alert.day} {alert.kind}: {alert.sentence}" for alert in alerts[:_MOST])
    if len(alerts) > _MOST:
        yield f"... and {len(alerts) - _MOST} more; `linkage watchdog` names them."


def _secrets() -> dict[str, Any]:
    """`alerts.json` in the secrets' folder, mode 600: `smtp_user`, `smtp_password`, `webhook_token`, where needed."""
    file: Path = settings.load().secrets / "alerts.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}
