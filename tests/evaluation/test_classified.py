"""Accuracy: by hand-made answers, of a run and an export, in a training and at its end, and what is refused."""
import json
import re
import types

import numpy as np
import pytest
import scipy.stats
import shades
import tensorflow as tf
import tool

from tf2gan.core.errors import UserError
from tf2gan.data import labelled, load, pipeline
from tf2gan.evaluation import by_heart, classified, during_training, generated, image_sets, results
from tf2gan.evaluation.evaluate import evaluate_images, evaluate_run, evaluate_savedmodel
from tf2gan.export import exporter
from tf2gan.gans.semi_supervised import SGAN
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan
from tf2gan.training.options import Options

SMALL = ("--generator", "strided", "--discriminator", "strided", "--generator-filters", "2", "--discriminator-filters",
         "2", "--discriminator-normalization", "batch", "--latent-size", "5", "--image-size", shades.SIZE,
         "--batch-size", shades.BATCH_SIZE, "--steps", shades.STEPS, "--num-labels", "6", "--seed", shades.SEED)
COMPARED = ("--baseline", "--fully-supervised")
NUM_TEST = sum(shades.NUM_TEST.values())


def train(data, folder, *args):
    return tool.run_here("--model", "sgan", "--dataset", data, "--run-dir", folder, *SMALL, *args)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run, what the tool said at its end, and the GAN, of weights that read different images differently."""
    folder = tmp_path_factory.mktemp("sgan") / "run"
    process = train(data, folder, *COMPARED)
    assert process.returncode == 0, process.stderr
    at_end = json.loads((folder / "evaluation.json").read_text())
    gan, record = load_gan(folder)
    shades.shake(dict.fromkeys([*gan.classifiers.values(), gan.average]), 0.5)
    gan.images_seen.assign_add(shades.BATCH_SIZE)
    run_folder.Run(folder).save(gan, {"step": shades.STEPS + 1, "replicas": 1})
    return types.SimpleNamespace(run=folder, process=process, at_end=at_end, gan=gan)


@pytest.fixture(scope="module")
def measured(trained):
    return evaluate_run(trained.run)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    gan, record = load_gan(trained.run)
    return exporter.export(gan, tmp_path_factory.mktemp("exports") / "shades", None, record)


def read_by(gan, which, images):
    return gan.classify(images.astype(np.float32) / 127.5 - 1.0, which).numpy().argmax(axis=-1)


# By hand.

class Answers:
    """Reads the class off the grey value of an image: `model` as it is, `baseline` the next class, but 2 for 2."""

    def classify(self, images, which="model"):
        classes = tf.cast(tf.round((images[:, 0, 0, 0] + 1.0) * 127.5), tf.int32)
        return tf.one_hot(classes if which == "model" else tf.minimum(classes + 1, 2), 3)


SHOWN, TRUE = np.array([0, 0, 0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 2, 2, 2, 1])
EXPECTED = {"model": [[2, 0, 0], [1, 1, 1], [0, 1, 2]], "baseline": [[0, 2, 0], [0, 1, 2], [0, 0, 3]]}


@pytest.mark.parametrize("cuts", [[], [1, 3], [4, 5, 7]])
@pytest.mark.parametrize("seed", [None, 0])
def test_confusion_has_a_row_for_each_true_class(cuts, seed):
    order = np.arange(8) if seed is None else np.random.default_rng(seed).permutation(8)
    images = np.broadcast_to(SHOWN[order, None, None, None], [8, 2, 3, 1]).astype(np.uint8)
    counted = []
    batches = list(zip(np.split(images, cuts), np.split(TRUE[order], cuts)))
    found = classified.confusion({which: classified.reader(Answers(), which) for which in EXPECTED},
                                 image_sets.ImageSet("some", 8, (2, 3, 1), lambda: iter(batches)), ("a", "b", "c"),
                                 counted.append)
    assert found["names"] == ["a", "b", "c"] and counted == [len(part) for part, _ in batches]
    assert {which: part["confusion"] for which, part in found["columns"].items()} == EXPECTED
    assert found["columns"]["model"]["overall"] == 5 / 8
    assert found["columns"]["model"]["per_class"] == [1, pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert classified.accuracy(classified.reader(Answers(), "baseline"), images, TRUE[order]) == 4 / 8


# Of a run.

def test_a_run_beside_what_it_is_compared_with(trained, measured, data):
    images, labels = shades.files(data / "test")
    untrained = generated.new_gan(SGAN, trained.gan.config)
    (figure,) = measured["figures"]
    assert (figure["metric"], figure["name"], figure["better"]) == (
        "accuracy", f"accuracy{NUM_TEST}_shades-test_raw" if trained.gan.config.classifier_ema_decay is None
        else f"accuracy{NUM_TEST}_shades-test", "higher")
    assert list(figure["values"]) == ["model", "baseline", "fully_supervised", "untrained"]
    for column, value in figure["values"].items():
        gan, which = (untrained, "model") if column == "untrained" else (trained.gan, column)
        read = read_by(gan, which, images)
        assert value == np.mean(read == labels), column
        expected = [[int(np.sum((labels == true) & (read == other))) for other in range(3)] for true in range(3)]
        assert measured["confusion"]["columns"][column]["confusion"] == expected
        wilson = scipy.stats.binomtest(int(np.sum(read == labels)), NUM_TEST).proportion_ci(method="wilson")
        assert figure["intervals"][column] == pytest.approx(list(wilson), abs=1e-4)
    assert len({json.dumps(part["confusion"]) for part in measured["confusion"]["columns"].values()}) > 2
    assert measured["confusion"]["names"] == list(shades.LEVELS)
    protocol = measured["protocol"]
    assert (protocol["dataset"], protocol["split"], protocol["images_seen"]) == ("shades", "test", shades.IMAGES_SEEN)
    assert protocol["accuracy"]["num"] == NUM_TEST
    assert (protocol["accuracy"]["num_labels"], protocol["accuracy"]["label_seed"]) == (6, shades.SEED)
    assert json.loads(json.dumps(measured)) == measured


def test_the_table_of_accuracies(measured):
    lines = measured["table"].splitlines()
    assert lines[0].split("  ")[-4:] != lines[0].split() and re.split(" {2,}", lines[0].strip()) == [
        "measured", "labels alone", "all labels", "untrained"]
    (figure,) = measured["figures"]
    low, high = figure["intervals"]["model"]
    assert lines[1].startswith(f"accuracy ^  {figure['values']['model']:.4f} [{low:.4f}, {high:.4f}]  ")
    assert lines[3].split() == ["class,", "read", "as", *shades.LEVELS]
    matrix = measured["confusion"]["columns"]["model"]["confusion"]
    assert [line.split() for line in lines[4:7]] == [[name, *map(str, row)] for name, row in zip(shades.LEVELS, matrix)]
    assert lines[-2:] == ["^ higher is better, v lower; [95 % confidence]; the names with their protocol:",
                          f"  {figure['name']}"]


def test_no_features_are_needed(trained, monkeypatch):
    monkeypatch.setattr("tf2gan.evaluation.extractors.classifier_for", lambda *args, **kwargs: pytest.fail("trained"))
    found = evaluate_run(trained.run, shades.settings(num=7, seed=3), split="train")
    (figure,) = found["figures"]
    images, labels = shades.drawn(load_folder(trained), "train", 7, 3)
    assert figure["name"].startswith("accuracy7_shades-train")
    assert figure["values"]["model"] == np.mean(read_by(trained.gan, "model", images) == labels)


def load_folder(trained):
    return type(trained.run)(trained.gan.config.dataset)


def test_the_generator_is_measured_too_where_that_is_asked_for(trained, measured):
    settings = shades.settings(metrics="ms-ssim,accuracy", num=NUM_TEST)
    both = evaluate_run(trained.run, settings)
    alone = evaluate_run(trained.run, shades.settings(metrics="ms-ssim", num=NUM_TEST))
    assert "confusion" not in alone and [figure["metric"] for figure in alone["figures"]] == ["ms_ssim"]
    assert both["figures"] == [*measured["figures"], *alone["figures"]]
    assert both["confusion"] == measured["confusion"]
    assert both["protocol"] == {**alone["protocol"], **measured["protocol"]}
    assert re.split(" {2,}", both["table"].splitlines()[0].strip()) == [
        "measured", "labels alone", "all labels", "untrained", "real data"]


def test_an_export_has_the_model_alone(exported, measured, data):
    found = evaluate_savedmodel(exported, against=str(data))
    (figure,), (other,) = found["figures"], measured["figures"]
    assert figure["name"] == other["name"] and list(figure["values"]) == ["model"]
    assert figure["values"]["model"] == pytest.approx(other["values"]["model"], abs=1 / NUM_TEST)
    assert found["protocol"]["accuracy"] == measured["protocol"]["accuracy"]
    counts = (record["confusion"]["columns"]["model"]["confusion"] for record in (found, measured))
    assert np.abs(np.subtract(*counts)).sum() <= 2  # an image of two equally probable classes


def test_many_classes_are_told_one_by_one():
    names = [f"kind {i}" for i in range(21)]
    confusion = np.diag(np.arange(21)) + np.eye(21, k=1, dtype=int)
    part = classified.label_agreement(*(np.repeat(side, confusion[confusion > 0]) for side in np.nonzero(confusion)),
                                      21)
    record = results.record({}, [], confusion={"names": names, "columns": {"model": part}})
    lines = record["table"].splitlines()
    assert lines[0].split() == ["read", "right", "measured"] and len(lines) == 22
    assert lines[1].split()[-1] == "0.0%" and lines[10].split()[-1] == "90.0%"


# In a training, and at its end.

def options(**changes):
    return Options(**{"evaluate_every": 1, "evaluate_num": 20, "evaluate_metrics": "accuracy", **changes})


def watcher(trained, **changes):
    gan, record = load_gan(trained.run)
    splits = load.load(gan.config.dataset, gan.splits)
    return gan, during_training.make(gan, splits, record, options(**changes))


def test_images_whose_labels_training_uses_are_not_looked_at(trained, data):
    config = trained.gan.config
    train = load.load(str(data), ("train",))["train"]
    images, labels = shades.files(data / "train")
    used = labelled.stratified(labels, 6, shades.SEED, train.class_names, "shades")
    for num in (5, 999):
        positions = classified._unused_positions(labels, train.class_names, config, num, seed=0)
        assert len(set(positions)) == min(num, 36 - 6) and not set(positions) & set(used)
    assert set(positions) == set(range(36)) - set(used)
    few = [set(classified._unused_positions(labels, train.class_names, config, 5, seed)) for seed in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    found = classified.unused(train, config, 999)
    np.testing.assert_array_equal(found[0], images[positions])
    np.testing.assert_array_equal(found[1], labels[positions])
    without = np.where(np.isin(np.arange(36), positions[:4]), load.NO_LABEL, labels)  # as images without a label have
    assert set(classified._unused_positions(without, train.class_names, config, 999, 0)).isdisjoint(positions[:4])


def test_watching(trained, data):
    gan, watch = watcher(trained)
    found = {figure.metric: figure for figure in watch(gan)}
    images, labels = classified.unused(load.load(str(data), ("train",))["train"], gan.config, 20)
    assert found.keys() == {"accuracy", "accuracy_baseline"}  # the other has learned from these labels
    for metric, which in (("accuracy", "model"), ("accuracy_baseline", "baseline")):
        assert found[metric].value == np.mean(read_by(gan, which, images) == labels)
        assert found[metric].name.startswith(f"{metric}{'_' if '_' in metric else ''}20_shades-train-unlabelled")
    (bias,) = (variable for variable in gan.classifiers["model"].variables if variable.shape == [3])
    bias.assign([1e6, 0.0, -1e6])  # all is read as the first class
    assert watch(gan)[0].value == pytest.approx(np.mean(labels == 0))
    gan, watch = watcher(trained, evaluate_metrics="ms-ssim,accuracy")
    assert [figure.metric for figure in watch(gan)] == ["accuracy", "accuracy_baseline", "ms_ssim", *by_heart.FIGURES]


def test_the_names_of_figures_that_can_be_watched():
    assert during_training.check(SGAN, SGAN.Config(), options()) == ("accuracy",)
    assert during_training.check(SGAN, SGAN.Config(), options(evaluate_metrics="fid,accuracy")) == ("accuracy", "fid")
    assert during_training.check(SGAN, SGAN.Config(), options(evaluate_metrics="fid")) == ("fid",)


def test_a_training_that_watches_its_accuracy_keeps_the_best(data, tmp_path):
    done = train(data, tmp_path / "run", "--evaluate-every", "1", "--evaluate-metrics", "accuracy", "--keep-best",
                 "accuracy", "--evaluate-num", "20")
    assert done.returncode == 0, done.stderr
    name = "accuracy20_shades-train-unlabelled"
    values = [line[name] for line in tool.logged(tmp_path / "run") if name in line]
    (best,) = (tmp_path / "run" / "checkpoints").glob("best-*")
    assert len(values) == shades.STEPS and json.loads((best / "info.json").read_text())["best"]["value"] == max(values)
    assert "best accuracy:" in done.stdout and "labels alone" not in done.stdout


def test_at_its_end_training_tells_accuracies(trained):
    (figure,) = trained.at_end["figures"]
    assert trained.at_end["protocol"]["images_seen"] == shades.STEPS * shades.BATCH_SIZE
    lines = trained.process.stdout.splitlines()
    start = lines.index("accuracy on shades test, [95 % confidence]:")
    titles = {"model": "measured", "baseline": "labels alone", "fully_supervised": "all labels",
              "untrained": "untrained"}
    for line, (column, title) in zip(lines[start + 1:], titles.items()):
        low, high = figure["intervals"][column]
        assert line.split("  ")[1:] and line.strip().startswith(title)
        assert line.endswith(f" {figure['values'][column]:.4f} [{low:.4f}, {high:.4f}]")


def without_test(data, folder):
    for path in (data / "train").rglob("*.png"):
        shades.write(folder / path.relative_to(data / "train"), np.asarray(shades.Image.open(path)))
    return folder


def test_without_a_test_split_nothing_is_said(data, tmp_path):
    done = train(without_test(data, tmp_path / "alone"), tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "accuracy on" not in done.stdout and not (tmp_path / "run" / "evaluation.json").exists()
    with pytest.raises(UserError) as caught:
        evaluate_run(tmp_path / "run")
    assert str(caught.value) == ("--metrics accuracy: alone has no split test or validation; --split train measures on "
                                 "the images of the training")
    assert evaluate_run(tmp_path / "run", split="train")["protocol"]["split"] == "train"


def test_labels_that_end_a_training_badly_do_not_hide_it(trained, monkeypatch):
    def broken(*args):
        raise UserError("no such labels")

    monkeypatch.setattr(labelled, "read_labels", broken)
    assert classified.of_finished_run(trained.run) == ["accuracy:    not measured: no such labels"]


# What is refused.

def test_a_training_that_uses_all_labels_cannot_be_watched(data, tmp_path):
    for num in ("none", "36"):
        done = train(data, tmp_path / "run", "--num-labels", num, "--evaluate-every", "1", "--evaluate-metrics",
                     "accuracy")
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2 and not (tmp_path / "run").exists()
        assert line == ("train.py: --evaluate-metrics accuracy: training uses the labels of all 36 images of train "
                        "that have one, so none are left to measure by; possible: a smaller --num-labels")


def test_models_that_do_not_classify(tmp_path_factory, data):
    settings = shades.settings(metrics="accuracy")
    settings.check()
    for measure in (lambda: evaluate_run(shades.gan_run(tmp_path_factory), settings),
                    lambda: evaluate_run(shades.cyclegan_run(tmp_path_factory), settings),
                    lambda: evaluate_savedmodel(shades.gan_export(tmp_path_factory), settings, str(data)),
                    lambda: evaluate_images(str(data / "test"), str(data), settings)):
        with pytest.raises(UserError, match="--metrics accuracy: is of models that classify images, such as sgan"):
            measure()


@pytest.mark.parametrize("change, words", [
    (lambda split: {"class_names": None}, "shades has no labels"),
    (lambda split: {"class_names": split.class_names[:2]}, "shades has 2 classes, the model tells 3 apart"),
    (lambda split: {"class_names": ("dark", "black", "light")}, "class 1 of shades is 'black', of the model it is 'gr"),
    (lambda split: {"records": relabelled(split, -1)}, "8 of 22 images of shades test have no label"),
    (lambda split: {"records": relabelled(split, 3)}, "has the label 3; possible: 0 to 2, or -1 for none")])
def test_labels_that_do_not_fit(trained, monkeypatch, change, words):
    def loaded(*args, **kwargs):
        splits = load_all(*args, **kwargs)
        return {**splits, "test": classified.dataclasses.replace(splits["test"], **change(splits["test"]))}

    load_all = load.load
    monkeypatch.setattr(load, "load", loaded)
    with pytest.raises(UserError) as caught:
        evaluate_run(trained.run)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def relabelled(split, label):
    """Records with another label for the second class, of which there are 8."""
    def changed(record):
        return {**record, "label": tf.where(record["label"] == 1, tf.constant(label, tf.int64), record["label"])}

    return split.records.map(changed)


def test_no_neighbours_of_what_is_not_generated(trained, tmp_path):
    with pytest.raises(UserError, match="--nearest: is for generated images, of which nothing is measured here"):
        evaluate_run(trained.run, nearest=tmp_path)


def test_images_are_read_as_training_reads_them(trained, data):
    """`drawn` and `labelled_arrays` bring images to the model's size in the same way."""
    split = load.load(str(data), ("test",))["test"]
    size = (9, 12)
    arrays = pipeline.labelled_arrays(split, size, 1)
    order = pipeline.order(split, 0, 0).numpy()
    examples = list(pipeline.drawn(split, (*size, 1), NUM_TEST, 0).as_numpy_iterator())
    np.testing.assert_array_equal(arrays[0][order], [example["images"] for example in examples])
    np.testing.assert_array_equal(arrays[1][order], [example["labels"] for example in examples])
