"""The register as the Retention page reads it: counts, filters, pages, words, spreadsheets (N20, D3, D7, D12, D13)."""

from __future__ import annotations

import csv
import random
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from linkage import clock
from linkage.custody.models import CertificateRow, Holding, HoldingRow, IncidentRow, ParentRow, StepRow
from linkage.custody.overview import export as overview_export
from linkage.custody.overview import holding as overview_holding
from linkage.custody.overview import page as overview
from linkage.custody.overview.filter import STATES, Moment, Wanted
from linkage.errors import Misuse, Unknown

HOLDERS = ("authority", "ons", "dwp", "mhclg")
CLASSES = ("delivery", "linked_file", "match_working")


def row(number: int, **told) -> HoldingRow:
    """A holding received today, due in ten days and gone by twelve, unless told otherwise."""
    now = clock.now()
    given = {"holder": "authority", "dataset_class": "delivery", "rule": "raw_28_days", "state": "held"} | told
    days = {"target": 10, "legal": 12} | {name: given.pop(name) for name in ("target", "legal") if name in given}
    dates = {name: None if value is None else now + timedelta(days=value) for name, value in days.items()}
    given.setdefault("store", given["holder"])
    return HoldingRow(
        id=f"hld_{number:032x}",
        programme="troubled_families_2015_2020",
        natural_key=f"n{number}",
        received_at=now,
        bucket="b",
        prefix=f"p{number}/",
        reclassified=dates["legal"] is None,
        created_at=now,
        **dates,
        **given,
    )


def certified(number: int) -> tuple[StepRow, CertificateRow]:
    """The last two steps of a destruction, as the register wants them: verified, then certified."""
    identity, now = f"{number:032x}", clock.now()
    verified = StepRow(holding_id=f"hld_{identity}", step="verified", at=now, detail={})
    issued = CertificateRow(
        id=f"crt_{identity}", holding_id=f"hld_{identity}", issued_at=now, document="{}", sha256="", simulated=True
    )
    return verified, issued


def keep(house, *rows) -> None:
    with house.register.transaction() as session:
        session.add_all([one for one in rows if not isinstance(one, CertificateRow)])
    with house.register.transaction() as session:
        session.add_all([one for one in rows if isinstance(one, CertificateRow)])


def many(house, number: int) -> None:
    """A register of every sort of holding, by a fixed seed."""
    dice, rows = random.Random(number), []
    for index in range(number):
        state = dice.choice(("writing", "held", "held", "destroying", "destroyed", "destroyed"))
        legal = dice.choice((-3, -0.1, 0.1, 1.0, 1.5, 40, None))
        more = {"destroyed_at": clock.now() - timedelta(hours=dice.randrange(500))} if state == "destroyed" else {}
        if dice.random() < 0.2:
            more |= {"hold_until": clock.now() + timedelta(days=dice.choice((-1, 5))), "hold_authority": "a court"}
        holder, kind = dice.choice(HOLDERS), dice.choice(CLASSES)
        target = None if legal is None else legal - dice.choice((0, 1, 2))
        rows.append(row(index, holder=holder, dataset_class=kind, state=state, legal=legal, target=target, **more))
        if state == "destroyed" and dice.random() < 0.8:
            rows.extend(certified(index))
    keep(house, *rows)


def by_hand(holding: Holding, certified: bool, state: str, at: Moment) -> bool:
    """The states as the page explains them to its reader."""
    live = holding.state != "destroyed"
    overdue = live and holding.legal is not None and holding.legal <= at.now
    held_up = holding.hold_until is not None and holding.hold_until > at.now
    return {
        "held": live,
        "due": live and holding.target is not None and holding.target < at.horizon and not overdue and not held_up,
        "overdue": overdue,
        "on-hold": holding.state in ("writing", "held") and held_up,
        "unverified": holding.state == "destroying" or (not live and not certified),
        "destroyed": not live,
        "all": True,
    }[state]


def listed(wanted: Wanted, size: int = 1000) -> list[str]:
    return [line.holding for line in overview.retention(wanted, 1, size).rows]


@contextmanager
def statements(house):
    """Every statement that reads or writes while it is open."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_more) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(house.register.engine, "before_cursor_execute", note)
    yield seen
    event.remove(house.register.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("state", STATES)
def test_every_list_and_count_is_what_a_reader_would_count_by_hand(doubled_house, state: str) -> None:
    many(doubled_house, 150)
    done = {one.holding_id for one in doubled_house.register.certificates()}
    everything = doubled_house.register.find(state=None)
    for holder in ("", "ons"):
        for kind in ("", "delivery"):
            at, wanted = Moment.current(), Wanted(state, holder, kind)
            expected = {
                one.id
                for one in everything
                if by_hand(one, one.id in done, state, at)
                and holder in ("", one.holder)
                and kind in ("", one.dataset_class)
            }
            assert expected or holder
            told = overview.retention(wanted, 1, 1000)
            assert {line.holding for line in told.rows} == expected
            assert told.total == told.counts[state] == len(expected)


def test_the_pages_together_are_the_list_each_holding_once_in_order(doubled_house) -> None:
    many(doubled_house, 40)
    for state in STATES:
        wanted = Wanted(state)
        whole = listed(wanted)
        pages = overview.retention(wanted, 1, 7).pages
        assert [one for page in range(1, pages + 1) for one in _page(wanted, page)] == whole
        assert _page(wanted, pages + 5) == _page(wanted, pages)


def _page(wanted: Wanted, page: int) -> list[str]:
    return [line.holding for line in overview.retention(wanted, page, 7).rows]


def test_the_nearest_deadline_comes_first_and_the_latest_destruction(doubled_house) -> None:
    day, now = timedelta(days=1), clock.now()
    keep(doubled_house, row(1, legal=30, target=30), row(2, legal=3, target=3), row(3, legal=None, target=None))
    keep(doubled_house, *(row(9 - n, state="destroyed", destroyed_at=now - n * day) for n in (1, 2, 3)))
    assert [one[-1] for one in listed(Wanted("held"))] == ["2", "1", "3"]
    assert [one[-1] for one in listed(Wanted("destroyed"))] == ["8", "7", "6"]


def test_a_page_takes_the_same_statements_however_much_is_registered(doubled_house) -> None:
    overview.retention(Wanted())
    with statements(doubled_house) as few:
        overview.retention(Wanted())
    many(doubled_house, 200)
    with statements(doubled_house) as as_many:
        overview.retention(Wanted(), 3, 50)
    assert len(few) == 4
    assert len(as_many) == 5  # some destructions among them have no certificate


@pytest.mark.servers
def test_a_page_in_the_middle_reads_no_row_that_is_not_on_it(real_house) -> None:
    """PostgreSQL finds the page's ids in an index alone, in order, without sorting."""
    many(real_house, 600)
    engine = real_house.register.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE holdings"))
    indexes = {"held": "ix_holding_page", "all": "ix_holding_page", "destroyed": "ix_holding_destroyed"}
    for state, index in indexes.items():
        query = overview.page_of(Wanted(state), Moment.current(), 3, 50)
        with engine.begin() as connection:
            # What a large register makes dear; a small one is read whole whatever the indexes.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
            told = query.compile(engine, compile_kwargs={"literal_binds": True})
            plan = list(connection.execute(text(f"EXPLAIN {told}")).scalars())
        begun = next(number for number, line in enumerate(plan) if "Limit" in line)
        found = next(number for number, line in enumerate(plan) if "holdings" in line and number > begun)
        assert f"Index Only Scan using {index}" in plan[found] or f"Backward using {index}" in plan[found], plan
        assert not any("Sort" in line for line in plan[begun:found]), plan


def test_a_number_or_its_beginning_finds_a_holding_whatever_its_state(doubled_house) -> None:
    keep(doubled_house, row(0xAB1), row(0xAB2, state="destroyed", destroyed_at=clock.now()), *certified(0xAB2))
    whole = f"{0xAB2:032x}"
    for search in (f"hld_{whole}", f"crt_{whole}", whole, f" HLD_{whole.upper()} "):
        assert listed(Wanted.of(search=search)) == [f"hld_{whole}"]
    assert len(listed(Wanted.of(search="hld_000"))) == 2
    assert listed(Wanted.of("held", search="hld_000")) == [f"hld_{0xAB1:032x}"]
    assert listed(Wanted.of(search="fff")) == []


@pytest.mark.parametrize("search", ["%", "hld_%", "' or 1=1", "Smith", "ab_c", "QQ123456C"])
def test_a_search_for_anything_but_a_number_is_refused_without_repeating_it(search: str) -> None:
    """N10, N20: nobody looks for a person here, and what they typed is not echoed."""
    with pytest.raises(Misuse) as refused:
        Wanted.of(search=search)
    assert search not in str(refused.value)


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(Misuse):
        Wanted.of("gone")


def test_a_holding_under_a_legal_hold_beyond_its_deadline_shows_as_a_breach(doubled_house) -> None:
    """D12: blocked for all to see, and overdue all the same."""
    until = clock.now() + timedelta(days=30)
    keep(doubled_house, row(1, legal=-2.5, target=-3, hold_until=until, hold_authority="the High Court"))
    [line] = overview.retention(Wanted("overdue")).rows
    assert (line.standing, line.left, line.hold_authority) == ("Overdue, on hold", "2 days late", "the High Court")
    assert listed(Wanted("on-hold")) == [line.holding]
    assert listed(Wanted("due")) == []


def test_a_hold_that_has_run_out_is_shown_no_more(doubled_house) -> None:
    """D12: it ends by itself."""
    keep(doubled_house, row(1, hold_until=clock.now() - timedelta(hours=1), hold_authority="the High Court"))
    [line] = overview.retention(Wanted("held")).rows
    assert (line.standing, line.hold_authority) == ("Held", None)
    assert listed(Wanted("on-hold")) == []


def test_a_destruction_without_a_certificate_never_reads_as_done(doubled_house) -> None:
    """D7"""
    keep(doubled_house, row(1, state="destroying"), row(2, state="destroyed", destroyed_at=clock.now()))
    told = overview.retention(Wanted("unverified"))
    assert {line.standing for line in told.rows} == {"Destruction not verified", "Destroyed, not certified"}
    assert {line.kind for line in told.rows} == {"alarm"}
    assert told.everywhere["unverified"] == 2
    nexts = [overview_holding.story(f"hld_{number:032x}").next_step for number in (1, 2)]
    assert [said.split(" ", 3)[:3] for said in nexts] == [["The", "next", "sweep"]] * 2


@pytest.mark.parametrize(
    ("legal", "target", "standing", "left"),
    [
        (12.1, 10, "Held", "in 12 days"),
        (1.2, 1.1, "Due", "in 1 day"),
        (0.2, -0.5, "Past its aim", "in 4 hours"),
        (0.02, -0.5, "Past its aim", "in less than an hour"),
        (-1.5, -2, "Overdue", "1 day late"),
        (None, None, "Kept: anonymised", ""),
    ],
)
def test_where_a_holding_stands_is_said_in_words(doubled_house, legal, target, standing: str, left: str) -> None:
    """D1, D3: the aim and the promise are two things."""
    keep(doubled_house, row(1, legal=legal, target=target))
    [line] = overview.retention(Wanted("held")).rows
    assert (line.standing, line.left) == (standing, left)


def test_a_silent_sweep_is_seen(doubled_house) -> None:
    """D13"""
    from linkage.custody.destruction.sweep import sweep

    assert overview.retention(Wanted()).sweep is None
    sweep()
    assert overview.retention(Wanted()).sweep.silent is False
    clock.set_simulated(clock.now() + timedelta(hours=31))
    assert overview.retention(Wanted()).sweep.silent is True


def test_a_spreadsheet_holds_exactly_the_filtered_list(doubled_house, monkeypatch: pytest.MonkeyPatch) -> None:
    many(doubled_house, 150)
    monkeypatch.setattr(overview_export, "BATCH", 7)
    for wanted in (Wanted("held", "ons"), Wanted("destroyed"), Wanted("all", "", "delivery")):
        told = list(csv.DictReader("".join(overview_export.rows(wanted)).splitlines()))
        assert sorted(one["holding"] for one in told) == sorted(listed(wanted))
        assert tuple(told[0]) == overview_export.COLUMNS


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", '=cmd|"/c calc"!A1', "%0a"])
def test_a_cell_cannot_become_a_formula(doubled_house, label: str) -> None:
    keep(doubled_house, row(1, label=label))
    [told] = list(csv.DictReader(iter("".join(overview_export.rows(Wanted())).splitlines(keepends=True))))
    assert told["label"] == f"'{label}"


def test_an_empty_list_is_a_heading(doubled_house) -> None:
    assert list(overview_export.rows(Wanted())) == [",".join(overview_export.COLUMNS) + "\r\n"]


def test_the_story_of_a_holding_tells_its_rule_its_relations_and_what_went_wrong(doubled_house) -> None:
    """D4, D7"""
    rule = "programme, earlier by its source's one_month"
    keep(doubled_house, row(1, legal=20), row(2, rule=rule, state="destroying"), row(3, legal=11))
    one, two, three = (f"hld_{number:032x}" for number in (1, 2, 3))
    now = clock.now()
    intent = StepRow(holding_id=two, step="intent", at=now, detail={})
    failed = IncidentRow(at=now, kind="destruction_failed", subject=two, detail="the verifier still finds 3 copies")
    keep(doubled_house, ParentRow(child_id=two, parent_id=one), ParentRow(child_id=three, parent_id=two))
    keep(doubled_house, ParentRow(child_id=two, parent_id="hld_elsewhere"), intent, failed)
    told = overview_holding.story(two)
    assert "the programme's end, 1 December 2022; brought forward by the rule one month" in told.why_then
    assert {(one.holding, one.store) for one in told.sources} == {(one, "authority"), ("hld_elsewhere", "")}
    assert [one.holding for one in told.made] == [three]
    assert [one.said for one in told.events][1].startswith("Destruction began")
    assert told.incidents[0].said == "the verifier still finds 3 copies"


def test_an_unknown_number_has_no_story(doubled_house) -> None:
    with pytest.raises(Unknown):
        overview_holding.story("hld_0")
