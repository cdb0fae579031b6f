"""Each page in a real browser over a folder that was lived in: seen, read aloud, safe, at desk and on the phone."""

import re
from collections.abc import Iterator
from html import unescape
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lived_in import HOSTILE, HOSTILE_ID, LOST, THOUGHT
from playwright.sync_api import Browser, BrowserContext, Page
from served_site import Served, wait_for

from pipeline.live_games import LiveGames
from schemas.game import GameLogFrame
from schemas.live_game import LiveSource, live_file

pytestmark = pytest.mark.browser
SCRUB = "turn => { const s = document.getElementById('scrub'); s.value = turn; s.dispatchEvent(new Event('input')); }"
SHAPES = """[...document.querySelectorAll('#board *')].map(
    node => [node.tagName, node.getAttribute('d'), node.getAttribute('cx'), node.getAttribute('x')].join())"""
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
CUT_OFF = """[...document.querySelectorAll('table.cards')].filter(
    table => innerWidth <= 640 && table.scrollWidth > table.parentElement.clientWidth + 1
    ).map(table => table.innerText)"""
COVERED = """[...document.querySelectorAll('.timeline .name')].filter(name => {
    const one = name.getBoundingClientRect();
    return [...document.querySelectorAll('.timeline .fire')].some(fire => {
        const two = fire.getBoundingClientRect();
        return one.left < two.right && two.left < one.right && one.top + 2 < two.bottom && two.top + 2 < one.bottom;
    });
}).map(name => name.textContent)"""
LOOKS = {
    "desk-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"},
}
PAGES = {
    "now": ("/", "over the weights it began with"),
    "games": ("/games", "turns of"),
    "game": (f"/game?{urlencode({'id': HOSTILE_ID, 'turn': 20})}", "ran into a wall on turn 62"),
    "thoughts": (f"/game?{urlencode({'id': THOUGHT, 'turn': 3})}", "9 turns ahead"),
    "tuner": ("/tuner", "over the weights it began with"),
    "strength": ("/strength", "Snake and network"),
    "history": ("/history", "timed out"),
    "schedules": ("/schedules", "high_data_availability"),
    "schedule": ("/schedules/nightly", "The next five fires"),
    "trigger": ("/triggers/high_data_availability", "What the built-in conditions take"),
    "training": ("/training", "Positions per second"),
    "steer": ("/steer?verb=cancel&run=4", "saves its work"),
    "run": ("/history/2", "Timeline"),
    "new-schedule": ("/new/schedule", "The next five fires"),
    "new-trigger": ("/new/trigger", "What the built-in conditions take"),
    "games-of-training": ("/training/games", "Training has kept no game yet"),
    "interface": ("/api/docs", "/api/v1/openapi.json"),
}


@pytest.fixture(scope="module", params=LOOKS)
def look(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[tuple[str, BrowserContext]]:
    context = chromium.new_context(timezone_id="America/New_York", **LOOKS[request.param])
    yield request.param, context
    context.close()


def opened(context: BrowserContext, site: Served, path: str) -> tuple[Page, list[str]]:
    """The page at rest, and what its console complained of."""
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"http://127.0.0.1:{site.port}{path}")
    page.wait_for_load_state("load")
    if path.startswith("/game?"):
        page.wait_for_selector("body[data-player=ready]")
    return page, said


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_there_is_to_everybody(
    name: str, look: tuple[str, BrowserContext], site: Served, pictures: Path
) -> None:
    """No complaint of the browser, nothing wider than the screen, nothing serious by axe, nothing hostile alive."""
    how, context = look
    path, words = PAGES[name]
    page, said = opened(context, site, path)
    page.wait_for_function("words => document.getElementById('content').innerText.includes(words)", arg=words)
    page.screenshot(path=pictures / f"{name}-{how}.png", full_page=True)
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(COVERED) == []
    assert page.evaluate("[typeof pwned, document.querySelectorAll('#content img, #content script, #x').length]") == [
        "undefined", 0
    ]  # fmt: skip
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    serious = [(each["id"], each["impact"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found
               if each["impact"] in {"serious", "critical"}]  # fmt: skip
    assert serious == []
    page.close()


def test_times_are_those_of_the_reader_and_of_the_schedule(look: tuple[str, BrowserContext], site: Served) -> None:
    _, context = look
    page, _ = opened(context, site, "/")
    page.wait_for_function("() => document.getElementById('foot').innerText.includes('America/New_York')")
    row = page.locator("#next tr", has_text="nightly").first
    theirs, own = row.locator("td").nth(1).inner_text(), row.locator("td").nth(3).inner_text()
    assert own.endswith("02:00 UTC")
    assert re.search(r"2[12]:00$", theirs)  # 02:00 UTC in New York, in winter and in summer
    page.close()


def test_the_player_shows_what_the_server_draws(chromium: Browser, site: Served) -> None:
    """Turn for turn the same bodies, food and hazards, drawn twice from the same frames: here and in the browser."""
    plain = chromium.new_context(java_script_enabled=False)
    lively = chromium.new_context()
    ids = [row["game_id"] for row in games_of(site)]
    assert len(ids) >= 7
    for game_id in ids:
        page, said = opened(lively, site, f"/game?{urlencode({'id': game_id})}")
        last = int(page.locator("#scrub").get_attribute("max") or 0)
        for turn in sorted({0, 1, last // 3, last // 2, last}):
            page.evaluate(SCRUB, turn)
            still = plain.new_page()
            still.goto(f"http://127.0.0.1:{site.port}/game?{urlencode({'id': game_id, 'turn': turn})}")
            drawn = still.locator("#board *").evaluate_all("ns => ns.length")
            assert page.locator("#board *").count() == drawn > 0
            assert page.evaluate(SHAPES) == _shapes(still)
            assert page.locator("#snakes").inner_text().split() == still.locator("#snakes").inner_text().split()
            still.close()
        assert said == []
        page.close()
    plain.close()
    lively.close()


def _shapes(page: Page) -> list[str]:
    """As the script above, by a page whose own scripts are off."""
    found = re.findall(r"<(\w+)([^>]*?)/?>", page.locator("#board").inner_html())
    told = []
    for tag, attributes in found:
        known = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        told.append(",".join([tag, known.get("d", ""), known.get("cx", ""), known.get("x", "")]))
    return told


def games_of(site: Served) -> list[dict[str, str]]:
    html = site.get("/games", accept="text/html").body.decode()
    links = {unescape(link) for link in re.findall(r'href="(/game\?[^"]+)"', html)}
    return [{"game_id": parse_qs(urlsplit(link).query)["id"][0]} for link in sorted(links)]


def test_a_game_is_played_stepped_scrubbed_and_linked_by_mouse_and_keys(chromium: Browser, site: Served) -> None:
    context = chromium.new_context()
    page, _ = opened(context, site, f"/game?{urlencode({'id': HOSTILE_ID, 'turn': 5})}")
    turn = page.locator("#turn")
    assert turn.inner_text() == "5"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert turn.inner_text() == "6"
    page.keyboard.press("End")
    assert turn.inner_text() == "62"
    page.locator("#first").click()
    assert turn.inner_text() == "0"
    page.locator("#speed").select_option("60")
    page.keyboard.press("Escape")
    page.locator("#play").click()
    page.wait_for_function("() => Number(document.getElementById('turn').innerText) > 8")
    page.locator("#play").click()
    paused = turn.inner_text()
    assert page.locator("#play").inner_text() == "Play"
    assert page.url.endswith(f"turn={paused}")
    again = context.new_page()
    again.goto(page.url)
    again.wait_for_selector("body[data-player=ready]")
    assert again.locator("#turn").inner_text() == paused
    context.close()


def test_a_cron_line_is_told_as_one_types_and_saved_only_when_it_fires(chromium: Browser, site: Served) -> None:
    context = chromium.new_context()
    page, _ = opened(context, site, "/new/schedule")
    page.locator("[name=cron_expression]").fill("30 6 * * 1")
    page.wait_for_function("() => document.getElementById('preview').innerText.includes('Monday')")
    assert page.locator("#preview li").count() == 5
    page.locator("[name=cron_expression]").fill("0 0 30 2 *")
    page.wait_for_function("() => document.getElementById('preview').innerText.includes('never fires')")
    page.locator("[name=name]").fill("leap")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("#error-cron_expression")
    assert "never fires" in page.locator("#error-cron_expression").inner_text()
    assert page.locator("[name=name]").input_value() == "leap"
    context.close()


def test_charts_open_the_games_behind_their_points(chromium: Browser, site: Served) -> None:
    context = chromium.new_context()
    for path, what in (("/tuner", "games"), ("/strength", "games")):
        page, _ = opened(context, site, path)
        links = page.locator("svg.chart a")
        assert links.count() >= 2
        for link in [links.nth(number).get_attribute("href") for number in range(links.count())]:
            assert link is not None
            answer = page.request.get(f"http://127.0.0.1:{site.port}{link}")
            assert answer.ok and what in answer.text()
        page.close()
    context.close()


def test_the_first_visit_of_a_browser_learns_its_zone_and_leaves_the_player_alone(
    chromium: Browser, site: Served
) -> None:
    """The zone is told by a cookie that the first page sets: what is shown anew then must not be what is played."""
    context = chromium.new_context(timezone_id="Asia/Tokyo")
    page, said = opened(context, site, f"/game?{urlencode({'id': HOSTILE_ID, 'turn': 3})}")
    page.wait_for_function("() => document.getElementById('foot').innerText.includes('Asia/Tokyo')")
    page.keyboard.press("ArrowRight")
    assert page.locator("#turn").inner_text() == "4"
    assert page.locator("#play").is_visible() and said == []
    context.close()


def test_a_lost_ladder_game_shows_what_our_snake_thinks_of_each_turn(chromium: Browser, site: Served) -> None:
    context = chromium.new_context()
    page, said = opened(context, site, f"/game?{urlencode({'id': LOST, 'turn': 39})}")
    assert "It could have gone left on turn 40." in page.locator("body").inner_text()
    assert page.locator("#thoughts table").count() == page.locator("#board .think").count() == 0
    page.keyboard.press("ArrowRight")
    assert page.locator("#thoughts tr").nth(1).inner_text().split() == ["left", "12.5", "yes", "6", "1,234"]
    assert page.locator("#board .think").count() == 2, "an arrow from the head to where it would go"
    page.get_by_role("link", name="Turn 40").click()
    page.wait_for_selector("body[data-player=ready]")
    assert page.locator("#turn").inner_text() == "40" and said == []
    context.close()


def test_an_own_game_shows_what_our_snake_thought_when_it_moved(chromium: Browser, site: Served) -> None:
    """By its own log; the same with scripts and without, and never as markup."""
    context, plain = chromium.new_context(), chromium.new_context(java_script_enabled=False)
    for turn, told in (
        (0, "Left, 31.25: 9 turns ahead, 4,000 positions, answered in 3.5 ms."),
        (1, "Up, 0.125, answered in 0.4 ms."),
    ):
        where = f"/game?{urlencode({'id': THOUGHT, 'turn': turn})}"
        page, said = opened(context, site, where)
        still = plain.new_page()
        still.goto(f"http://127.0.0.1:{site.port}{where}")
        assert page.locator("#own p").inner_text() == still.locator("#own p").inner_text() == told
        rows = page.locator("#own td").all_inner_texts()
        assert rows == still.locator("#own td").all_inner_texts()
        if turn == 0:
            assert rows == ["left", "31.25", "up", "at most -7", HOSTILE, "at most -900"]
            page.keyboard.press("End")
            assert "not asked on this turn" in page.locator("#own").inner_text()
        assert said == []
        page.close()
    context.close()
    plain.close()


def test_the_game_that_is_played_is_shown_turn_by_turn_and_the_next_one_after_it(
    chromium: Browser, site: Served, tmp_path: Path
) -> None:
    """Written by the work's own writer, which first must be told that somebody looks."""
    context = chromium.new_context()
    page, said = opened(context, site, "/games")
    games, home = LiveGames(site.settings.home, LiveSource.TUNER), site.settings.home
    assert "No game has been shown here lately" in page.locator("#live").inner_text()
    page.wait_for_function("() => document.getElementById('live-controls').checkVisibility() === false")
    for name in ("first", "second"):
        wait_for(games.wanted)
        games.begin(name, f"A test {HOSTILE}", ("royale", "royale"), (7, 7), [HOSTILE, "two"])
        for turn in range(4):
            place = [(0, 90 - turn, 3, 1, 1 + turn), *([(1, 5, 3, 5, 5)] if turn < 3 else [])]
            bodies = [(0, [1, 1, 1, 1, 1, 1]), (1, [5, 5, 5, 4, 5, 3])] if turn == 0 else None
            games.turn(GameLogFrame(t=turn, s=place, b=bodies, f=[3, 3]))
            page.wait_for_function("told => document.body.dataset.live === told", arg=f"{name} {turn}")
        games.end(["", "out-of-health"])
        page.wait_for_function("() => document.getElementById('live-turn').innerText === 'Turn 3, over'")
        rows = page.locator("#live-snakes tr").all_inner_texts()
        assert rows[0].split("\t")[0].strip() == HOSTILE
        assert "out of health" in rows[1]
    assert page.evaluate("[typeof pwned, document.querySelectorAll('#content img, #content script').length]") == [
        "undefined", 0
    ]  # fmt: skip
    still = chromium.new_context(java_script_enabled=False)
    plain = still.new_page()
    plain.goto(f"http://127.0.0.1:{site.port}/games")
    assert plain.locator("#live-turn").inner_text() == "Turn 3"
    assert plain.locator("#live-drawing .body").count() == 1
    assert said == []
    context.close()
    still.close()
    live_file(home, LiveSource.TUNER).unlink()


def test_a_log_that_is_followed_stays_at_its_end_and_one_that_is_read_where_it_is(
    chromium: Browser, site: Served
) -> None:
    context = chromium.new_context(timezone_id="UTC", bypass_csp=True, viewport={"width": 390, "height": 800})
    page, _ = opened(context, site, "/history/2")
    page.add_style_tag(content="pre.log { max-height: 24px !important; padding: 0 !important }")
    end = "(() => { const log = document.querySelector('pre.log'); return log.scrollHeight - log.clientHeight; })()"
    assert page.evaluate(end) > 24, "the log is longer than what is shown of it"
    for place in (page.evaluate(end), 0):
        page.evaluate(
            """top => new Promise(done => {
                document.addEventListener("refreshed", done, {once: true});
                const log = document.querySelector("pre.log");
                log.scrollTop = top;
                log.closest("[data-live]").append("changed");
                document.dispatchEvent(new Event("visibilitychange"));
            })""",
            place,
        )
        assert page.evaluate("document.querySelector('pre.log').scrollTop") == place
    context.close()
