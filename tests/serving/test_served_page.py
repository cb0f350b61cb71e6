"""The page that a server sends, in a real browser: the server computes, and the numbers are the same."""
import browser
import numpy as np
import pytest
from modelpage import close, differs, pixels, put, until
from PIL import Image
from selenium.webdriver.common.by import By
from served import LIMITS, Served

from tf2gan.models.generation import Sampler

pytestmark = browser.needed


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser.driver(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


def opened(driver, served):
    browser.asked_for(driver)
    driver.get(f"http://127.0.0.1:{served.port}/")
    until(driver, "return document.documentElement.dataset.ready === 'yes'")


def nothing_else(driver, served):
    """The server's answers are all that was asked for, and nothing was complained about."""
    assert [entry for entry in driver.get_log("browser") if entry["source"] != "rendering"] == []
    assert {asked.split("?")[0] for asked in browser.asked_for(driver) if not asked.startswith(("data:", "blob:"))} == {
        f"http://127.0.0.1:{served.port}{path}"
        for path in ("/", f"{served.path}/versions/{served.servable.version}:predict")}


def test_samples(driver, root):
    sampler = Sampler.from_savedmodel(root / "savedmodels" / "cgan-mnist")
    with Served(root, "cgan-mnist") as served:
        opened(driver, served)
        before = pixels(driver, "picture")
        put(driver, "seed", 99)
        close(differs(driver, "picture", before), sampler.images(sampler.latents(1, 99), [0])[0])
        nothing_else(driver, served)


def test_what_is_read(driver, root):
    with Served(root, "sgan-mnist") as served:
        opened(driver, served)
        assert driver.find_element(By.ID, "reading").text.startswith("Read as ")
        nothing_else(driver, served)


def test_translations_and_what_the_server_refuses(driver, root, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    with Served(root, "facades", LIMITS._replace(pixels=128 * 128), 2 ** 22) as served:
        opened(driver, served)
        driver.find_element(By.CSS_SELECTOR, "#size option[value='64']").click()
        before = pixels(driver, "after")
        driver.find_element(By.ID, "file").send_keys(str(tmp_path / "picture.png"))
        expected = served.expected("b2a", images=picture[np.newaxis] / np.float32(255))["images"][0]
        until(driver, "return document.getElementById('status').textContent.startsWith('64x64')")
        differs(driver, "after", before)
        close(pixels(driver, "after"), np.rint(255 * expected))
        assert driver.find_elements(By.CSS_SELECTOR, "#size option")[-1].text == "128"  # larger ones are not offered
        driver.execute_script("const size = document.getElementById('size'); size.add(new Option(192, 192)); "
                              "size.value = 192; size.dispatchEvent(new Event('change'));")
        until(driver, "return document.getElementById('status').textContent.includes('may have up to 16384')")
