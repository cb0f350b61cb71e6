"""The models that come with the project load, and do what their cards say."""
import json
import pathlib

import numpy as np
import pytest

from tf2gan import savedmodel
from tf2gan.data.synthetic import render_scene
from tf2gan.translation import Translator

FOLDER = pathlib.Path(__file__).parent.parent / "savedmodels"


def green_to_red(image, cover):
    """Median ratio of green to red over the fruit: about 0.2 for a red apple, 0.6 for an orange."""
    fruit = image[cover > 0.99].astype(np.float64)
    return np.median(fruit[:, 1] / np.maximum(fruit[:, 0], 1))


@pytest.fixture(scope="module")
def translator():
    return Translator.from_savedmodel(FOLDER / "apple2orange")


@pytest.mark.parametrize("direction, source, target", [("a2b", "testA", "testB"), ("b2a", "testB", "testA")])
def test_fruit_changes_its_colour_towards_the_other(translator, direction, source, target):
    scenes = [render_scene(source, index, 128) for index in range(24)]  # drawn fruit, of which the model has seen none
    aim = np.median([green_to_red(*render_scene(target, index, 128)) for index in range(24)])
    before = [abs(green_to_red(image, cover) - aim) for image, cover in scenes]
    after = [abs(green_to_red(translator(image, direction), cover) - aim) for image, cover in scenes]
    assert np.mean(after) < 0.75 * np.mean(before)
    assert np.mean(np.array(after) < before) > 0.7


def test_every_model_has_a_card_that_says_how_it_was_made():
    folders = [path.parent for path in FOLDER.glob("*/*/saved_model.pb")]
    assert folders
    for folder in folders:
        card = json.loads((folder / "model_card.json").read_text())
        for key in ("data", "command", "seed", "images_seen", "evaluation", "data_license", "trained_with"):
            assert card.get(key) is not None, key
        assert sorted(card["signatures"]) == sorted(savedmodel.load(folder).signatures)
        assert (folder / "README.md").read_text().startswith(f"# {folder.parent.name}, version {folder.name}")
