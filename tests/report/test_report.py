"""The report of a run: what is on the page, what is kept from it, and where it may be written."""
import base64
import dataclasses
import html.parser
import io
import json
import pathlib
import shutil
import types

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.gans import cyclegan
from tf2gan.models import generation
from tf2gan.report import faults as report_faults
from tf2gan.report import page as report_page
from tf2gan.runs.restore import load_gan
from tf2gan.training.options import Options

STRANGE = "a<b>&\"c'{{d}}"  # as a name of a data set; markup that is not escaped would be an element <b>
CLASSES = ["<i>one", "two & \"three\""]
FIGURE = "fid100_mnist-test_classifier-1a2b"


class Parsed(html.parser.HTMLParser):
    """A page: `text` (white space single), `elements`: [(tag, {attribute: value})]."""

    def __init__(self, source):
        super().__init__()
        self.elements, self._parts, self.source = [], [], source
        self.feed(source)
        self.text = " ".join("".join(self._parts).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self._parts.append(data)

    def of(self, tag, **wanted):
        return [attributes for name, attributes in self.elements
                if name == tag and all(attributes.get(key) == value for key, value in wanted.items())]

    def pictures(self, start):
        """Contents, bytes, of all pictures whose alternative text begins so."""
        return [base64.b64decode(image["src"].split(",")[1]) for image in self.of("img")
                if image["alt"].startswith(start)]


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_config):
    """Folders, not to be changed, of two runs: `cgan` on classes with strange names; `cyclegan`, not really trained."""
    place = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    for name in CLASSES:
        (place / STRANGE / name).mkdir(parents=True)
        for index in range(6):
            picture = random.integers(0, 256, [12, 12, 3], np.uint8)
            Image.fromarray(picture).save(place / STRANGE / name / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)  # so that no absolute path is typed
        done = tool.run_here(
            "--model", "cgan", "--dataset", f"./{STRANGE}", "--run-dir", place / "cgan", "--image-size", "12",
            "--batch-size", "4", "--latent-size", "5", "--generator-filters", "2", "--discriminator-filters", "2",
            "--steps", "6", "--log-every", "1", "--sample-every", "1", "--num-samples", "2")
    assert done.returncode == 0, done.stderr
    config = tiny_config(dataset="/secret/place/fruit")
    run = tool.made_run(place / "cyclegan", {
        "model": "cyclegan", "preset": "default", "config": dataclasses.asdict(config), "total_images": 30,
        "options": dataclasses.asdict(Options()), "data": {"trainA": 6, "trainB": 7}})
    run.save(cyclegan.CycleGAN(config, 30), {"replicas": 1})
    run.log({"step": 15, "images": 30, "epoch": 4.29, "seconds": 3.5, "images_per_second": 8.6, "cycle_x": 0.5,
             "generator_loss": 7.25, "real_accuracy_y": 0.75})
    for seen in (0, 30):
        images.write_image(run.path / "samples" / f"{seen:010d}.png", np.full([9, 1000, 3], seen, np.uint8))
    return types.SimpleNamespace(place=place, cgan=place / "cgan", cyclegan=place / "cyclegan")


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run of cgan, to be changed."""
    return pathlib.Path(shutil.copytree(made.cgan, tmp_path / "a run"))


@pytest.fixture(scope="module")
def whole(made):
    """The page of cgan."""
    return Parsed(report_page.render(made.cgan))


def evaluation(images_seen=24, weights="averaged", **changes):
    return json.dumps({
        "protocol": {"images_seen": images_seen, "weights": weights, "num_fake": 100,
                     "extractor": {"name": "cl<b>", "accuracy": 0.9948},
                     "images": "/secret/place/photos", "spec": "savedmodel:/secret/place/net:fast"},
        "figures": [{"metric": "fid", "name": FIGURE, "better": "lower", "deviations": {},
                     "values": {"real_train": 0.5, "model": 12.3456}},
                    {"metric": "is", "name": "is100_x", "better": "higher", "values": {"model": 8.5, "other": 20000.4},
                     "deviations": {"model": 0.25}}], "table": "", **changes})


def test_the_page_needs_nothing_beside_it(whole):
    for tag, attributes in whole.elements:
        for name, value in attributes.items():
            if name in ("src", "srcset", "data", "action", "poster"):
                assert value.startswith("data:image/")
            if name in ("href", "xlink:href"):
                assert value.startswith("#")
        assert tag not in ("link", "iframe", "object", "embed", "base")
    assert "@import" not in whole.source and "url(http" not in whole.source
    policy = whole.of("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    ids = [attributes["id"] for _, attributes in whole.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for attributes in whole.of("a")}
    assert len(targets) == 9 and targets <= set(ids)


def test_names_are_escaped(whole):
    assert f"cgan on {STRANGE}" in whole.text
    assert STRANGE not in whole.source and "&lt;b&gt;" in whole.source
    assert not [each for each in whole.of("i") if not each["class"].startswith("line")]  # those of the legends


def test_what_is_told_of_the_run(whole, made):
    for words in ("Images seen24", "2 epochs", "Steps6", "of 4 images", "Image size12 × 12", "Seed0",
                  "train: 12 images", "The log was searched for images of a batch that become equal;",
                  "None of these was seen. Whether the images are good, only the samples", "tools/train.py --model cgan",
                  "Not measured yet: tools/evaluate.py --run DIR", "tools/evaluate.py --run DIR --nearest",
                  "generator: ", "tensorflow"):
        assert words in whole.text, words
    assert "Training is not at its end" not in whole.text and "--run-dir" not in whole.text
    assert str(made.place) not in whole.source


def test_changed_options_are_marked(whole):
    expected = {"dataset", "batch_size", "image_size", "steps", "latent_size", "generator_filters", "num_samples",
                "discriminator_filters", "sample_every", "log_every"}
    listed = whole.text.split("marked below:")[1].split("Options of the method")[0]
    assert {name for name in listed.split() if name in expected or "_" in name} == expected
    assert "latent_size 5 instead of 100" in listed and "channels" not in listed
    assert len(whole.of("tr", **{"class": "changed"})) == len(expected)
    assert "numbers that an image is made from" in whole.text


def test_image_sizes_that_the_data_gave_are_not_changes(run):
    record = json.loads((run / "config.json").read_text())
    record["command"] = "tools/train.py --model cgan"
    (run / "config.json").write_text(json.dumps(record))
    listed = Parsed(report_page.render(run)).text.split("marked below:")[1].split("Options of the method")[0]
    assert "image_size" not in listed and "latent_size" in listed


def test_final_samples_have_a_row_a_class(whole, made):
    gan, _ = load_gan(made.cgan)
    sampler = generation.Sampler.from_gan(gan)
    latents = sampler.latents(8, 0)
    rows = np.stack([sampler.images(latents, [label] * 8) for label in (0, 1)])
    (found,) = whole.pictures("Final samples")
    np.testing.assert_array_equal(pixels(found), images.grid(images.enlarged(rows), row_titles=sampler.class_names))
    assert "A row for each class, a column for each of 8 latents of seed 0" in whole.text
    assert "by the averaged weights after 24 images" in whole.text


def test_sample_grids_through_time(whole, made):
    files = sorted((made.cgan / "samples").iterdir())
    shown, *strip = whole.pictures("Samples after")
    assert strip == [file.read_bytes() for file in files] and shown == strip[-1]
    assert whole.of("input", type="range")[0]["max"] == "6"
    height, width = images.image_size(files[0])
    scale = 560 // width
    assert [(each["width"], each["height"]) for each in whole.of("img", id="shown")] == [
        (str(scale * width), str(scale * height))]
    assert "evenly spaced" not in whole.text and "Compressed" not in whole.text


def test_many_grids_are_thinned_and_large_ones_compressed(run, monkeypatch):
    monkeypatch.setattr(report_page, "MOST_FRAMES", 4)
    strip = Parsed(report_page.render(run))
    files = sorted((run / "samples").iterdir())
    assert strip.pictures("Samples after")[1:] == [files[index].read_bytes() for index in (0, 2, 4, 6)]
    assert "4 of 7 grids, evenly spaced" in strip.text
    monkeypatch.setattr(report_page, "FRAME_BYTES", sum(files[index].stat().st_size for index in (0, 2, 4, 6)) - 1)
    compressed = Parsed(report_page.render(run))
    assert "under samples. Compressed for this page" in compressed.text
    for content, index in zip(compressed.pictures("Samples after")[1:], (0, 2, 4, 6)):
        original = pixels(files[index].read_bytes())
        assert content[8:12] == b"WEBP" and pixels(content).shape == original.shape
        assert np.abs(pixels(content).astype(int) - original).mean() < 12


@pytest.mark.parametrize("num, most, expected", [
    (0, 4, []), (1, 4, [0]), (4, 4, [0, 1, 2, 3]), (5, 2, [0, 4]), (101, 5, [0, 25, 50, 75, 100])])
def test_spread(num, most, expected):
    assert report_faults.evenly(num, most) == expected


def test_of_a_method_that_translates(made):
    found = Parsed(report_page.render(made.cyclegan))
    files = sorted((made.cyclegan / "samples").iterdir())
    assert found.pictures("Final samples") == [files[-1].read_bytes()]
    assert "cyclegan on fruit" in found.text and "generators that fool no discriminator" in found.text
    for words in ("cycle_x last 0.5", "generator_loss last 7.25", "Training time4 s", "4.286 epochs", "4 networks"):
        assert words in found.text, words
    assert "/secret" not in found.source


def test_before_the_first_checkpoint(run):
    shutil.rmtree(run / "checkpoints")
    (run / "evaluation.json").write_text(evaluation())
    found = Parsed(report_page.render(run))
    assert "The run has no checkpoint yet" in found.text and not found.pictures("Final samples")
    assert len(found.pictures("Samples after")) == 8 and "Of other weights" in found.text
    for path in (run / "metrics.jsonl", run / "evaluation.json"):
        path.unlink()
    shutil.rmtree(run / "samples")
    found = Parsed(report_page.render(run))
    for words in ("Images seen0", "no sample grid yet", "Nothing has been logged yet", "not at its end: 0 of 24"):
        assert words in found.text, words
    assert not found.of("img")


def test_figures_with_protocol_and_anchors(run):
    (run / "evaluation.json").write_text(evaluation())
    found = Parsed(report_page.render(run))
    assert [each["data-column"] for each in found.of("td") if "data-column" in each] == 2 * [
        "this model", "training data", "other"]
    for words in (f"fid ↓{FIGURE}", "12.35", "0.5", "is ↑is100_x", "8.5 ± 0.25", "20,000", "cl<b>", "0.9948",
                  "imagesphotos", "specsavedmodel:net:fast"):
        assert words in found.text, words
    assert "Of other weights" not in found.text and "/secret" not in found.source
    (run / "evaluation.json").write_text(evaluation(images_seen=20))
    assert "measured with the averaged weights after 20 images, while" in Parsed(report_page.render(run)).text
    (run / "evaluation.json").write_text(evaluation(weights="raw"))
    assert "by the averaged ones of the newest checkpoint, after 24" in Parsed(report_page.render(run)).text


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"protocol": {}}', evaluation(figures=[1]), evaluation(protocol=1)])
def test_damaged_figures(run, text):
    (run / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match="evaluation.json: cannot be read .* tools/evaluate.py") as caught:
        report_page.render(run)
    assert "\n" not in str(caught.value)


def test_nearest_neighbours(run):
    for name in ("pixels", "features"):
        images.write_image(run / f"nearest_{name}.png", np.full([3, 5, 3], len(name), np.uint8))
    found = Parsed(report_page.render(run))
    for name in ("pixels", "features"):
        (content,) = found.pictures(f"Samples beside the training images nearest by {name}")
        assert content == (run / f"nearest_{name}.png").read_bytes()
    assert "--nearest" not in found.text


def test_faults_at_any_time_are_told(run, monkeypatch):
    line = {**tool.metrics(run)[-1], "real_accuracy": 0.7, "fake_accuracy": 0.7, "discriminator_loss": 0.6}

    def text(*diversities):
        """Of a run that logs each of them for 600 steps, which is more than a fault must last."""
        lines = [{**line, "step": step, "images": 4 * step, "diversity": diversities[(step - 1) // 600]}
                 for step in range(50, 600 * len(diversities) + 1, 50)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return Parsed(report_page.render(run)).text

    assert "None of these was seen" in text(0.8, 0.8)
    assert "mode collapse, first seen at step 1,100, and to the end: for 500 steps" in text(0.8, 0.01)
    assert "mode collapse, first seen at step 1,100, gone at the end: for 500 steps" in text(0.8, 0.01, 0.8)
    monkeypatch.setattr(report_faults, "MOST_JUDGED", 20)  # of the 36 log lines
    assert "mode collapse, first seen at step 1,1" in text(0.8, 0.01, 0.8)


def test_a_run_that_watched_its_figures(run):
    record = json.loads((run / "config.json").read_text())
    record["options"].update(evaluate_every=2, keep_best="fid", stop_after=2)
    (run / "config.json").write_text(json.dumps({**record, "total_images": 400}))
    info = max((run / "checkpoints").glob("[0-9]*")) / "info.json"
    best = {"metric": "fid", "name": FIGURE, "value": 12.5, "step": 2}
    info.write_text(json.dumps({**json.loads(info.read_text()), "watch": {"best": best, "since": 2, "step": 6}}))
    with open(run / "metrics.jsonl", "a") as file:  # a line of its own, without what steps log
        file.write(json.dumps({"step": 6, "images": 24, "epoch": 2.0, "seconds": 1.0, FIGURE: 14.25}) + "\n")
    found = Parsed(report_page.render(run)).text
    for words in ("It was stopped early at step 6", "Best fid12.5at step 2", f"{FIGURE} last 14.25", "keep_best fid"):
        assert words in found, words
