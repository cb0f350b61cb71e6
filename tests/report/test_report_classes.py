"""The report's section of classes: what it holds, for whom, and how it looks in a real browser."""
import dataclasses
import json

import numpy as np
import pytest
import tool
from test_report import Parsed

from tf2gan.core.errors import UserError
from tf2gan.gans.conditional import CGAN
from tf2gan.gans.semi_supervised import SGAN
from tf2gan.metrics.classifier import label_agreement
from tf2gan.report import page as report_page
from tf2gan.training.options import Options

NAMES = ("<i>zero", "a white dog", "2")
TRUE, READ = np.repeat([0, 1, 2], [10, 4, 6]), np.array([0] * 9 + [1] + [0, 1, 1, 2] + [2] * 6)
COLUMNS = {"model": label_agreement(TRUE, READ, 3), "baseline": label_agreement(TRUE, READ[::-1], 3),
           "fully_supervised": label_agreement(TRUE, TRUE, 3), "untrained": label_agreement(TRUE, 0 * TRUE, 3)}
PROTOCOL = {"images_seen": 0, "weights": "averaged", "split": "test"}
ACCURACY = {"protocol": PROTOCOL, "confusion": {"names": list(NAMES), "columns": COLUMNS}, "figures": [{
    "metric": "accuracy", "name": "accuracy20_x-test", "better": "higher",
    "values": {column: part["overall"] for column, part in COLUMNS.items()},
    "intervals": {column: [0.12341, 0.98766] for column in COLUMNS}}]}
AGREEMENT = {"protocol": PROTOCOL, "figures": [{
    "metric": "agreement", "name": "agreement20_x-test", "better": "higher",
    "values": {"model": COLUMNS["model"]["overall"], "reference": 1.0}}],
    "classes": {"names": list(NAMES), "shares": {}, "agreement": {},
                "confusion": {"reference": COLUMNS["fully_supervised"], "model": COLUMNS["model"]}}}
SMALL = {"dataset": "x", "image_size": "8", "channels": 1, "batch_size": 2, "steps": 2, "latent_size": 3}


@pytest.fixture
def made(tmp_path):
    """A function that makes a run without any training, and what an evaluation of it wrote; its page."""
    def page(gan_class, config, evaluation=None):
        name = gan_class.__name__.lower()
        folder = tool.made_run(tmp_path / "run", {
            "model": name, "preset": None, "config": dataclasses.asdict(config), "total_images": 4,
            "options": dataclasses.asdict(Options()), "data": {"train": 20}})
        if evaluation is not None:
            folder.evaluation_file.write_text(json.dumps(evaluation))
        return Parsed(report_page.render(folder.path))

    return page


def sgan(**changes):
    return SGAN, SGAN.Config(**SMALL, classes=3, discriminator="strided", generator="strided", generator_filters=1,
                             discriminator_filters=1, discriminator_normalization=None, **changes)


def cgan():
    return CGAN, CGAN.Config(**SMALL, num_classes=3, generator_filters=1, discriminator_filters=1)


def section(page):
    return page.text.split("Classes", 2)[2].split("Curves")[0]


def test_accuracies_and_confusion_of_each_column(made):
    page = made(*sgan(), ACCURACY)
    assert [row.get("href") for row in page.of("a")].count("#classes") == 1
    text = section(page)
    assert "How often images of the split test are read right" in text and "accuracy20_x-test" in text
    for words in ("this model0.8500[0.1234, 0.9877]17 of 20", "labels alone0.", "all labels1.0000[",
                  "untrained0.5000["):
        assert words in text, words
    tables = page.source.split('<table class="matrix">')[1:]
    assert [table.split("<caption>")[1].split("<")[0] for table in tables] == [
        "this model", "labels alone", "all labels", "untrained"]
    model = Parsed(tables[0].split("</table>")[0])
    assert model.text == "this model true<i>zeroa white dog2right <i>zero91090.0 % a white dog12150.0 % 2006100.0 %"
    shades = [cell["class"] for cell in model.of("td") if "class" in cell]
    assert shades == [f"shade{shade}" for shade in (8, 1, 0, 2, 4, 2, 0, 0, 8)]  # 0.9, 0.1, 0; a quarter, a half ...
    assert [head["scope"] for head in model.of("th")] == ["col"] * 5 + ["row"] * 3
    assert not page.of("i", **{"class": None})  # a name is no markup
    assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in page.of("div", **{"class": "scroll"}))
    assert "[0.1234, 0.9877]" in page.text.split("Classes", 2)[1]  # of the figures too


def test_labels_that_images_were_asked_for(made):
    page = made(*cgan(), AGREEMENT)
    text = section(page)
    assert "as the class that was asked for" in text and "asked for<i>zero" in text
    assert "this model0.8500–17 of 20 reference data1.0000–20 of 20" in text  # in this order, and without intervals
    assert page.source.count('<table class="matrix">') == 2
    figures = [cell["data-column"] for cell in page.of("td") if "data-column" in cell][:2]
    assert figures == ["this model", "reference data"]


def test_before_it_is_measured(made):
    page = made(*sgan())
    assert "The accuracy is not measured yet: tools/evaluate.py --run DIR" in section(page)


@pytest.mark.parametrize("evaluation", [None, {"protocol": PROTOCOL, "figures": []}, {
    "protocol": PROTOCOL, "figures": [], "classes": {"names": ["a"], "shares": {}}}])
def test_methods_without_classes_have_no_such_section(made, evaluation):
    page = made(*cgan(), evaluation)
    assert not page.of("section", id="classes") and "#classes" not in page.source


def test_many_classes_are_listed_one_by_one(made):
    labels = np.arange(21)
    columns = {column: label_agreement(labels, read, 21) for column, read in (
        ("model", labels), ("baseline", np.where(labels == 4, 5, labels)))}
    page = made(*sgan(), {**ACCURACY, "confusion": {"names": [f"kind {i}" for i in labels], "columns": columns}})
    text = section(page)
    assert "matrix" not in page.source.split("</style>")[1] and "Each class by itself: 21" in text
    assert "kind 3100.0 %100.0 % kind 4100.0 %0.0 % kind 5" in text


@pytest.mark.parametrize("confusion", [1, [], {"names": NAMES}, {"names": NAMES, "columns": {"model": {}}},
                                       {"names": ["a", "b"], "columns": COLUMNS}])
def test_damaged_matrices(made, confusion):
    with pytest.raises(UserError, match="evaluation.json: cannot be read .* tools/evaluate.py"):
        made(*sgan(), {**ACCURACY, "confusion": confusion})


# In a browser.

@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = pytest.importorskip("browser")
    if chromium.needed.args[0]:
        pytest.skip(chromium.needed.kwargs["reason"])
    with chromium.driver(tmp_path_factory.mktemp("browser")) as driver:
        driver.contrast, driver.emulate = chromium.CONTRAST, chromium.emulate
        yield driver


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cells_can_be_read_and_nothing_is_wider_than_the_screen(made, browser, tmp_path, scheme):
    labels = np.arange(20).repeat(80)
    read = np.where(np.arange(1600) % 80 < labels * 4, (labels + 1) % 20, labels)  # all shares from none to nearly all
    columns = {"model": label_agreement(labels, read, 20)}
    columns["baseline"] = columns["fully_supervised"] = columns["model"]
    made(*sgan(), {**ACCURACY, "confusion": {"names": [f"a long name {i}" for i in range(20)], "columns": columns}})
    path = report_page.write(tmp_path / "run")
    for width in (320, 400, 800, 1280):
        browser.emulate(browser, width, scheme)
        browser.get(path.as_uri())
        needed, there = browser.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert needed <= there <= width
        assert browser.execute_script("return [...document.querySelectorAll('.matrices .scroll')].every("
                                      "box => box.scrollWidth > box.clientWidth && "
                                      "box.getBoundingClientRect().right <= innerWidth)")
        # No cell's text runs into its neighbour's.
        assert browser.execute_script("return [...document.querySelectorAll('.readings td, .matrix td')].every("
                                      "cell => cell.scrollWidth <= cell.clientWidth + 1)")
    grounds = set()
    for shade in range(9):
        cell = browser.find_element("css selector", f".matrix .shade{shade}")
        assert browser.execute_script(browser.contrast, cell) >= 4.5, shade
        grounds.add(cell.value_of_css_property("background-color"))
    assert len(grounds) == 9
    for selector in (".matrix caption", ".matrix thead th", ".matrix tbody th", ".readings td"):
        assert browser.execute_script(browser.contrast, browser.find_element("css selector", selector)) >= 4.5, selector
