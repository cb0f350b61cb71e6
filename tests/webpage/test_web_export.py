"""`export --format web` in a real browser: opened from disk, and from a plain static host."""
import functools
import http.server
import json
import shutil
import threading
import time

import browser
import numpy as np
import pytest
import tensorflow as tf
import tool
from modelpage import close, differs, pixels, put, until
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tf2gan.core import savedmodel
from tf2gan.models.generation import Sampler

pytestmark = browser.needed
for package in ("tf2onnx", "onnx", "onnxruntime"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def exported(root, tmp_path_factory):
    """A function: {"name"} -> the folder `web` of a model."""
    @functools.lru_cache(maxsize=None)
    def made(name):
        folder = savedmodel.find(shutil.copytree(root / "savedmodels" / name, tmp_path_factory.mktemp("web") / name))
        done = tool.run_here("--from", folder, "--format", "web", tool="export")
        assert done.returncode == 0, done.stderr
        return folder / "web"

    return made


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser.driver(tmp_path_factory.mktemp("browser"), "--use-fake-device-for-media-stream",
                        "--use-fake-ui-for-media-stream") as driver:
        yield driver


@pytest.fixture
def opened(driver, exported):
    """Opens the page of a model from disk, or at an address; nothing may be asked for beside its own files."""
    addresses = []

    def load(name, address=None, width=1280, scheme="light"):
        browser.emulate(driver, width, scheme)
        browser.asked_for(driver)
        addresses.append(address or exported(name).as_uri())
        driver.get(f"{addresses[-1]}/index.html")
        until(driver, "return document.documentElement.dataset.ready === 'yes'")
        return driver

    yield load
    # Chromium advises on canvases that tests read.
    assert [entry for entry in driver.get_log("browser") if entry["source"] != "rendering"] == []
    assert not [asked for asked in browser.asked_for(driver)
                if not asked.startswith((*addresses, "data:", "blob:", "about:"))]


@pytest.mark.parametrize("name, label", (("cgan-mnist", 4), ("progan-mnist", None)))
def test_a_seed_gives_the_image_of_the_tools(name, label, opened, root):
    sampler = Sampler.from_savedmodel(root / "savedmodels" / name)
    driver = opened(name)
    if label is not None:
        driver.find_elements(By.CSS_SELECTOR, "#classes button")[label].click()
    for seed in (7, 123456):
        before = pixels(driver, "picture")
        put(driver, "seed", seed)
        found = differs(driver, "picture", before)
        close(found, sampler.images(sampler.latents(1, seed), None if label is None else [label])[0])


def test_every_control_from_noise(opened):
    """By keyboard too: a button by space, a slider by an arrow."""
    driver = opened("cgan-mnist")
    shown = pixels(driver, "picture")
    driver.find_element(By.ID, "new").send_keys(Keys.SPACE)
    shown = differs(driver, "picture", shown)
    slider = driver.find_element(By.ID, "direction-0")
    for _ in range(30):
        slider.send_keys(Keys.ARROW_RIGHT)
    moved = differs(driver, "picture", shown)
    driver.find_element(By.ID, "centre").click()
    np.testing.assert_array_equal(differs(driver, "picture", moved), shown)
    put(driver, "truncation", 0.3)
    shown = differs(driver, "picture", shown)
    put(driver, "blend", 0.5)
    shown = differs(driver, "picture", shown)
    choices = driver.find_elements(By.CSS_SELECTOR, "#classes button")
    choices[8].click()
    differs(driver, "picture", shown)
    assert [choice.get_attribute("aria-pressed") for choice in choices] == ["false"] * 8 + ["true", "false"]
    walk = driver.find_element(By.ID, "walk")
    walk.click()
    first = int(driver.find_element(By.ID, "seed").get_property("value"))
    until(driver, "return Number(document.getElementById('seed').value) !== arguments[0]", first)
    walk.click()
    assert walk.get_attribute("aria-pressed") == "false"


def test_the_second_seed_is_where_the_slider_ends(opened):
    driver = opened("progan-mnist")
    shown = pixels(driver, "picture")
    put(driver, "blend", 1)
    second = differs(driver, "picture", shown)
    put(driver, "blend", 0)
    put(driver, "seed", 1)
    time.sleep(0.5)
    np.testing.assert_array_equal(pixels(driver, "picture"), second)


@pytest.mark.parametrize("size", ((128, 128), (100, 61)))
def test_a_picture_is_translated_as_by_the_savedmodel(size, opened, root, tmp_path):
    loaded = savedmodel.load(root / "savedmodels" / "apple2orange")
    picture = np.random.default_rng(0).integers(0, 256, [size[1], size[0], 3], np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    driver = opened("apple2orange")
    driver.execute_script("const size = document.getElementById('size'); size.add(new Option(arguments[0], arguments[0]));"
                          "size.value = arguments[0];", max(size))
    for direction in ("a2b", "b2a"):
        before = pixels(driver, "after")
        if direction == "a2b":
            driver.find_element(By.ID, "file").send_keys(str(tmp_path / "picture.png"))
        else:
            driver.find_elements(By.CSS_SELECTOR, "#directions button")[1].click()
        differs(driver, "after", before)
        until(driver, "return document.getElementById('compare').dataset.made === arguments[0]", direction)
        np.testing.assert_array_equal(pixels(driver, "before"), picture)
        expected = loaded.signatures[direction](images=tf.constant(picture[np.newaxis] / np.float32(255)))["images"]
        close(pixels(driver, "after"), np.rint(255 * expected[0]))


def test_drawn_pictures_directions_divider_camera(opened):
    driver = opened("apple2orange")
    shown = pixels(driver, "after")
    driver.find_elements(By.CSS_SELECTOR, "#examples button")[4].click()
    differs(driver, "after", shown)
    until(driver, "return document.getElementById('compare').dataset.made === 'b2a'")
    driver.find_element(By.ID, "divide").send_keys(Keys.HOME)
    assert "100%" in driver.find_element(By.ID, "after").get_attribute("style")
    shown = pixels(driver, "before")
    camera = driver.find_element(By.ID, "camera")
    camera.click()  # a picture that Chromium draws itself, in motion
    differs(driver, "before", shown)
    camera.click()
    assert camera.get_attribute("aria-pressed") == "false"


def test_a_file_that_is_no_picture(opened, tmp_path):
    driver = opened("facades")
    (tmp_path / "notes.txt").write_text("hello")
    driver.find_element(By.ID, "file").send_keys(str(tmp_path / "notes.txt"))
    until(driver, "return document.getElementById('status').textContent.startsWith('notes.txt cannot be read')")


def test_reading_a_picture(opened, root, tmp_path):
    sampler = Sampler.from_savedmodel(root / "savedmodels" / "sgan-mnist")
    driver = opened("sgan-mnist")
    Image.fromarray(sampler.images(sampler.latents(1, 0))[0, ..., 0]).save(tmp_path / "digit.png")
    driver.find_element(By.ID, "to-read").send_keys(str(tmp_path / "digit.png"))
    rows = until(driver, "return [...document.querySelectorAll('#probabilities li')].map(row => row.textContent)")
    expected = savedmodel.load(root / "savedmodels" / "sgan-mnist").signatures["classify"](
        images=tf.constant(np.array(Image.open(tmp_path / "digit.png"))[np.newaxis, ..., np.newaxis] / np.float32(255)))
    assert rows == [f"{label}{100 * value:.1f} %" for label, value in enumerate(expected["probabilities"][0].numpy())]


def test_from_a_static_host(opened, exported):
    """The model is fetched, with how much has come; nothing but the two files is asked for."""
    handler = functools.partial(Quiet, directory=exported("progan-mnist"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        driver = opened("progan-mnist", address)
        assert sorted(asked for asked in browser.asked_for(driver) if asked.startswith(address)) == [
            f"{address}/index.html", f"{address}/latents.js"]
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_folder_that_is_not_together(driver, exported, tmp_path):
    shutil.copy(exported("progan-mnist") / "index.html", tmp_path)
    driver.get(f"{tmp_path.as_uri()}/index.html")
    until(driver, "return document.getElementById('status').textContent.includes('keep the folder together')")
    driver.get_log("browser")


@pytest.mark.parametrize("name", ("apple2orange", "sgan-mnist"))
@pytest.mark.parametrize("width", (320, 1280))
@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_any_width_and_scheme(scheme, width, name, opened):
    driver = opened(name, width=width, scheme=scheme)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(json.loads(ground.replace("rgb(", "[").replace(")", "]"))) < 300) == (scheme == "dark")


@pytest.mark.parametrize("name", ("apple2orange", "cgan-mnist", "sgan-mnist"))
def test_every_control_has_a_name(name, opened):
    driver = opened(name)
    nameless = driver.execute_script("""
        return [...document.querySelectorAll("button, input, select")].filter(part => part.offsetParent && !(
          part.textContent.trim() || part.getAttribute("aria-label") || part.closest("label")?.textContent.trim()
          || part.querySelector("img[alt]"))).map(part => part.outerHTML)""")
    assert nameless == []
