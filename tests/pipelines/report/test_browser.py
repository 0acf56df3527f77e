"""report.html in Debian's Chromium: searched, opened, filtered, by mouse and by keys; nothing asked of any network."""

import os
from pathlib import Path

import pytest

from benchmarks.report import CHROMIUM, write_output
from kgmill.pipelines.report.report import write_report

from .conftest import HOSTILE, PEOPLE, hostile

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATIENCE_MS = 240_000  # a busy machine
ON_MAP = """() => { const box = byId("map").getBoundingClientRect();
    const { x, y } = cy.getElementById(`n${places.get("london")}`).renderedPosition();
    return [box.x + x, box.y + y]; }"""  # where London is on the screen


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window; skipped where there is none."""
    program = os.environ.get("CHROMIUM", CHROMIUM)
    if not Path(program).is_file():
        pytest.skip(f"no Chromium at {program}: apt-get install chromium, or name another one in CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"], timeout=PATIENCE_MS)
        yield browser
        browser.close()


class Opened:
    """A page that is open, and all that it said and asked for."""

    def __init__(self, browser, path, fragment="", **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.as_uri() + fragment
        self.page.goto(self.url, wait_until="commit")
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def texts(self, selector):
        """The text of each element."""
        return self.page.locator(selector).all_inner_texts()

    def facts(self):
        """Ids of the facts that the list shows."""
        return self.page.eval_on_selector_all("#facts .fact", "rows => rows.map(row => row.dataset.fact)")

    def focused(self):
        """What has the focus: the id of an element, or its text."""
        return self.page.evaluate("document.activeElement.id || document.activeElement.innerText")

    def settle(self):
        """Waits for what was asked for to be drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages of a small graph, and of one that is out to run scripts."""
    folder = tmp_path_factory.mktemp("pages")
    for name, records in (("people", PEOPLE), ("hostile", hostile())):
        write_report(write_output(folder / name, records))
    return folder


@pytest.fixture(scope="module")
def shared(browser, written):
    """The small graph's page, opened once."""
    opened = Opened(browser, written / "people" / "report.html", viewport={"width": 1280, "height": 900})
    yield opened
    assert opened.said == []
    assert opened.requests == [opened.url]


@pytest.fixture
def people(shared):
    """The same as it is at first."""
    page = shared.page
    page.keyboard.press("Escape")
    page.fill("#search", "")
    page.evaluate("byId('least').value = 0; byId('asserted').checked = false; choose(tabs[0]); filter()")
    return shared


def test_facts_are_searched(people):
    """Words name ends, relations and values, in any order and whatever their case; the counts follow."""
    found = {}
    for asked in ("", "london", "LONDON lovelace", "born_on", "1815", "countess born_in", "nobody"):
        people.page.fill("#search", asked)
        people.settle()
        found[asked] = people.facts()
    assert found == {
        "": ["f1", "f2", "f3", "f4"],
        "london": ["f1", "f4"],
        "LONDON lovelace": ["f1"],
        "born_on": ["f2"],
        "1815": ["f2"],
        "countess born_in": ["f1"],
        "nobody": [],
    }
    assert people.texts("#n-facts") == ["0"]
    assert "No fact is found." in people.page.inner_text("#facts")


def test_search_opens_an_entity_and_escape_leads_back(people):
    """By keys alone: slash, words, Enter; the entity's page has its names, facts and sentences; Escape closes it."""
    page = people.page
    page.locator("h1").click()
    page.keyboard.press("/")
    assert people.focused() == "search"
    page.keyboard.type("lovelace")
    page.keyboard.press("Enter")
    assert people.focused() == "entity-title"
    assert people.texts("#entity-title") == ["Ada Lovelace"]
    assert "Countess of Lovelace" in page.inner_text("#entity .aliases")
    assert page.url.endswith("#entity=ada")
    page.keyboard.press("Escape")
    assert page.locator("#entity").is_hidden()
    assert people.focused() == "search"


def test_evidence_is_marked(people):
    """Each sentence has its head and its tail marked, in two colours, also behind what UTF-16 counts twice."""
    page = people.page
    page.evaluate("openEntity(places.get('ada'))")
    first = page.locator("#entity [data-fact=f1] blockquote")
    assert first.locator("mark.head").all_inner_texts() == ["Ada Lovelace", "Ada Lovelace"]
    assert first.locator("mark.tail").all_inner_texts() == ["London", "London"]
    assert page.locator("#entity [data-fact=f2] mark.tail").all_inner_texts() == ["1815"]
    colour = "node => getComputedStyle(node).backgroundColor"
    colours = {first.locator(f"mark.{end}").first.evaluate(colour) for end in ("head", "tail")}
    assert len(colours) == 2
    assert "Letters · a.txt" in first.first.inner_text().replace("\u00a0", " ")


def test_an_entity_is_opened_from_the_map(people):
    """A click on its place opens it; so do the arrow keys and Enter."""
    page = people.page
    page.locator("#map").scroll_into_view_if_needed()
    page.mouse.click(*page.evaluate(ON_MAP))
    page.wait_for_selector("#entity:not([hidden])")
    assert people.texts("#entity-title") == ["London"]
    assert people.texts("#entity .facts-in .end") == ["Ada Lovelace", "Charles Babbage"]
    page.keyboard.press("Escape")
    page.focus("#map")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#entity").is_visible()


def test_map_is_clicked_where_it_is_now(people):
    """What lies above it may grow, and the page be scrolled, a moment before: a click means what is under it now."""
    page = people.page
    page.mouse.move(*page.evaluate(ON_MAP))
    page.evaluate("byId('map').before(make('p', { id: 'grown' })); byId('grown').style.height = '90px'")
    page.mouse.click(*page.evaluate(ON_MAP))
    page.wait_for_selector("#entity:not([hidden])")
    assert people.texts("#entity-title") == ["London"]
    page.evaluate("byId('grown').remove()")


def test_slider_filters_lists_and_map(people):
    """Facts below the slider leave the list, the entity's page and the map, and the page says so."""
    page = people.page
    page.evaluate("openEntity(places.get('babbage'))")
    page.locator("#least").evaluate("node => { node.value = 650; node.dispatchEvent(new Event('input')); }")
    people.settle()
    assert people.facts() == ["f1", "f2", "f3"]
    assert people.texts("#least-shown") == ["0.65"]
    assert "1 fact is hidden" in page.inner_text("#entity .hidden-facts")
    edges = "cy.edges().filter(edge => !edge.hasClass('hid')).map(edge => facts.id[edge.data('fact')]).sort()"
    assert page.evaluate(edges) == ["f1", "f3"]
    page.evaluate("byId('least').value = 0; byId('asserted').click()")
    people.settle()
    assert people.facts() == ["f1", "f2", "f3"]


def test_lists_are_reached_by_keys(people):
    """From the search the arrow leads into the list; a fact's sentences open with Enter; tabs change with arrows."""
    page = people.page
    page.focus("#search")
    page.keyboard.press("ArrowDown")
    assert people.focused() == "Ada Lovelace"
    page.focus("#facts [data-fact=f4] .more")
    page.keyboard.press("Enter")
    assert page.locator("#facts [data-fact=f4] mark.tail").all_inner_texts() == ["London"]
    assert page.get_attribute("#facts [data-fact=f4] .more", "aria-expanded") == "true"
    page.focus("#tab-facts")
    page.keyboard.press("ArrowRight")
    assert people.focused() == "tab-entities"
    assert people.texts("#entities .entity .end") == ["Ada Lovelace", "London", "Charles Babbage", "Lonely Island"]


def test_ledger_fits_a_narrow_screen(browser, written):
    """At 400 pixels no table has to be pushed aside; on a wide screen the map stays beside a long list."""
    place = "getComputedStyle(document.querySelector('.mapped')).position"
    seen = {}
    for width in (400, 1280):
        opened = Opened(browser, written / "people" / "report.html", viewport={"width": width, "height": 900})
        hidden = "nodes => nodes.map(node => node.scrollWidth - node.clientWidth)"
        seen[width] = (opened.page.evaluate(place), sum(opened.page.eval_on_selector_all(".scroll", hidden)))
        opened.context.close()
    assert seen == {400: ("static", 0), 1280: ("sticky", 0)}


def test_hostile_text_runs_nothing(browser, written):
    """On a narrow dark screen: names and sentences are shown as they are, nothing runs, nothing is asked for."""
    size = {"width": 360, "height": 740}
    opened = Opened(browser, written / "hostile" / "report.html", viewport=size, color_scheme="dark")
    page = opened.page
    page.fill("#search", "window")
    opened.settle()
    page.evaluate(
        "openEntity(places.get('one')); document.querySelectorAll('details').forEach(d => { d.open = true; })"
    )
    assert opened.texts("#entity-title") == [HOSTILE["script"]]
    assert opened.texts("#entity [data-fact=f1] mark.tail") == [HOSTILE["end"]]
    assert "\\u202eecalevoL" in page.inner_text("#entity [data-fact=f1] blockquote p")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("byId('entity').scrollWidth") <= 360
    assert page.evaluate("window.owned") is None
    assert page.locator("img, iframe, object, embed, b[onmouseover]").count() == 0
    assert opened.said == []
    assert opened.requests == [opened.url]
    opened.context.close()


def test_policy_stops_what_would_run_or_ask(browser, written):
    """Were a script or a picture to get into the page, neither would run or be fetched."""
    opened = Opened(browser, written / "people" / "report.html")
    opened.page.evaluate("""() => {
        const script = document.createElement("script"); script.textContent = "window.owned = 1";
        const picture = document.createElement("img"); picture.src = "http://127.0.0.1:9/x.png";
        document.body.append(script, picture);
        document.body.insertAdjacentHTML("beforeend", "<p onclick='window.owned = 1' id=trap>trap</p>");
        document.getElementById("trap").click();
    }""")
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')")
    assert opened.page.evaluate("window.owned") is None
    assert refused == "refused"
    assert sum("Content Security Policy" in line for line in opened.said) >= 3
    opened.context.close()


@pytest.mark.parametrize(("fragment", "titles"), [("#entity=ada", ["Ada Lovelace"]), ("#entity=%E0%A4%A", [])])
def test_link_to_an_entity_opens_it(browser, written, fragment, titles):
    """A link that was cut in the middle of a character opens nothing, and the page is there all the same."""
    opened = Opened(browser, written / "people" / "report.html", fragment)
    assert opened.texts("#entity-title") == titles
    assert opened.facts() == ["f1", "f2", "f3", "f4"]
    assert opened.said == []
    opened.context.close()
