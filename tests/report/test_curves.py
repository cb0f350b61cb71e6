"""Drawings of what a run logged."""
import re
import xml.etree.ElementTree

import numpy as np
import pytest

from tf2gan.report import curves

FIGURE = "fid1000_mnist-train_classifier-mnist-28x28x1-81ac2b"


def history(num, **scalars):
    """Log lines with scalars that are functions of their number."""
    return [{"step": i, "images": 10 * i, "epoch": i / 7, "seconds": 0.1 * i,
             **{name: function(i) for name, function in scalars.items()}} for i in range(1, num + 1)]


def drawn(*args, **scalars):
    """{title: drawing}, in order."""
    return {drawing["title"]: drawing for drawing in curves.draw(history(*args, **scalars))}


def paths(drawing, colour=0):
    """The vertices of each curve of a colour, [num, 2] in the drawing's own units, whose y points down."""
    found = re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--c%d\)[^>]*clip-path' % colour, drawing["svg"]) or \
        re.findall(r'<path d="([^"]*)"[^>]*clip-path[^>]*stroke: var\(--c%d\)' % colour, drawing["svg"])
    return [np.array([[float(n) for n in vertex] for vertex in re.findall(r"[ML] ([-0-9.]+) ([-0-9.]+)", path)])
            for path in found]


def test_what_has_a_unit_shares_a_drawing_and_figures_come_first():
    found = drawn(3, images_per_second=float, real_accuracy_x=float, fake_accuracy_y=float, generator_loss=float,
                  discriminator_loss=float, cycle_x=float, cycle_y=float, adversarial_xy=float, diversity=float,
                  **{FIGURE: float})
    assert {title: [line["name"] for line in drawing["lines"]] for title, drawing in found.items()} == {
        "fid": [FIGURE], "Accuracy of the discriminator": ["real_accuracy_x", "fake_accuracy_y"],
        "Losses": ["generator_loss", "discriminator_loss"], "Cycle": ["cycle_x", "cycle_y"],
        "Adversarial": ["adversarial_xy"], "Diversity of samples (real images: 1)": ["diversity"],
        "Images per second": ["images_per_second"]}
    assert list(found)[0] == "fid" and list(found)[-1] == "Images per second"
    assert found["fid"]["better"] == "lower" and found["fid"]["is_figure"]
    assert found["Losses"]["better"] is None and not found["Losses"]["is_figure"]


@pytest.mark.parametrize("name, title, better", [
    ("recall500_a-test_x", "recall", "higher"), ("ms_ssim100_a-test_x", "ms_ssim", "lower"),
    ("kid_a2b100_a-test_x", "kid_a", "lower"), ("is10_a-test_x", "is", "higher"), ("new7_a-test_x", "new", None)])
def test_figures_by_their_names(name, title, better):
    (drawing,) = curves.draw(history(2, **{name: float}))
    assert (drawing["title"], drawing["better"], drawing["window"]) == (title, better, 1)


def test_deviations_of_figures_are_bars():
    bare, with_bars = (curves.draw(history(3, **{FIGURE: float, **more})) for more in (
        {}, {FIGURE + "_deviation": lambda i: {1: 0.5, 3: None}.get(i, 0.25)}))
    assert len(with_bars) == 1 and with_bars[0]["lines"] == bare[0]["lines"]
    assert with_bars[0]["svg"].count("stroke: var(--c0)") > bare[0]["svg"].count("stroke: var(--c0)")
    assert len(curves.draw(history(3, a=float, a_deviation=float))) == 2  # of no figure


def test_numbers_beside_a_curve_leave_out_what_is_not_finite():
    values = {1: 5.0, 2: float("nan"), 3: 2.0, 4: float("inf"), 5: None, 6: 3.0}
    (line,) = drawn(6, a_loss=values.get)["Losses"]["lines"]
    assert line == {"name": "a_loss", "colour": 0, "lowest": 2.0, "highest": 5.0, "last": 3.0}
    assert curves.draw(history(2, a_loss=lambda i: float("nan"))) == curves.draw([]) == []


def test_a_curve_goes_through_its_points():
    (path,) = paths(drawn(3, a_loss={1: 0.0, 2: 3.0, 3: 1.0}.get)["Losses"])
    x, y = path.T
    np.testing.assert_allclose((x[1] - x[0]) / (x[2] - x[0]), 0.5, atol=1e-5)
    np.testing.assert_allclose((y[0] - y[2]) / (y[0] - y[1]), 1 / 3, atol=1e-5)


def test_scales():
    assert drawn(50, a_loss=lambda i: 10.0 ** -i)["Losses"]["log"]
    assert not drawn(50, a_loss=lambda i: 10.0 ** -i - 1e-9)["Losses"]["log"]  # some are below zero
    assert not drawn(50, a_loss=float)["Losses"]["log"]
    assert not drawn(300, a_loss=lambda i: 1e9 if i == 1 else 1.0)["Losses"]["log"]  # one outlier is no scale
    (path,) = paths(drawn(3, a_loss=lambda i: 100.0 ** i)["Losses"])
    np.testing.assert_allclose(np.diff(path[:, 1], 2), 0, atol=1e-4)  # a straight line


def test_many_points_are_smoothed_beside_a_faint_line_of_all():
    noisy = drawn(400, a_loss=lambda i: 5.0 + (-1) ** i)["Losses"]
    assert noisy["window"] == 10
    faint, bold = paths(noisy)
    assert np.ptp(bold[:, 1]) < 0.25 * np.ptp(faint[:, 1])
    assert noisy["svg"].count("stroke-opacity: 0.3") == 1
    assert len(paths(drawn(39, a_loss=float)["Losses"])) == 1


def test_moving_mean():
    np.testing.assert_allclose(curves._moving_mean(np.array([1.0, 2, 6, 4]), 3), [1.5, 3, 4, 5])
    np.testing.assert_allclose(curves._moving_mean(np.array([1.0, 2, 6]), 5), [1.5, 3, 4])
    np.testing.assert_allclose(curves._moving_mean(np.arange(9.0), 1), np.arange(9.0))


def test_a_long_history_makes_no_large_drawing():
    random = np.random.default_rng(0).normal(size=50_001)
    (drawing,) = curves.draw(history(50_000, a_loss=lambda i: random[i]))
    assert len(drawing["svg"]) < 300_000
    (line,) = drawing["lines"]
    assert line["lowest"] == random[1:].min()


def test_drawings_of_a_page_do_not_disturb_each_other():
    found = curves.draw(history(100, a_loss=float, b_accuracy=float, **{FIGURE: float}))
    ids = []
    for drawing in found:
        root = xml.etree.ElementTree.fromstring(drawing["svg"])
        ids += [element.get("id") for element in root.iter() if element.get("id")]
        assert root.get("viewBox") and not root.get("width")
        assert "<style" not in drawing["svg"] and "<metadata" not in drawing["svg"]
        assert set(re.findall(r"(?:stroke|fill): ([^;\"]+)", drawing["svg"])) <= {
            "none", "var(--muted)", "var(--line)", "var(--c0)"}
    assert len(ids) == len(set(ids))
    assert curves.draw(history(100, a_loss=float)) == curves.draw(history(100, a_loss=float))


def test_more_curves_than_colours():
    (drawing,) = curves.draw(history(3, **{f"{name}_loss": float for name in "abcdefghij"}))
    assert [line["colour"] for line in drawing["lines"]] == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]
    assert "--c7" in drawing["svg"] and "--c8" not in drawing["svg"]


def test_accuracies_have_the_scale_of_shares():
    """However small some are: from 0 to 1, not logarithmic."""
    tiny, = curves.draw([{"step": step, "images": step, "real_accuracy": 0.001 * 10 ** step} for step in range(4)])
    assert not tiny["log"]
    loss, = curves.draw([{"step": step, "images": step, "a_loss": 0.001 * 10 ** step} for step in range(4)])
    assert loss["log"]
