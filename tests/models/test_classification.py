"""Classifying pictures: brought to size as training does it, the same by a run and by its export, and its answers."""
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.core import images, savedmodel
from tf2gan.core.errors import UserError
from tf2gan.data import load, pipeline
from tf2gan.export import exporter
from tf2gan.gans import dcgan
from tf2gan.gans.semi_supervised import SGAN, Config
from tf2gan.metrics.accuracy import wilson_interval
from tf2gan.models import classification, decoding, generation

SHAPE = (16, 16, 3)  # of the images of `gan`
NAMES = ["pear", "plum", "fig"]
SIGNATURES = ["classify", "classify_bytes", "draw", "latents", "latents_bytes", "seed", "seed_bytes", "serving_default"]
RECORD = {"model": "sgan", "data": {"train": 50, "labelled": 9, "unlabelled": 80}}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def varied(num, shape=SHAPE):
    """Pictures that differ in brightness and colour too, not only in their noise."""
    scale = np.random.default_rng(1).random([num, 1, 1, shape[-1]])
    return np.uint8(noise(num, *shape) * scale)


def make(**changes):
    """A tiny GAN of random weights; its averaged classifier is another than the trained one, and takes sides."""
    values = {"image_size": "16", "channels": 3, "classes": 3, "latent_size": 5, "batch_size": 2, "num_labels": 9,
              "generator": "strided", "generator_filters": 2, "discriminator": "strided", "discriminator_filters": 2,
              "discriminator_normalization": "batch"}
    made = SGAN(Config(**{**values, **changes}), 1000)
    average = made.classifiers["model"]
    logits = average(images.from_uint8(varied(20, (16, 16, made.config.channels)))).numpy()
    scale, bias = average.to_logits.weights[-2:]
    mean, deviation = logits.mean(axis=0), logits.std(axis=0)
    scale.assign(2 * scale / deviation)
    bias.assign(2 * (bias - mean) / deviation)
    made.images_seen.assign(200)
    return made


@pytest.fixture(scope="module")
def gan():
    made = make()
    made.class_names = NAMES
    return made


@pytest.fixture(scope="module")
def version(gan, tmp_path_factory):
    """The folder of an exported version; not to be changed."""
    return exporter.export(gan, tmp_path_factory.mktemp("savedmodels") / "fruit", card=RECORD)


@pytest.fixture(scope="module")
def signatures(version):
    loaded = savedmodel.load(version)
    yield loaded.signatures
    del loaded


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Bringing pictures to size.

@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["colour", "grey", "of one size"])
def test_pictures_are_fitted_as_those_of_a_data_set(tmp_path, kind, channels):
    sizes = [(30, 40)] * 3 if kind == "of one size" else [(12, 16), (7, 50), (61, 20), (24, 32), (1, 1), (41, 20)]
    for index, size in enumerate(sizes):
        (tmp_path / "a").mkdir(exist_ok=True)
        picture = noise(*size, 3, seed=index) if kind != "grey" else noise(*size, seed=index)
        Image.fromarray(picture).save(tmp_path / "a" / f"{index}.png")
    split = load.load(str(tmp_path), ("train",))["train"]
    assert split.image_shape[2] == (1 if kind == "grey" else 3)
    classifier = classification.Classifier(None, (12, 16, channels), NAMES, None)
    fitted = np.stack([classifier.fitted(images.read_image(path)) for path in sorted((tmp_path / "a").iterdir())])
    assert fitted.shape == (len(sizes), 12, 16, channels) and fitted.dtype == np.uint8
    np.testing.assert_array_equal(fitted, pipeline.labelled_arrays(split, (12, 16), channels)[0])
    drawn = [example["images"].numpy() for example in pipeline.drawn(split, (12, 16, channels), len(sizes), 3)]
    assert sorted(each.tobytes() for each in drawn) == sorted(each.tobytes() for each in fitted)


def test_the_middle_is_taken_and_nothing_else_is_changed():
    classifier = classification.Classifier(None, (12, 16, 3), NAMES, None)
    for picture, middle in ((noise(12, 49, 3), np.s_[:, 16:32]), (noise(40, 16, 3), np.s_[14:26]),
                            (noise(12, 16, 3), np.s_[:])):
        np.testing.assert_array_equal(classifier.fitted(picture), picture[middle])
    classifier = classification.Classifier(None, (12, 16, 1), NAMES, None)
    grey = classifier.fitted(np.full([30, 30, 3], [200, 100, 50], np.uint8))
    np.testing.assert_array_equal(grey, np.full([12, 16, 1], 124))  # 0.299 r + 0.587 g + 0.114 b


def test_in_a_graph_pixels_are_the_same_but_for_ties():
    """Its optimizer makes x / 127.5 to x * (1 / 127.5): what lies half between two values may be rounded either way."""
    graph = tf.function(lambda image: pipeline.fitted(image, SHAPE),
                        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    pictures = [noise(16 + 5 * index, 20, 3, seed=index) for index in range(20)]
    difference = np.stack([graph(picture).numpy().astype(int) - pipeline.fitted(tf.constant(picture), SHAPE)
                           for picture in pictures])
    assert np.abs(difference).max() <= 1 and np.mean(difference != 0) < 0.005  # measured 0.0008


# Probabilities.

def test_probabilities_are_those_of_the_averaged_classifier(gan):
    classifier = classification.Classifier.from_gan(gan)
    assert classifier.image_shape == SHAPE and classifier.class_names == tuple(NAMES)
    pictures = varied(7)
    found = classifier.probabilities(pictures)
    assert found.dtype == np.float32 and found.shape == (7, 3)
    np.testing.assert_allclose(found, gan.classify(images.from_uint8(pictures)).numpy(), atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert found.std(axis=0).max() > 0.05  # it depends on the picture
    trained = tf.nn.softmax(gan.discriminator(images.from_uint8(pictures))[:, :3]).numpy()
    assert np.abs(found - trained).max() > 0.05
    assert classification.class_names(make(classes=2)) == ("0", "1")


def test_batches_change_nothing_and_are_counted(gan):
    classifier, calls = classification.Classifier.from_gan(gan), []
    pictures = varied(7)
    found = classifier.probabilities(pictures, batch=3, progress=calls.append)
    assert calls == [3, 3, 1]
    np.testing.assert_allclose(found, classifier.probabilities(pictures), atol=1e-6)
    assert classifier.probabilities(pictures[:0]).shape == (0, 3)
    for wrong in (pictures.astype(np.float32), pictures[0], pictures[..., :1], pictures[:, :15]):
        with pytest.raises(ValueError, match="pictures are uint8"):
            classifier.probabilities(wrong)


@pytest.mark.parametrize("changes", [{}, {"channels": 1, "fake_class": True}, {
    "discriminator": "dense", "generator": "dense", "discriminator_normalization": "weight", "generator_filters": None,
    "discriminator_filters": None}])
def test_a_run_and_its_export_classify_alike(changes, gan, version, tmp_path):
    if changes:
        gan = make(**changes)
        version = exporter.export(gan, tmp_path / "other")
    before = classification.Classifier.from_gan(gan)
    after = classification.Classifier.from_savedmodel(version.parent)
    assert after.image_shape == before.image_shape and after.class_names == before.class_names
    pictures = varied(20, before.image_shape)
    np.testing.assert_allclose(after.probabilities(pictures), before.probabilities(pictures), atol=1e-5)


# The signatures of an export.

def test_an_export_answers_with_probabilities_and_labels_by_default(gan, signatures):
    assert sorted(signatures) == SIGNATURES
    pictures = varied(20)
    expected = gan.classify(images.from_uint8(pictures)).numpy()
    for name in ("serving_default", "classify"):
        answer = signatures[name](images=tf.constant(pictures / np.float32(255)))
        assert sorted(answer) == ["labels", "probabilities"]
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
        np.testing.assert_array_equal(answer["labels"], expected.argmax(axis=1))
        assert answer["labels"].dtype == tf.int64 and answer["probabilities"].dtype == tf.float32
    assert len(set(expected.argmax(axis=1))) > 1
    values = 3 * np.random.default_rng(0).random([2, *SHAPE], np.float32) - 1
    clipped, unclipped = (signatures["classify"](images=tf.constant(each))["probabilities"].numpy()
                          for each in (np.clip(values, 0, 1), values))
    np.testing.assert_array_equal(clipped, unclipped)


def test_files_of_all_kinds_and_sizes_are_classified_as_their_pixels(gan, signatures):
    classifier = classification.Classifier.from_gan(gan)
    sizes = [(16, 16), (50, 21), (7, 90), (33, 33)]
    files = [images.encode_image(noise(*size, 3 if index else 1, seed=index), suffix)
             for index, (size, suffix) in enumerate(zip(sizes, (".png", ".png", ".bmp", ".jpg")))]
    answer = signatures["classify_bytes"](image_bytes=tf.constant(files))
    pictures = []
    for file in files:
        with Image.open(io.BytesIO(file)) as image:
            pictures.append(np.asarray(image.convert("RGB")))
    fit = tf.function(lambda image: pipeline.fitted(image, SHAPE), reduce_retracing=True)
    expected = classifier.probabilities(np.stack([fit(tf.constant(picture)) for picture in pictures]))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    np.testing.assert_array_equal(answer["labels"], expected.argmax(axis=1))


def test_warm_up_requests_of_all_signatures_can_be_answered(version, signatures):
    tensor_class, warmed = type(tf.make_tensor_proto(0)), []
    shapes = {"labels": (1,), "probabilities": (1, 3), "images": (1, *SHAPE), "image_bytes": (1,), "latents": (1, 5)}
    for record in tf.data.TFRecordDataset(os.fspath(version / exporter.WARMUP_FILE)):
        request = exporter.prediction_log_class().FromString(record.numpy()).predict_log.request
        tensors = {entry.key: tf.constant(tf.make_ndarray(tensor_class.FromString(entry.value)))
                   for entry in request.inputs}
        answer = signatures[request.model_spec.signature_name](**tensors)
        assert answer and all(value.shape == shapes[name] for name, value in answer.items())
        warmed.append(request.model_spec.signature_name)
    assert sorted(warmed) == SIGNATURES


def test_an_export_also_generates(gan, version):
    loaded, fresh = generation.Sampler.from_savedmodel(version), generation.Sampler.from_gan(gan)
    assert loaded.num_classes is None and loaded.class_names is None
    latents = fresh.latents(3, 7)
    np.testing.assert_array_equal(loaded.latents(3, 7), latents)
    np.testing.assert_allclose(loaded.images(latents).astype(int), fresh.images(latents), atol=1)


def test_an_export_holds_the_averaged_generator_and_classifier_only(gan, version):
    shapes = tf.train.load_checkpoint(str(version / "variables" / "variables")).get_variable_to_shape_map()
    del shapes["_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(shapes.values()) == sorted(
        v.shape.as_list() for network in (gan.average, gan.classifiers["model"]) for v in network.variables)


# The model card.

def test_the_card_tells_classes_labels_and_use(version):
    card = json.loads((version / "model_card.json").read_text())
    assert card["classes"] == NAMES and (card["num_labels"], card["label_seed"]) == (9, 0)
    assert card["latent_size"] == 5 and sorted(card["signatures"]) == SIGNATURES
    assert card["signatures"]["serving_default"] == {
        "inputs": {"images": "float32 [batch, 16, 16, 3] in [0, 1]"},
        "outputs": {"probabilities": "float32 [batch, 3], of the classes",
                    "labels": "int64 [batch], from 0 to 2: the most probable class"}}
    assert card["signatures"]["classify_bytes"]["inputs"] == {
        "image_bytes": f"string [batch], image files: {decoding.FORMATS}"}
    assert card["signatures"]["seed_bytes"]["outputs"] == {"image_bytes": "string [batch], the bytes of PNG files"}
    text = (version / "README.md").read_text()
    for part in ("# fruit, version 1", "Classifies images into 3 classes", "with 9 labels (those of label seed 0)",
                 "pear, plum, fig", "16x16 pixels, in colour", "train 50; labelled 9; unlabelled 80", "WebP", "EXIF",
                 "ema_decay 0.999, classifier_ema_decay 0.9999", '{"signature_name": "classify_bytes"', "N(0, 1)",
                 "`draw` gives the latents"):
        assert part in text, part
    assert "{" not in re.sub(r"```.*?```|`\{.*?\}`", "", text, flags=re.S)


def test_the_card_of_a_model_of_all_labels_and_of_another_seed(tmp_path):
    gan = make(num_labels=None, seed=4, ema_decay=None, classifier_ema_decay=None)
    folder = exporter.export(gan, tmp_path / "all")
    card = json.loads((folder / "model_card.json").read_text())
    assert card["num_labels"] is None and card["label_seed"] == 4 and card["classes"] == ["0", "1", "2"]
    text = (folder / "README.md").read_text()
    assert "with all labels." in text and "0, 1, 2" in text and "| weights | as trained |" in text
    card = json.loads((exporter.export(make(label_seed=8, seed=4), tmp_path / "few") / "model_card.json").read_text())
    assert card["label_seed"] == 8


def test_the_readme_of_an_export_works_in_plain_tensorflow(gan, version, tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (version / "README.md").read_text(), re.S)
    shutil.copytree(version.parent, tmp_path / "fruit")
    Image.fromarray(noise(40, 31, 3)).save(tmp_path / "photo.jpg", quality=95)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.modules['tf2gan'] = None\n{example}"],
                          cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    name, probability = done.stdout.split()
    classifier = classification.Classifier.from_gan(gan)
    picture = images.read_image(tmp_path / "photo.jpg")
    (expected,) = classifier.probabilities(classifier.fitted(picture)[np.newaxis])
    assert name == NAMES[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=1e-3)  # ties of pixels, see above


# Refusals.

def test_what_does_not_classify_is_refused(root, gan, version, tmp_path):
    other = dcgan.DCGAN(dcgan.Config(image_size="8", channels=1, generator_filters=2, latent_size=2))
    assert refusal(classification.Classifier.from_gan, other) == "DCGAN does not classify images"
    for name in ("dcgan-mnist", "apple2orange"):
        message = refusal(classification.Classifier.from_savedmodel, root / "savedmodels" / name)
        assert "does not classify images" in message and name in message
    assert "does not exist" in refusal(classification.Classifier.from_savedmodel, tmp_path / "no")
    shutil.copytree(version, tmp_path / "1")
    card = json.loads((version / "model_card.json").read_text())
    for content, part in (({**card, "classes": NAMES[:2]}, "of 2 classes"), ({**card, "classes": 3}, "not classify"),
                          ([], "not classify")):
        (tmp_path / "1" / "model_card.json").write_text(json.dumps(content))
        assert part in refusal(classification.Classifier.from_savedmodel, tmp_path / "1")
    (tmp_path / "1" / "model_card.json").unlink()
    assert "no model_card.json" in refusal(classification.Classifier.from_savedmodel, tmp_path / "1")


# From files to answers.

def write(path, *shape, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*shape, 3, seed=seed)).save(path)
    return path


def test_a_plan_names_what_is_there(tmp_path):
    write(tmp_path / "in" / "b.png", 3, 3)
    write(tmp_path / "in" / "a" / "ä, x.png", 3, 3)
    assert list(classification.plan(tmp_path / "in").values()) == ["a/ä, x.png", "b.png"]
    assert classification.plan(tmp_path / "in" / "b.png") == {tmp_path / "in" / "b.png": f"{tmp_path}/in/b.png"}
    assert "does not exist" in refusal(classification.plan, tmp_path / "no")
    (tmp_path / "empty").mkdir()
    assert "has no images" in refusal(classification.plan, tmp_path / "empty")


def test_many_files_are_read_a_part_at_a_time(gan, tmp_path, monkeypatch):
    monkeypatch.setattr(classification, "BATCH", 2)
    classifier, calls = classification.Classifier.from_gan(gan), []
    paths = [write(tmp_path / f"{index}.png", 12 + 5 * index, 16, seed=index) for index in range(5)]
    found = classification.classify_files(classifier, paths, calls.append)
    assert calls == [2, 2, 1]
    pictures = np.stack([classifier.fitted(images.read_image(path)) for path in paths])
    np.testing.assert_allclose(found, classifier.probabilities(pictures), atol=1e-6)


@pytest.mark.parametrize("class_names, expected", [
    (["pear", "fig"], ["pear", "fig"]), (["label", "pear"], ["class label", "pear"]),
    (["path", "class path", "Label"], ["class class path", "class path", "Label"])])
def test_a_class_that_is_called_as_a_column_gets_another_name(class_names, expected):
    assert classification.columns(class_names) == ["path", "label", "probability", *expected]


STRANGE = ["pear, red", "Süß \"fig\"", "label", "two\r\nlines"]
FILES = ["a/größe, 1.png", "b\n.png", "\"c\".png", "plain.png"]
FOUND = np.float32([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [1e-9, 0.5, 0.49, 0.01]])


def test_csv_gives_back_what_was_written(tmp_path):
    classification.write(tmp_path / "x.csv", FILES, FOUND, STRANGE)
    with open(tmp_path / "x.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "label", "probability", *STRANGE[:2], "class label", STRANGE[3]]
    assert [row[0] for row in rows] == FILES
    assert [row[1] for row in rows] == [STRANGE[3], STRANGE[0], STRANGE[0], STRANGE[1]]
    np.testing.assert_array_equal(np.float32([row[3:] for row in rows]), FOUND)
    np.testing.assert_array_equal(np.float32([row[2] for row in rows]), FOUND.max(axis=1))
    assert rows[0][2] == "0.4"  # not the digits that only a float64 has


def test_json_gives_back_what_was_written(tmp_path):
    classification.write(tmp_path / "x.JSON", FILES, FOUND, STRANGE)
    answers = json.loads((tmp_path / "x.JSON").read_text())
    assert [answer["path"] for answer in answers] == FILES
    assert answers[3] == {"path": "plain.png", "label": STRANGE[1], "probability": 0.5,
                          "probabilities": dict(zip(STRANGE, [1e-9, 0.5, 0.49, 0.01]))}
    assert list(answers[0]["probabilities"]) == STRANGE
    assert list(tmp_path.iterdir()) == [tmp_path / "x.JSON"]


def test_names_of_files_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff.png")
    assert os.fsencode(name) in classification.as_csv([name], FOUND[:1], STRANGE)
    assert json.loads(classification.as_json([name], FOUND[:1], STRANGE))[0]["path"] == name
    classification.as_table([name], FOUND[:1], STRANGE, 1).encode("utf-8")


def test_the_table_has_the_most_probable_first():
    probabilities = np.float32([[0.1, 0.7, 0.2], [0.5, 0.125, 0.375]])
    assert classification.as_table(["a.png", "long.png"], probabilities, NAMES, 2) == (
        "a.png     plum 0.7000  fig  0.2000\n"
        "long.png  pear 0.5000  fig  0.3750")
    lines = classification.as_table(FILES, FOUND, STRANGE, 9).splitlines()
    assert len(lines) == 4 and all(len(re.findall(r" [01]\.[0-9]{4}\b", line)) == 4 for line in lines)


def test_outputs_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "there.csv").write_text("")
    (tmp_path / "folder.json").mkdir()
    for name, part in (("x.txt", "must end in .csv or .json"), ("x", "must end in"), ("no/x.csv", "no such folder"),
                       ("folder.json", "is a folder"), ("there.csv", "--overwrite replaces it")):
        assert part in refusal(classification.check_output, tmp_path / name)
    classification.check_output(tmp_path / "there.csv", overwrite=True)
    classification.check_output(tmp_path / "new.CSV")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "there.csv"]


# Accuracy.

def test_sub_folders_named_as_classes_are_labels():
    labels = classification.labels_of_folders(["fig/a.png", "pear/x/b.png", "fig/c.png"], NAMES)
    np.testing.assert_array_equal(labels, [2, 0, 2])
    for names in (["fig/a.png", "b.png"], ["fig/a.png", "nut/b.png"], ["fig"], ["x/fig/a.png"]):
        assert classification.labels_of_folders(names, NAMES) is None


def test_the_accuracy_is_that_of_the_most_probable_labels():
    labels = np.array([0] * 6 + [2] * 4)
    read = np.array([0, 0, 0, 0, 0, 1, 2, 2, 2, 0])
    table = classification.accuracy_table(labels, np.eye(3, dtype=np.float32)[read], NAMES)
    assert table == ("pear  5 of 6 right\n"
                     "fig   3 of 4 right\n"
                     "accuracy 80.0%, 95 % interval 49.0% to 94.3%: 8 of 10 right")


@pytest.mark.parametrize("right, num, z", [(81, 263, 1.96), (1, 10, 1.96), (997, 1000, 2.576), (3, 3, 1.0),
                                           (0, 7, 1.96)])
def test_the_ends_of_wilsons_interval_are_as_far_as_z_deviations_of_their_own(right, num, z):
    low, high = wilson_interval(right, num, z)
    assert 0 <= low <= right / num <= high <= 1 and low < high
    for end in (low, high):
        if 0 < end < 1:
            assert abs(right / num - end) == pytest.approx(z * np.sqrt(end * (1 - end) / num))


def test_published_intervals_and_the_ends():
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert wilson_interval(20, 20) == (pytest.approx(1 - 0.1611, abs=5e-5), 1.0)
    for right, num in ((0, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError):
            wilson_interval(right, num)
