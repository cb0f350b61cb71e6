"""What tests do with the page of a model in a browser."""
import time

import numpy as np
from selenium.webdriver.common.by import By


def until(driver, script, *arguments):
    """Waits for a script to return what is true, and returns it."""
    for _ in range(600):
        found = driver.execute_script(script, *arguments)
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(driver.find_element(By.ID, "status").text)


def pixels(driver, canvas):
    """What a canvas shows: uint8 [height, width, 3]."""
    width, height, values = driver.execute_script("""
        const canvas = document.getElementById(arguments[0]);
        return [canvas.width, canvas.height, [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]];
        """, canvas)
    return np.uint8(values).reshape(height, width, 4)[..., :3]


def put(driver, id, value):
    driver.execute_script("const part = document.getElementById(arguments[0]); part.value = arguments[1]; "
                          "part.dispatchEvent(new Event('input'));", id, value)


def differs(driver, canvas, before):
    for _ in range(400):
        now = pixels(driver, canvas)
        if now.shape != before.shape or (now != before).any():
            return now
        time.sleep(0.02)
    raise AssertionError("the picture has not changed")


def close(found, expected):
    """Within 2 grey levels, as the page promises."""
    expected = np.broadcast_to(expected, found.shape)
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=2)
