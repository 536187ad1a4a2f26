"""The one source of time. Everything else asks `now()`; a simulated clock exists in the sandbox only (D15)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from linkage import settings
from linkage.errors import FlowRefused

LONDON = ZoneInfo("Europe/London")
_FILE = "clock.json"
_MARK = "sandbox.json"


def now() -> datetime:
    """The current instant, aware, in UTC: the real one, or the sandbox's when `LINKAGE_CLOCK=sandbox`.

    Raises FlowRefused (D15) when a simulated clock is asked for outside a sandbox home.
    """
    conf = settings.load()
    if conf.clock == "real":
        return datetime.now(UTC)
    _require_sandbox(conf.home)
    told = json.loads((conf.home / _FILE).read_text())
    anchor, set_at = datetime.fromisoformat(told["simulated"]), datetime.fromisoformat(told["set_at"])
    return (anchor + (datetime.now(UTC) - set_at)).astimezone(UTC)


def today() -> date:
    """The current date in London, the calendar all deadlines are read in (D1)."""
    return now().astimezone(LONDON).date()


def is_simulated() -> bool:
    """Whether artefacts made now are made under the simulated clock; each of them says so (D15)."""
    return settings.load().clock == "sandbox"


def set_simulated(moment: datetime) -> None:
    """Move the sandbox's clock to `moment`; it runs on from there at the real pace. Refused outside a sandbox (D15)."""
    home = settings.load().home
    _require_sandbox(home)
    told = json.dumps({"simulated": moment.isoformat(), "set_at": datetime.now(UTC).isoformat()})
    fresh = home / (_FILE + ".new")
    fresh.write_text(told)
    fresh.replace(home / _FILE)


def mark_sandbox(home: Path) -> None:
    """Declare `home` a sandbox: made once by the embedded stack, never by a production deployment."""
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).write_text(json.dumps({"kind": "linkage sandbox", "made": datetime.now(UTC).isoformat()}))


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """The London wall-clock moment on `day`, as an aware UTC instant."""
    return datetime.combine(day, time(hour, minute), tzinfo=LONDON).astimezone(UTC)


def span(length: timedelta) -> str:
    """A length of time as people say it, whichever its sign: `1 day 5 hours`, `3 days`, `less than an hour`."""
    days, hours = divmod(abs(length) // timedelta(hours=1), 24)
    told = [f"{number} {noun}{'s' * (number != 1)}" for number, noun in ((days, "day"), (hours, "hour")) if number]
    return " ".join(told) or "less than an hour"


def _require_sandbox(home: Path) -> None:
    if not (home / _MARK).exists():
        raise FlowRefused("D15", "the simulated clock is refused outside a sandbox; set LINKAGE_CLOCK=real")
