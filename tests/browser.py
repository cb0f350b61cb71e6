"""A real browser for tests: headless Chromium, with a log of what it is asked for and of what it complains about."""
import json
import shutil

import pytest

selenium = pytest.importorskip("selenium", reason="the browser is driven with selenium")
from selenium import webdriver  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needed = pytest.mark.skipif(BROWSER is None or shutil.which("chromedriver") is None,
                            reason="no Chromium with a chromedriver on PATH")
_QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
          "--disable-background-networking", "--disable-component-update")

# The WCAG's contrast ratio of the colours of an element and of what it lies on.
CONTRAST = """
const light = text => text.match(/[0-9.]+/g).slice(0, 3).map(n => n / 255)
  .map(n => n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4)
  .reduce((sum, n, i) => sum + n * [.2126, .7152, .0722][i], 0);
let ground = arguments[0];
while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
const [a, b] = [light(getComputedStyle(arguments[0]).color), light(getComputedStyle(ground).backgroundColor)];
return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);"""


def driver(folder, *arguments):
    """A webdriver.Chrome with its profile in `folder`, to be used as a context manager."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (*_QUIET, f"--user-data-dir={folder}", *arguments):
        options.add_argument(argument)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def emulate(driver, width=1280, scheme="light"):
    """A width of the window in pixels, and a colour scheme."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                           {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


def asked_for(driver) -> list:
    """The addresses that were asked for since the last call."""
    events = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
