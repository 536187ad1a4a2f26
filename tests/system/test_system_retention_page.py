"""The pages in real Airflow with FAB roles: who may open them, and what a person does there in a real browser."""

from __future__ import annotations

import csv
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from served_page import LISTED, Served, served_page

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = ("/retention", "/delivery-quality")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CHROMIUM = os.environ.get("LINKAGE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIET += ("--disable-component-update", "--disable-sync")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: apt install chromium, or set LINKAGE_CHROMIUM"
)
_ROUTES = """
import importlib.util, json, sys
told = []
for prefix, file in zip(sys.argv[1::2], sys.argv[2::2]):
    spec = importlib.util.spec_from_file_location(prefix.strip("/"), file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    told += [prefix + route.path for route in module.app.routes]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_page() as page:
        yield page


@pytest.fixture(scope="module")
def addresses(served: Served) -> list[str]:
    """An address for every route the two applications have, whatever is added to them."""
    environment = {**os.environ, "AIRFLOW_HOME": str(served.addresses.home / "routes")}
    pages = dict(zip(PAGES, ("retention_page.py", "delivery_quality_page.py"), strict=True))
    files = [part for prefix, name in pages.items() for part in (prefix, str(REPOSITORY / "plugins" / name))]
    command = [sys.executable, "-c", _ROUTES, *files]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    numbers = {"holding_id": served.destroyed, "certificate_id": served.destroyed.replace("hld_", "crt_")}
    numbers |= {"address:path": "no/such/address", "feed": "police"}
    routes = json.loads(told.stdout.splitlines()[-1])
    assert len(routes) >= 11
    return [re.sub(r"{([^}]+)}", lambda found: numbers[found[1]], route) for route in routes]


def ask(served: Served, method: str, address: str, user: str | None = None) -> httpx.Response:
    headers = served.as_user(user) if user else {}
    return httpx.request(method, served.addresses.ui_url + address, headers=headers, timeout=60)


def test_no_route_and_no_method_answers_an_anonymous_reader(served: Served, addresses: list[str]) -> None:
    """N20: 401 on every route there is and for every method, and also where there is no route."""
    beside = [f"{page}{one}" for page in PAGES for one in ("/docs", "/openapi.json", "/redoc", "/static/x")]
    for address in (*addresses, *beside):
        for method in METHODS:
            assert ask(served, method, address).status_code == 401, (method, address)


def test_no_route_and_no_method_answers_a_role_that_may_not_read_the_logs_behind_it(
    served: Served, addresses: list[str]
) -> None:
    """N20: 403 on every route."""
    for address in addresses:
        for method in METHODS:
            assert ask(served, method, address, "approver").status_code == 403, (method, address)


def test_governance_may_read_every_route_and_change_nothing(served: Served, addresses: list[str]) -> None:
    """N20: reading is all there is."""
    for address in addresses:
        expected = 404 if "no/such" in address else 200
        for method in METHODS:
            status = ask(served, method, address, "governance").status_code
            assert status == (expected if method in ("GET", "HEAD") else 404), (method, address)


@pytest.mark.parametrize(
    "path",
    [
        *("/retention//", "//retention/", "/retention/./holdings.json", "/retention/x/../holdings.json"),
        *("/retention/holdings.json/", "/retention/%2e%2e/retention/holdings.json", "/retention/holdings.json%00"),
        *(
            "/retention/HOLDINGS.JSON",
            "/Retention/holdings.json",
            "/retention/;/holdings.json",
            "/retention\\holdings.csv",
        ),
        *(
            "/auth/../retention/holdings.json",
            "/api/v2/../../retention/holdings.json",
            "/retention/holdings.csv?x=/auth",
        ),
        *("/retention%2fholdings.json", "/%72etention/holdings.json", "/pluginsv2/retention/holdings.json"),
    ],
)
def test_no_spelling_of_an_address_goes_round_the_guard(served: Served, path: str) -> None:
    """N20: sent byte for byte as written."""
    where = urlsplit(served.addresses.ui_url)
    for headers in ({}, {"Cookie": "_token=x"}, {"Authorization": "Bearer x"}, {"X-Forwarded-User": "governance"}):
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert b"hld_" not in body
        assert b"raw_28_days" not in body
        assert answer.status in {200, 307, 401, 403, 404}, path
        # Airflow answers an address it does not know with the empty shell of its own interface.
        assert answer.status != 200 or b'id="root"' in body, path


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def retention(served: Served, browser):  # noqa: ANN201
    """Signed in at Airflow's own form as governance, and led to the page by Airflow's own navigation: its frame."""
    context = browser.new_context(viewport={"width": 1366, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(served.addresses.ui_url)
    tab.locator("input[name=username]").fill("governance")
    tab.locator("input[name=password]").fill(served.addresses.users["governance"])
    tab.locator("input[type=submit], button[type=submit]").first.click()
    tab.get_by_role("button", name="Browse").click()
    tab.get_by_role("menuitem", name="Retention").click()
    frame = tab.frame_locator("iframe[title=Retention]")
    frame.get_by_role("heading", name="Retention", exact=True).wait_for()
    yield frame
    context.close()


def visible(locator) -> None:
    """Seen now, or as soon as the page that was asked for is there."""
    locator.wait_for(state="visible")


@needs_chromium
def test_a_person_finds_the_page_and_what_needs_them_first(retention) -> None:
    """D12, D13: an overdue holding is the first thing said, also when a legal hold is the reason."""
    assert retention.get_by_role("heading", level=2).first.inner_text() == "1 holding is overdue"
    visible(retention.get_by_text("The sweep last reported on 28 Nov 2022"))
    visible(retention.get_by_text("The clock is simulated"))


@needs_chromium
def test_counts_lead_to_their_lists(retention) -> None:
    retention.get_by_role("navigation", name="Holdings by state").get_by_role("link", name="Overdue").click()
    row = retention.get_by_role("row", name="delivery: police_2022-10-31")
    visible(row.get_by_text("Overdue, on hold"))
    visible(row.get_by_text("for the High Court"))
    retention.get_by_role("link", name="1 not verified at moj").click()
    visible(retention.get_by_text("Destruction not verified"))


@needs_chromium
def test_the_list_is_filtered_by_holder_kind_and_number_and_turned_page_by_page(retention, served: Served) -> None:
    retention.get_by_label("Holder", exact=True).select_option("authority")
    retention.get_by_label("Kind of data").select_option("issue_evidence")
    retention.get_by_label("State", exact=True).select_option("held")
    retention.get_by_role("button", name="Show").click()
    caption = retention.locator("#list-caption")
    visible(caption.get_by_text(f"{LISTED} holdings, page 1 of 2, Authority, issue evidence"))
    retention.get_by_role("link", name="Next page").click()
    retention.locator("#list-caption", has_text="page 2 of 2").wait_for()
    assert retention.locator("table.list tbody tr").count() == LISTED - 50
    clear = retention.get_by_role("link", name="Clear the filter")
    clear.click()
    clear.wait_for(state="hidden")
    retention.get_by_role("searchbox").fill(served.overdue[:12])
    retention.get_by_label("State", exact=True).select_option("all")
    retention.get_by_role("button", name="Show").click()
    retention.locator("#list-caption", has_text="number beginning").wait_for()
    retention.get_by_role("link", name=served.overdue).click()
    visible(retention.get_by_text("ordered by the High Court"))
    retention.get_by_role("link", name="Back to Retention").click()


@needs_chromium
def test_a_certificate_is_read_and_looked_at_again(retention, served: Served) -> None:
    """D7, D9, D11: signature, ledger, copies and key, asked of the real servers as the verifier."""
    states = retention.get_by_role("navigation", name="Holdings by state")
    states.get_by_role("link", name="Destroyed").click()
    retention.get_by_role("link", name=f"Certificate of {served.destroyed}").click()
    retention.get_by_role("heading", name="Certificate of destruction", exact=True).wait_for()
    visible(retention.get_by_text("NIST SP 800-88r2").first)
    retention.get_by_role("button", name="Check it now").click()
    retention.get_by_text(re.compile("^Yes: all [0-9]+ checks hold")).wait_for()
    answers = retention.get_by_role("table", name="What was checked now").locator("tbody tr").all_inner_texts()
    assert len(answers) >= 7
    for asked in ("sign it", "ledger recorded", "copies gone", "key gone"):
        assert any(asked in answer for answer in answers)


@needs_chromium
def test_a_list_is_downloaded_as_a_spreadsheet(retention, browser) -> None:
    retention.get_by_role("link", name="Back to what was destroyed").click()
    tab = browser.contexts[0].pages[0]
    with tab.expect_download() as download:
        retention.get_by_role("link", name="Download this list as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert download.value.suggested_filename == "retention-destroyed-2022-11-28.csv"
    assert len(rows) == 5
    assert all(row["certificate"].startswith("crt_") for row in rows)


@needs_chromium
def test_a_person_sees_what_waits_and_why_rows_were_set_aside(retention, browser) -> None:
    """N3, N20: from Airflow's own navigation to one feed's deliveries and their spreadsheet."""
    tab = browser.contexts[0].pages[0]
    tab.get_by_role("button", name="Browse").click()
    tab.get_by_role("menuitem", name="Delivery quality").click()
    frame = tab.frame_locator("iframe[title='Delivery quality']")
    visible(frame.get_by_role("heading", name="1 delivery waits for a person"))
    police = frame.get_by_role("row", name="Police")
    visible(police.get_by_text("Held for a person"))
    visible(police.get_by_role("img", name=re.compile("^police: the last 3 deliveries: .* 2 held or refused$")))
    frame.get_by_role("link", name="Housing", exact=True).click()
    visible(frame.get_by_role("heading", name="Housing", level=1))
    visible(frame.get_by_role("table", name="Why rows were set aside or values left empty"))
    with tab.expect_download() as download:
        frame.get_by_role("link", name="Download these deliveries as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert {row["outcome"] for row in rows} == {"accepted"}
    frame.get_by_role("link", name="Back to all feeds").click()
    visible(frame.get_by_role("heading", name="Delivery quality", exact=True))


@pytest.fixture(scope="module")
def alone(served: Served, browser):  # noqa: ANN201
    """The page by its own address, without scripts."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    token = served.as_user("governance")["Authorization"].removeprefix("Bearer ")
    context.add_cookies([{"name": "_token", "value": token, "url": served.addresses.ui_url}])
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    yield tab
    context.close()


def each(served: Served) -> tuple[str, ...]:
    number = served.destroyed.removeprefix("hld_")
    shown = ("/", "/?state=destroyed", f"/holdings/hld_{number}", f"/certificates/crt_{number}?verify=now", "/nothing")
    quality = ("/", "/feeds/police", "/feeds/housing", "/nothing")
    return (*(f"/retention{one}" for one in shown), *(f"/delivery-quality{one}" for one in quality))


@needs_chromium
def test_nothing_is_wider_than_the_screen_whatever_the_screen(alone, served: Served) -> None:
    """320 CSS pixels is a phone, or a desktop at 400 % (WCAG 2.2, 1.4.10)."""
    for width in (320, 768, 1920):
        alone.set_viewport_size({"width": width, "height": 900})
        for address in each(served):
            alone.goto(served.addresses.ui_url + address)
            # Without scripts in the page the browser is asked for its own layout.
            assert alone.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth"), (width, address)


@needs_chromium
def test_the_whole_page_can_be_used_by_keyboard(alone, served: Served) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.1: first the skip link, then everything in the order it stands."""
    alone.set_viewport_size({"width": 1280, "height": 900})
    alone.goto(f"{served.page}/")
    alone.keyboard.press("Tab")
    skip = alone.get_by_role("link", name="Skip to main content")
    assert skip.evaluate("link => link === document.activeElement && link.getBoundingClientRect().left >= 0")
    alone.keyboard.press("Enter")
    alone.wait_for_url("**#main")
    reached, last = [], -1.0
    for _ in range(400):
        alone.keyboard.press("Tab")
        now = alone.locator("html").evaluate(
            "() => { const it = document.activeElement; return it === document.body ? null :"
            " [it.tagName, it.innerText || it.getAttribute('aria-label') || it.id,"
            " getComputedStyle(it).boxShadow !== 'none' || getComputedStyle(it).outlineStyle !== 'none',"
            " it.getBoundingClientRect().top + scrollY] }"
        )
        if now is None:
            break
        tag, name, shown, top = now
        assert name, tag
        assert shown, f"{name}: focus cannot be seen"
        assert top >= last - 120, f"{name}: focus jumps back"
        last = max(last, top)
        reached.append(tag)
    assert {"A", "INPUT", "SELECT", "BUTTON", "SUMMARY"} <= set(reached)


@needs_chromium
def test_what_a_screen_reader_is_told(alone, served: Served) -> None:
    """Landmarks, one heading of the first level, named tables, named fields (WCAG 2.2, 1.3.1, 2.4.6, 4.1.2)."""
    for address in each(served):
        alone.goto(served.addresses.ui_url + address)
        assert alone.get_by_role("main").count() == 1
        assert alone.get_by_role("heading", level=1).count() == 1
        assert alone.title().endswith("Retention" if address.startswith("/retention") else "Delivery quality")
        for table in alone.get_by_role("table").all():
            assert table.locator("caption").count() == 1
            assert table.get_by_role("columnheader").count() >= 3
            assert table.get_by_role("rowheader").count() >= 1
        for box in (*alone.get_by_role("searchbox").all(), *alone.get_by_role("combobox").all()):
            assert box.evaluate("field => field.labels.length") == 1
        names = [link.inner_text().strip() for link in alone.get_by_role("link").all()]
        assert all(names)
        assert not {"here", "more", "click here"} & {name.lower() for name in names}


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, served: Served, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 at least, in both schemes."""
    context = browser.new_context(color_scheme=scheme)
    token = served.as_user("governance")["Authorization"].removeprefix("Bearer ")
    context.add_cookies([{"name": "_token", "value": token, "url": served.addresses.ui_url}])
    tab = context.new_page()
    for address in each(served):
        tab.goto(served.addresses.ui_url + address, timeout=60_000)
        pairs = tab.evaluate(_COLOURS)
        assert len(pairs) >= 2
        for text, ink, ground in pairs:
            assert contrast(ink, ground) >= 4.5, (address, text, ink, ground)
    context.close()


# Every element with text of its own: its words, its colour, and the nearest ground that is painted.
_COLOURS = """() => [...document.querySelectorAll('body *')]
  .filter(it => [...it.childNodes].some(one => one.nodeType === 3 && one.textContent.trim())
                && it.checkVisibility() && !it.closest('.unseen, .skip, option'))
  .map(it => { let under = it;
    while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)' && under.parentElement) under = under.parentElement;
    return [it.textContent.trim().slice(0, 40), getComputedStyle(it).color, getComputedStyle(under).backgroundColor]; })"""


def contrast(ink: str, ground: str) -> float:
    """The ratio of two CSS colours (WCAG 2.2, definition of contrast ratio)."""
    light, dark = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
