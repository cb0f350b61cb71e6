"""The report in a real browser: what a reader sees, and what the controls do."""
import json

import browser
import pytest
import tool
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tf2gan.core import images
from tf2gan.report import page as report_page

pytestmark = browser.needed
NUM_GRIDS = 7
FIGURE = "fid100_noise-test_classifier-" + "1a2b" * 10  # a name so long that it has to be broken on a phone


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of the report of a run that has everything."""
    folder = tmp_path_factory.mktemp("shown")
    done = tool.run_here("--model", "gan", "--dataset", tool.shared_class_images(tmp_path_factory), "--run-dir",
                         folder / "run", *tool.small("gan"), "--steps", NUM_GRIDS - 1, "--log-every", "1",
                         "--sample-every", "1", "--num-samples", "4")
    assert done.returncode == 0, done.stderr
    lines = tool.metrics(folder / "run")
    for line in lines[1::2]:
        line[FIGURE] = 100.0 / line["step"]
    (folder / "run" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run" / "evaluation.json").write_text(json.dumps({
        "protocol": {"images_seen": 24, "weights": "averaged", "extractor": {"hash": "1a2b" * 16}, "num_fake": 10000},
        "figures": [{"metric": "fid", "name": FIGURE, "better": "lower", "deviations": {"model": 0.0123},
                     "values": {"model": 123.4, "untrained": 345.6, "input": 45.67, "real_train": 0.1234}}]}))
    picture = images.read_image(min((folder / "run" / "samples").iterdir()))
    images.write_image(folder / "run" / "nearest_pixels.png", picture.repeat(8, axis=1))  # wider than any screen
    return report_page.write(folder / "run").as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser.driver(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def show(driver, page):
    """Loads the page at a width in pixels, in a colour scheme; returns the driver."""
    def load(width=1280, scheme="light", scripts=True, unfolded=False):
        driver.get("about:blank")
        driver.get_log("performance")
        browser.emulate(driver, width, scheme)
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        driver.get(page)
        if unfolded:
            driver.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
        return driver

    yield load
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def find(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def find_all(driver, selector):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def grids(driver):
    return [image.get_property("src") for image in find_all(driver, ".strip img")]


def shown(driver):
    """The number of the grid that is shown at large, which everything on the page has to agree on."""
    number = grids(driver).index(find(driver, "#shown").get_property("src"))
    assert find(driver, "#time").get_property("value") == str(number)
    assert find(driver, "#when").text == f"{4 * number} images, {4 * number / 11:.4g} epochs"
    assert find(driver, "#time").get_attribute("aria-valuetext") == find(driver, "#when").text
    assert [bool(frame.get_attribute("aria-current")) for frame in find_all(driver, ".strip button")] == [
        other == number for other in range(NUM_GRIDS)]
    return number


def test_nothing_goes_wrong_and_nothing_is_fetched(show, page):
    driver = show()
    addresses = set(browser.asked_for(driver))
    assert page in addresses
    assert [address for address in addresses - {page} if not address.startswith("data:")] == []
    assert driver.get_log("browser") == []  # errors of scripts, and what the page's own policy refused
    sizes = driver.execute_script("return [...document.images].map(image => [image.complete, image.naturalWidth])")
    assert len(sizes) == NUM_GRIDS + 3 and all(complete and width for complete, width in sizes)


def test_the_slider_shows_other_grids(show):
    driver = show()
    assert len(set(grids(driver))) == NUM_GRIDS
    slider = find(driver, "#time")
    assert shown(driver) == NUM_GRIDS - 1
    slider.send_keys(Keys.ARROW_LEFT)
    assert shown(driver) == NUM_GRIDS - 2
    slider.send_keys(Keys.HOME)
    assert shown(driver) == 0
    find_all(driver, ".strip button")[3].click()
    assert shown(driver) == 3


def test_play(show):
    driver = show()
    seen = driver.execute_async_script("""
        const done = arguments[0], seen = [];
        new MutationObserver(() => seen.push(document.getElementById("time").value))
          .observe(document.getElementById("shown"), {attributeFilter: ["src"]});
        const play = document.getElementById("play"), label = () => play.textContent;
        const before = label();
        play.click();
        const during = label();
        const watch = setInterval(() => {
          if (label() === before) { clearInterval(watch); done([before, during, ...seen]); }
        }, 20);""")
    # It was at the end: it begins at the start, and goes no further than the end.
    assert seen == ["Play", "Pause", *map(str, range(NUM_GRIDS))]
    assert shown(driver) == NUM_GRIDS - 1
    play = find(driver, "#play")
    play.send_keys(Keys.ENTER)
    play.send_keys(Keys.SPACE)
    assert play.text == "Play"
    at = shown(driver)
    driver.execute_async_script("setTimeout(arguments[0], 700)")
    assert shown(driver) == at < NUM_GRIDS - 1


@pytest.mark.parametrize("width", [320, 400, 800, 1280, 2200])
def test_nothing_is_wider_than_the_screen(show, width):
    driver = show(width, unfolded=True)
    needed, there = driver.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert needed <= there <= width
    assert there > width - 20  # or it would be another window that was measured
    # Nor is anything cut off: but for what scrolls by itself, all ends within the window.
    outside = driver.execute_script("""return [...document.querySelectorAll("main *")].filter(part =>
        !part.closest(".strip, .scroll, pre, svg, .hidden") && part.getBoundingClientRect().right > innerWidth + 1)
        .map(part => part.outerHTML.slice(0, 80))""")
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_scheme(show, scheme):
    driver = show(scheme=scheme, unfolded=True)
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    red = int(background.split("(")[1].split(",")[0])
    assert red > 240 if scheme == "light" else red < 40
    for selector in ("h1", "p.quiet", ".facts small", "nav a", ".legend .values", ".plot text", "table code", "#play",
                     ".strip span", "tr.changed th", "tr.changed td.meaning", "thead th", "pre", ".pairs dt", "footer"):
        assert driver.execute_script(browser.CONTRAST, find(driver, selector)) >= 4.5, selector
    strokes = driver.execute_script("return [...document.querySelectorAll('.plot path')].map("
                                    "path => getComputedStyle(path).stroke)")
    assert ("rgb(11, 98, 196)" in strokes) == (scheme == "light")
    assert ("rgb(91, 167, 255)" in strokes) == (scheme == "dark")


def test_curves_are_drawn(show):
    driver = show()
    drawings = find_all(driver, ".plot svg")
    assert len(drawings) == 5  # the figure, losses, accuracy, diversity, speed
    for drawing in drawings:
        assert drawing.size["width"] > 300 and drawing.size["height"] > 150
        lengths = driver.execute_script("return [...arguments[0].querySelectorAll('path[clip-path]')].map("
                                        "path => path.getTotalLength())", drawing)
        assert max(lengths) > 100
    markers = find_all(drawings[0], "use")
    assert len([marker for marker in markers if marker.size["width"] > 0]) >= 3


def test_the_picture_and_its_controls_are_seen_together(show):
    driver = show()
    assert find(driver, "#shown").size["width"] == 456  # twice its own, which keeps pixels square
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": 800, "height": 400, "deviceScaleFactor": 1, "mobile": False})
    size = find(driver, "#shown").size
    assert 290 < size["height"] <= 300 and abs(size["width"] / size["height"] - 1) < 0.02


def test_nothing_moves_while_it_loads(show):
    driver = show(400)
    shift = driver.execute_async_script("""
        const done = arguments[0];
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(entry => sum += entry.value))
          .observe({type: "layout-shift", buffered: true});
        setTimeout(() => done(sum), 300);""")
    assert shift < 0.01


def test_everything_has_a_name_and_can_be_reached_by_keyboard(show):
    driver = show(unfolded=True)
    for element in find_all(driver, "img"):
        assert element.get_attribute("alt")
    for element in find_all(driver, "button, input, [role=img], [role=region]"):
        assert element.accessible_name
    for element in find_all(driver, ".scroll, .strip, pre:not(.wrap)"):
        assert element.get_attribute("tabindex") == "0"  # what scrolls
    levels = [int(heading.tag_name[1]) for heading in find_all(driver, "h1, h2, h3")]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))


def test_without_scripts_the_pictures_are_there(show):
    driver = show(scripts=False)
    assert find(driver, "#shown").size["width"] > 100 and not find(driver, "#play").is_displayed()
    assert len(find_all(driver, ".strip img")) == NUM_GRIDS
