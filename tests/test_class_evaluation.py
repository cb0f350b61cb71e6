"""tools/evaluate.py on runs of `cgan` and `gan`: figures recomputed by hand, anchors, the card, and what is refused."""
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

from tf2gan import class_evaluation, evaluation, export, session
from tf2gan.errors import UserError
from tf2gan.metrics import classifier

SIZE, SEED, STEPS, BATCH_SIZE = 12, 3, 2, 4
LEVELS = {"dark": 70, "grey": 128, "light": 186}
NUM_TRAIN, NUM_TEST = 12, {"dark": 3, "grey": 6, "light": 7}
TINY = ("--image-size", str(SIZE), "--batch-size", str(BATCH_SIZE), "--latent-size", "5", "--seed", str(SEED))
NETWORKS = {"cgan": ("--generator-filters", "2", "--discriminator-filters", "2"),
            "gan": ("--generator-widths", "4", "--discriminator-widths", "4")}
NUM = {"cgan": 90, "gan": 270}  # both 270 in all: more than are generated at once
COLUMNS = ("trained", "untrained", "real_test")
ASKED = np.repeat([0, 1, 2], 90)  # of a conditional GAN


def make_data(folder):
    random = np.random.default_rng(0)
    for name, level in LEVELS.items():
        for split, num in (("train", NUM_TRAIN), ("test", NUM_TEST[name])):
            (folder / split / name).mkdir(parents=True)
            for i in range(num):
                pixels = random.normal(level, 6, [SIZE, SIZE]).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def train(model, data, folder, *args):
    done = tool.run_here("--model", model, "--dataset", data, "--run-dir", folder, *TINY, *NETWORKS[model], *args)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", autouse=True)
def readers(tmp_path_factory):
    """The Readers that were used, in order; each is trained for a second, into a cache of this module."""
    used, cache = [], tmp_path_factory.mktemp("cache")

    def classifier_for(*args, **kwargs):
        used.append(classifier.classifier_for(*args, recipe=classifier.Recipe(steps=60, batch_size=16), **kwargs))
        return used[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TF2GAN_CACHE_DIR", os.fspath(cache))
        patched.setattr(class_evaluation, "classifier_for", classifier_for)
        yield used


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("evaluate_tool", tool.ROOT / "tools" / "evaluate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data") / "shades")


@pytest.fixture(scope="module", params=["cgan", "gan"])
def evaluated(request, main, data, readers, tmp_path_factory):
    """A run that the tool has measured: `model`, `run`, `result`, `stdout`, and the `reader` that it used."""
    folder = tmp_path_factory.mktemp(request.param)
    run = train(request.param, data, folder / "run", "--steps", str(STEPS))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["--run", str(run), "--num", str(NUM[request.param]), "--json", str(folder / "figures.json")])
    result = json.loads((run / "evaluation.json").read_text())
    assert json.loads((folder / "figures.json").read_text()) == result
    return types.SimpleNamespace(model=request.param, run=run, result=result, stdout=out.getvalue(), reader=readers[-1])


def read_samples(gan, reader):
    """What is read in the first 270 images of the run's seed, [270, 3]."""
    latents = gan.latents(270, SEED)
    made = (gan.generate(latents) if gan.num_classes is None else gan.generate(latents, ASKED)).numpy()
    return reader.probabilities(np.rint((made.astype(np.float64) + 1) * 127.5).astype(np.uint8))


def read_test(data, reader):
    paths = sorted((data / "test").glob("*/*.png"))
    pixels = np.stack([np.asarray(Image.open(path))[..., None] for path in paths])
    return np.array([list(LEVELS).index(path.parent.name) for path in paths]), reader.probabilities(pixels)


def expected_figures(model, asked, probabilities):
    read = [int(np.argmax(row)) for row in probabilities]
    if model == "gan":
        return {"shares": [read.count(label) / len(read) for label in range(3)],
                "sure": sum(max(row) >= 0.9 for row in probabilities) / len(read)}
    confusion = [[sum((a, r) == (row, column) for a, r in zip(asked, read)) for column in range(3)] for row in range(3)]
    right = [confusion[label][label] for label in range(3)]
    return {"confusion": confusion, "overall": sum(right) / len(read),
            "per_class": [count / sum(row) for count, row in zip(right, confusion)]}


def assert_figures(found, expected):
    """Compares all but the distance, which is of two columns."""
    assert found.keys() - {"distance"} == expected.keys()
    assert all(np.allclose(found[name], value, rtol=1e-9, atol=0) for name, value in expected.items())


def assert_table(model, result):
    """A row for each class, then the summary, each with the figures of the columns that are named above."""
    title, *lines = result["table"].splitlines()
    assert title.split()[-4:] == ["trained", "untrained", "real", "test"]
    kind, summary = (("per_class", {"all classes": "overall"}) if model == "cgan" else
                     ("shares", {"distance of shares": "distance", "read with p >= 0.9": "sure"}))
    columns = [result[name] for name in COLUMNS]
    rows = [(name, [column[kind][label] for column in columns]) for label, name in enumerate(LEVELS)]
    rows += [(name, [column[key] for column in columns]) for name, key in summary.items()]
    assert len(lines) == len(rows)
    for line, (name, values) in zip(lines, rows):
        assert line.startswith(f"{name} ") and re.findall(r"[0-9.]+%", line) == [f"{v:.2%}" for v in values]


def test_figures_of_samples_are_those_of_the_averaged_generator(evaluated):
    gan, _ = session.load_gan(evaluated.run)
    expected = expected_figures(evaluated.model, ASKED, read_samples(gan, evaluated.reader))
    assert_figures(evaluated.result["trained"], expected)


def test_figures_of_a_generator_that_errs_in_a_known_way(evaluated, monkeypatch):
    """Networks of two steps make one grey whatever they are asked for, which shows no order of classes."""
    def levels(latents, labels):
        return np.where(latents[:, 0] > 0.5, (labels + 1) % 3, labels)  # N(0, 1): in 31 of 100 the next class

    def generate(self, latents, *condition):
        def draw(latents, *condition):
            labels = levels(latents, condition[0] if condition else np.where(latents[:, 1] > 1, 2, 0))
            labels = labels if self.images_seen.numpy() else 0 * labels + 1
            texture = np.random.default_rng(0).normal(0, 6, [SIZE, SIZE, 1])
            pixels = np.array(list(LEVELS.values()))[labels][:, None, None, None] + texture
            return (pixels / 127.5 - 1).astype(np.float32)

        return tf.numpy_function(draw, [latents, *condition], tf.float32)

    gan, _ = session.load_gan(evaluated.run)
    monkeypatch.setattr(type(gan), "generate", generate)
    result = evaluation.evaluate(evaluated.run, num=NUM[evaluated.model])
    assert_table(evaluated.model, result)
    latents = gan.latents(270, SEED).numpy()
    if evaluated.model == "cgan":
        confusion = np.bincount(3 * ASKED + levels(latents, ASKED), minlength=9).reshape(3, 3)
        assert (confusion > 0).sum() == 6 and len(set(np.diag(confusion))) == 3
        assert result["trained"] == {"confusion": confusion.tolist(), "overall": np.trace(confusion) / 270,
                                     "per_class": (np.diag(confusion) / 90).tolist()}
        assert result["untrained"]["confusion"] == [[0, 90, 0]] * 3
        assert result["untrained"]["per_class"] == [0, 1, 0]
    else:
        counts = np.bincount(levels(latents, np.where(latents[:, 1] > 1, 2, 0)), minlength=3)
        assert len(set(counts)) == 3
        assert result["trained"]["shares"] == (counts / 270).tolist()
        assert result["untrained"]["shares"] == [0, 1, 0]
        real = np.array(list(NUM_TEST.values())) / sum(NUM_TEST.values())
        assert result["real_test"]["shares"] == real.tolist()
        assert result["trained"]["distance"] == pytest.approx(np.abs(counts / 270 - real).sum() / 2)
        assert result["untrained"]["distance"] == pytest.approx(1 - real[1])


def test_figures_of_real_images_are_those_of_the_test_files(evaluated, data):
    asked, probabilities = read_test(data, evaluated.reader)
    assert (probabilities.argmax(-1) == asked).mean() > 0.9  # or the data are not told apart, and all below says little
    assert_figures(evaluated.result["real_test"], expected_figures(evaluated.model, asked, probabilities))


def test_shares_sum_to_one_and_their_distance_is_the_total_variation(evaluated):
    columns = [evaluated.result[name] for name in COLUMNS]
    if evaluated.model == "cgan":
        assert [sum(map(sum, column["confusion"])) for column in columns] == [270, 270, sum(NUM_TEST.values())]
        return
    real = columns[2]["shares"]
    for column in columns:
        assert sum(column["shares"]) == pytest.approx(1)
        # How much of one has to be moved to get the other, a formula of its own.
        assert column["distance"] == pytest.approx(1 - sum(map(min, column["shares"], real)))
    assert columns[2]["distance"] == 0 < columns[0]["distance"]


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)  # batch normalization changes even without learning
def test_the_untrained_anchor_is_the_network_that_the_run_began_with(evaluated, data, tmp_path):
    new = train("gan", data, tmp_path / "new", "--steps", "1", "--ema-decay", "none",
                "--generator-learning-rate", "0", "--discriminator-learning-rate", "0")
    result = evaluation.evaluate(new, num=270)
    assert result["trained"] == result["untrained"] == evaluated.result["untrained"]
    assert result["protocol"]["weights"] == "raw"


def test_the_protocol_is_all_that_the_figures_depend_on(evaluated, data):
    protocol, reader = dict(evaluated.result["protocol"]), evaluated.reader
    labels, probabilities = read_test(data, reader)
    assert protocol.pop("reader_accuracy") == pytest.approx((probabilities.argmax(-1) == labels).mean())
    assert re.fullmatch("[0-9a-f]{64}", protocol["reader_hash"])
    own = ({"metric": "label agreement", "num_per_class": 90} if evaluated.model == "cgan"
           else {"metric": "class coverage", "num": 270})
    assert protocol == {
        **own, "dataset": "shades", "image_size": str(SIZE), "seed": SEED, "weights": "averaged",
        "reader": f"classifier-shades-{SIZE}x{SIZE}x1-{protocol['reader_hash'][:6]}", "reader_hash": reader.hash,
        "images_seen": STEPS * BATCH_SIZE, "num_test": sum(NUM_TEST.values())}


def test_all_runs_on_the_same_data_are_read_by_the_same_classifier(evaluated, readers, monkeypatch):
    monkeypatch.setattr(classifier, "train_classifier", lambda *args: pytest.fail("trained anew"))
    again = evaluation.evaluate(evaluated.run, num=NUM[evaluated.model])
    assert again == evaluated.result
    assert len({reader.hash for reader in readers}) == 1
    cache = pathlib.Path(os.environ["TF2GAN_CACHE_DIR"])
    assert [path.name[:7] for path in (cache / "classifiers").iterdir()] == ["shades-"]


def test_what_the_tool_prints(evaluated):
    protocol, table = evaluated.stdout.split("\n", 1)
    assert json.loads(protocol) == evaluated.result["protocol"]
    assert table == evaluated.result["table"] + "\n"
    assert_table(evaluated.model, evaluated.result)


def test_the_card_of_an_export_has_the_figures_of_these_weights(evaluated, tmp_path):
    gan, record = session.load_gan(evaluated.run)
    folder = export.export(gan, tmp_path / "model", card=record)
    assert json.loads((folder / "model_card.json").read_text())["evaluation"] == evaluated.result
    text = (folder / "README.md").read_text()
    assert f"By `tools/evaluate.py`:\n\n```\n{evaluated.result['table']}\n```" in text
    assert json.dumps(evaluated.result["protocol"], indent=2) in text


# What is refused, before a classifier is trained, and without a file.

@pytest.fixture
def refusal(main, monkeypatch, tmp_path):
    """The one line for a run that cannot be measured."""
    def refused(run):
        with pytest.raises(UserError) as caught, monkeypatch.context() as patched:
            patched.setattr(classifier, "train_classifier", lambda *args: pytest.fail("has begun to work"))
            main(["--run", str(run), "--json", str(tmp_path / "figures.json")])
        assert "\n" not in str(caught.value)
        assert not (run / "evaluation.json").exists() and not (tmp_path / "figures.json").exists()
        return str(caught.value)

    return refused


def test_data_without_labels_are_refused(data, refusal, tmp_path):
    shutil.copytree(data / "train" / "dark", tmp_path / "flat")
    run = train("gan", tmp_path / "flat", tmp_path / "run", "--steps", "1")
    message = refusal(run)
    assert message.startswith(f"{run}: ") and "no labels" in message


def test_data_without_a_test_split_are_refused(data, refusal, tmp_path):
    classes = shutil.copytree(data / "train", tmp_path / "classes")
    run = train("cgan", classes, tmp_path / "run", "--steps", "1")
    message = refusal(run)
    assert str(classes) in message and "test" in message
    splits = shutil.copytree(data, tmp_path / "splits")
    run = train("gan", splits, tmp_path / "other", "--steps", "1")
    shutil.rmtree(splits / "test")
    message = refusal(run)
    assert f"{splits} lacks the sub folders test" in message


@pytest.mark.parametrize("change", ["renamed", "added", "no classes"])
def test_other_classes_than_in_training_are_refused(data, refusal, tmp_path, change):
    changed = shutil.copytree(data, tmp_path / "changed")
    run = train("gan", changed, tmp_path / "run", "--steps", "1")
    for split in (changed / "train", changed / "test"):
        if change == "renamed":  # and so in another order
            (split / "dark").rename(split / "night")
        elif change == "added":
            shutil.copytree(split / "dark", split / "extra")
        else:
            shutil.move(split / "dark" / "0.png", split / "0.png")
            for name in LEVELS:
                shutil.rmtree(split / name)
    assert "changed" in refusal(run)


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)
def test_a_folder_cannot_be_the_file_of_figures(evaluated, main, tmp_path):
    with pytest.raises(UserError, match="folder"):
        main(["--run", str(evaluated.run), "--num", "3", "--json", str(tmp_path)])


def test_bad_values_are_refused(main, tmp_path):
    for arguments, part in ((["--num", "0"], "--num 0: must be at least 1"),
                            (["--json", str(tmp_path / "no" / "x.json")], "no such folder")):
        with pytest.raises(UserError, match=part):
            main(["--run", str(tmp_path), *arguments])
