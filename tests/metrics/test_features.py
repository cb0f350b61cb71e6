"""Extractors: numbers worked out by hand, on stand-ins in the formats that the real networks are published in."""
import hashlib
import io
import json
import os
import shutil
import socket
import tarfile
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core import downloads
from tf2gan.core.errors import UserError
from tf2gan.metrics import features, inception
from tf2gan.metrics.classifier import Classifier, Reader

NUM_FEATURES, NUM_CLASSES = 9 * 9 * 3, 5
WEIGHTS = np.random.default_rng(7).normal(0, 0.1, [NUM_FEATURES, NUM_CLASSES]).astype(np.float32)
GRAPH = "classify_image_graph_def.pb"


def pictures(num, height=32, width=32, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [num, height, width, channels]).astype(np.uint8)


def resized(images):
    """To 299x299 as TensorFlow 1 does, float64: position i of the result lies at i * size / 299."""
    for axis in (1, 2):
        size = images.shape[axis]
        at = np.arange(299) * size / 299
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1, 1, 1] if axis == 1 else [-1, 1])
        images = (np.take(images, low, axis) * (1 - share)
                  + np.take(images, np.minimum(low + 1, size - 1), axis) * share)
    return images


def points(images):
    """What the stand-ins call pool_3: every 37th pixel both ways of what the network is given, [n, 243]."""
    images = np.repeat(images, 3 // images.shape[-1], axis=-1).astype(np.float64)
    return ((resized(images) - 128) / 128)[:, ::37, ::37].reshape(len(images), -1)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def frozen_graph(logits=False):
    """A graph with the nodes, names and age of that of 2015: for one image, with the batch normalization of then.

    With `logits` as TF-GAN's copy of it: no resizing, but a node `logits` for any batch.
    """
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.uint8, [None, None, 3], name="DecodeJpeg")
        expanded = tf.expand_dims(tf.cast(image, tf.float32), 0, name="ExpandDims")
        small = tf.raw_ops.ResizeBilinear(images=expanded, size=[299, 299], name="ResizeBilinear")
        scaled = tf.multiply(tf.subtract(small, 128.0, name="Sub"), 1 / 128, name="Mul")
        ones = [tf.constant(np.full([3], value, np.float32), name=name) for name, value in
                (("moving_mean", 0), ("moving_variance", 1), ("beta", 0), ("gamma", 2))]
        doubled = tf.identity(scaled, name="batchnorm")
        pool = tf.nn.avg_pool2d(doubled * 0.5, 1, 37, "VALID", name="pool_3")
        weights = tf.constant(WEIGHTS, name="softmax/weights")
        flat = tf.reshape(pool, [-1 if logits else 1, NUM_FEATURES], name="pool_3/_reshape")
        product = tf.matmul(flat, weights, name="softmax/logits/MatMul")
        if logits:
            tf.identity(product, name="logits")
        tf.nn.softmax(product + np.float32(1), name="softmax")  # a bias, which Inception score leaves out
    definition = graph.as_graph_def()
    node = next(node for node in definition.node if node.name == "batchnorm")
    node.Clear()
    node.name, node.op = "batchnorm", "BatchNormWithGlobalNormalization"
    node.input.extend(["Mul", *(tensor.op.name for tensor in ones)])
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["variance_epsilon"].f, node.attr["scale_after_normalization"].b = 0.0, True
    definition.versions.Clear()
    definition.versions.producer = 8
    return definition.SerializeToString()


class Module(tf.Module):
    """TF-GAN's hub module is a SavedModel that can be called."""

    def __init__(self, pool="pool_3"):
        super().__init__()
        self.weights, self._pool = tf.Variable(WEIGHTS), pool

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, images):
        pool = tf.reshape(images[:, ::37, ::37], [-1, 1, 1, NUM_FEATURES])
        return {self._pool: pool, "logits": tf.reshape(pool, [-1, NUM_FEATURES]) @ self.weights}


class Uncallable(tf.Module):
    """The same with a signature only, as modules of hub's first format have."""

    def __init__(self):
        super().__init__()
        self.network = Module()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with the network in every form that it can be had in."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "any.pb").write_bytes(frozen_graph())
    (folder / "unpacked").mkdir()
    shutil.copy(folder / "any.pb", folder / "unpacked" / GRAPH)
    (folder / "unpacked" / "LICENSE").write_text("of all")
    (folder / "tfgan.pb").write_bytes(frozen_graph(logits=True))
    with tarfile.open(folder / "inception-2015-12-05.tgz", "w:gz") as archive:
        archive.add(folder / "unpacked" / GRAPH, GRAPH)
    with tarfile.open(folder / "tfgan.tar.gz", "w:gz") as archive:
        archive.add(folder / "tfgan.pb", "inceptionv1_for_inception_score.pb")
    tf.saved_model.save(Module(), os.fspath(folder / "hub"))
    module = Uncallable()
    tf.saved_model.save(module, os.fspath(folder / "signature"), {"default": module.network.__call__})
    return folder


FORMS = ("unpacked", "any.pb", "tfgan.pb", "inception-2015-12-05.tgz", "tfgan.tar.gz", "hub", "signature")


def inception_of(path):
    return features.make(f"inception:{path}", None)


# Inception.

@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 30, 1)])
def test_inception_resizes_scales_and_reads_as_that_of_2015(published, form, shape):
    features.check(f"inception:{published / form}")
    images = pictures(3, *shape)
    given, expected = inception_of(published / form)(images), points(images)
    assert given["features"].dtype == given["probabilities"].dtype == np.float32
    np.testing.assert_allclose(given["features"], expected, atol=1e-5)
    np.testing.assert_allclose(given["probabilities"], softmax(expected @ WEIGHTS), atol=1e-5)


def test_the_first_pixel_is_that_of_the_image_and_the_scale_is_of_128(published):
    """Half-pixel centres, aligned corners or a scale of 127.5 would give others."""
    images = np.zeros([2, 2, 2, 3], np.uint8)
    images[0, 0, 0], images[1] = [0, 128, 255], 255
    given = inception_of(published / "hub")(images)["features"].reshape(2, 9, 9, 3)
    np.testing.assert_array_equal(given[0, 0, 0], [-1, 0, 127 / 128])
    np.testing.assert_array_equal(given[1], np.full([9, 9, 3], 127 / 128))
    # Pixel 74 of 299 lies at 74 * 2 / 299, so far from the first of two pixels to the second, which is black.
    np.testing.assert_allclose(given[0, 2, 0, 2], (255 * (1 - 74 * 2 / 299) - 128) / 128, atol=1e-6)


def test_images_of_299_pixels_are_not_resized(published):
    images = pictures(1, 299, 299)
    given = inception_of(published / "any.pb")(images)["features"]
    np.testing.assert_array_equal(given, ((images[:, ::37, ::37] / 128.0) - 1).reshape(1, -1))


@pytest.mark.parametrize("form", ["any.pb", "hub"])
def test_batches_change_nothing(published, form, monkeypatch):
    extractor, images = inception_of(published / form), pictures(7)
    whole = extractor(images)
    for batch in (1, 3):
        parts = [extractor(images[i:i + batch]) for i in range(0, 7, batch)]
        monkeypatch.setattr(inception, "_BATCH", batch)
        for name, expected in whole.items():
            np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), expected, atol=1e-6)
            np.testing.assert_allclose(extractor(images)[name], expected, atol=1e-6)


def test_name_hash_and_info_of_a_frozen_graph(published, capfd):
    """The same graph has the same hash in every form, and its protocol is told."""
    extractors = [inception_of(published / form) for form in ("unpacked", "any.pb", "inception-2015-12-05.tgz")]
    expected = hashlib.sha256((published / "any.pb").read_bytes()).hexdigest()
    assert "Importing" not in capfd.readouterr().err  # nor any other chatter about the graph's age
    for extractor in extractors:
        assert extractor.hash == expected and extractor.name == f"inception-2015-12-05-{expected[:8]}"
        assert extractor.num_features == NUM_FEATURES and extractor.info == extractors[0].info
    info = json.loads(json.dumps(extractors[0].info))
    assert "half_pixel_centers=False" in info["resize"] and "align_corners=False" in info["resize"]
    assert info["scaling"] == "(x - 128) / 128" and info["num_classes"] == NUM_CLASSES
    assert inception_of(published / "tfgan.pb").hash == inception_of(published / "tfgan.tar.gz").hash != expected


def test_hash_of_a_hub_module_is_that_of_its_files(published, tmp_path):
    first = inception_of(published / "hub")
    assert first.name == f"inception-hub-{first.hash[:8]}" and len(first.hash) == 64
    shutil.copytree(published / "hub", tmp_path / "other")
    (tmp_path / "other" / "README.md").write_text("says nothing about what is computed")
    assert inception_of(tmp_path / "other").hash == first.hash
    (tmp_path / "other" / "assets").mkdir(exist_ok=True)
    (tmp_path / "other" / "assets" / "labels.txt").write_text("cat")
    assert inception_of(tmp_path / "other").hash != first.hash


def test_tfhub_cache_dir_is_looked_in_before_the_network(published, tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("asked the network"))
    shutil.copytree(published / "hub", tmp_path / hashlib.sha1(inception.HANDLE.encode()).hexdigest())
    for spec in ("inception", f"inception:{inception.HANDLE}"):
        features.check(spec)
        assert features.make(spec, None).hash == inception_of(published / "hub").hash


@pytest.mark.parametrize("spec, host", [("inception", "tfhub.dev"),
                                        ("inception:https://a.example/module/1", "a.example")])
def test_no_network_is_told_at_once_with_what_to_do(tmp_path, monkeypatch, spec, host):
    asked = []

    def refuse(address, timeout):
        asked.append((address, timeout))
        raise OSError("no route")

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    for use in (features.check, lambda spec: features.make(spec, None)):
        with pytest.raises(UserError, match=f"no connection to {host}; possible: inception:PATH.*TFHUB_CACHE_DIR.*"
                                            "--extractor classifier") as error:
            use(spec)
        assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    assert asked == [((host, 443), 5)] * 2


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    """The host answers, but is no hub."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    with socket.create_server(("127.0.0.1", 0)) as server:
        handle = f"http://127.0.0.1:{server.getsockname()[1]}/module"
        features.check(f"inception:{handle}")  # it connects, and that is all
        server.close()
        monkeypatch.setattr(downloads, "unreachable_host", lambda url: None)
        with pytest.raises(UserError, match="cannot be downloaded: .*possible: inception:PATH") as error:
            features.make(f"inception:{handle}", None)
    assert "\n" not in str(error.value)


def other_graph(without):
    definition = tf.compat.v1.GraphDef.FromString(frozen_graph())
    kept = [node for node in definition.node if node.name != without]
    del definition.node[:]
    definition.node.extend(kept)
    return definition.SerializeToString()


def archive_of(name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize("content, message", [
    (b"\xff" * 100, "is not a frozen graph, or not complete"), (b"", "has no Mul, pool_3, softmax/logits/MatMul"),
    (frozen_graph()[:-1000], "is not a frozen graph|is not the Inception|does not run"),
    (other_graph("pool_3"), "is not the Inception of 2015: it has no pool_3"),
    (other_graph("moving_mean"), "does not run as the Inception of 2015"),
    (archive_of("saved_model.pb"), f"holds neither {GRAPH} nor inceptionv1.*unpacked"),
    (archive_of("a.txt")[:-30], "cannot read")],
    # Not by content: an archive holds the time, and names of tests have to be the same in every process.
    ids=["noise", "empty", "cut", "without weights", "without a pool", "other archive", "cut archive"])
def test_another_file_is_told(tmp_path, content, message):
    (tmp_path / "graph").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        inception_of(tmp_path / "graph")
    assert "\n" not in str(error.value) and str(tmp_path / "graph") in str(error.value)


@pytest.mark.parametrize("path, message", [("nothing", "does not exist; possible: inception:PATH"),
                                           ("", f"no saved_model.pb, nor {GRAPH}; possible: inception:PATH")])
def test_no_such_network_is_told_before_loading(tmp_path, path, message):
    with pytest.raises(UserError, match=message):
        features.check(f"inception:{tmp_path / path}")


def test_another_module_is_told(tmp_path):
    tf.saved_model.save(Module(pool="pool"), os.fspath(tmp_path / "other"))
    with pytest.raises(UserError, match="does not run as the Inception of 2015: its outputs are not pool_3 and logits"):
        inception_of(tmp_path / "other")
    tf.saved_model.save(tf.Module(), os.fspath(tmp_path / "empty"))
    with pytest.raises(UserError, match="can neither be called nor has it a signature with the outputs pool_3"):
        inception_of(tmp_path / "empty")


# The classifier.

def test_a_classifier_is_an_extractor():
    network, images = Classifier(4), pictures(9, 8, 8, 1)
    extractor = features.make("classifier", lambda: Reader(network, (8, 8, 1), "classifier-blobs", {"hash": "ab"}))
    given = extractor(images)
    np.testing.assert_allclose(given["features"], network.features(images / np.float32(127.5) - 1), atol=1e-5)
    np.testing.assert_array_equal(given["probabilities"], extractor.probabilities(images))
    assert given["features"].shape == (9, extractor.num_features) and given["features"].dtype == np.float32
    assert extractor.name == "classifier-blobs" and extractor.hash == "ab"
    for batch in (1, 4):
        for name, array in extractor(images, batch).items():
            np.testing.assert_allclose(array, given[name], atol=1e-5)
    with pytest.raises(ValueError, match="are not uint8"):
        extractor(pictures(2, 8, 8, 3))


# Any SavedModel.

def saved(folder, function, *shape, dtype=tf.float32, name="serving_default"):
    """A SavedModel with one signature; `function` makes its outputs of its input."""
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, dtype, "images"))
    tf.saved_model.save(tf.Module(), os.fspath(folder), {name: concrete})
    return f"savedmodel:{folder}"


def made(spec):
    features.check(spec)
    return features.make(spec, None)


def test_images_reach_the_model_in_0_to_1_and_as_they_are(tmp_path):
    extractor = made(saved(tmp_path / "net", lambda x: {"flat": tf.reshape(x, [-1, 18])}, None, 2, 3, 3))
    images = pictures(4, 2, 3)
    given = extractor(images)
    np.testing.assert_allclose(given["features"], images.reshape(4, 18) / 255, atol=1e-7)
    assert list(given) == ["features"] and extractor.num_features == 18 and extractor.info["output"] == "flat"


def test_a_fixed_size_is_resized_to_with_antialiasing(tmp_path):
    """Halving with a triangle of four pixels: 1/8, 3/8, 3/8, 1/8, and at an edge the rest of it, scaled to 1."""
    extractor = made(saved(tmp_path / "net", lambda x: {"flat": x[:, 0, :, 0]}, None, 4, 4, 1))
    row = np.array([0, 80, 0, 0, 0, 240, 0, 0], np.uint8)
    images = np.broadcast_to(row[:, None], [1, 8, 8, 1])
    np.testing.assert_allclose(extractor(images)["features"] * 255, [[240 / 7, 10, 90, 240 / 7]], atol=1e-4)
    assert extractor.info["resize"] == "bilinear, antialiased, to 4x4"


def test_any_size_is_left_alone(tmp_path):
    extractor = made(saved(tmp_path / "net", lambda x: {"flat": x[:, 0, :2, 0]}, None, None, None, 3))
    images = pictures(3, 5, 7)
    np.testing.assert_allclose(extractor(images)["features"], images[:, 0, :2, 0] / 255, atol=1e-7)
    assert extractor.info["resize"] == "none"


def test_channels_are_repeated_or_become_luma(tmp_path):
    colour = made(saved(tmp_path / "colour", lambda x: {"f": x[:, 0, 0]}, None, None, None, 3))
    grey = made(saved(tmp_path / "grey", lambda x: {"f": x[:, 0, 0]}, None, None, None, 1))
    images = pictures(3, 2, 2, 1)
    np.testing.assert_allclose(colour(images)["features"], np.repeat(images[:, 0, 0] / 255, 3, axis=1), atol=1e-7)
    images = pictures(3, 2, 2, 3)
    luma = images[:, 0, 0] / 255 @ [[0.2989], [0.5870], [0.1140]]
    np.testing.assert_allclose(grey(images)["features"], luma, atol=1e-6)


def test_rank_4_is_averaged_over_space_and_others_are_flattened(tmp_path):
    extractor = made(saved(tmp_path / "map", lambda x: {"features": x, "b": x[:, 0]}, None, 2, 3, 3))
    images = pictures(2, 2, 3)
    np.testing.assert_allclose(extractor(images)["features"], images.mean(axis=(1, 2)) / 255, atol=1e-6)
    assert extractor.num_features == 3 and extractor.info["pooling"] == "mean over space"
    rows = made(f"savedmodel:{tmp_path / 'map'}:serving_default:b")
    np.testing.assert_allclose(rows(images)["features"], images[:, 0].reshape(2, 9) / 255, atol=1e-6)
    assert rows.num_features == 9 and "-serving_default-b-" in rows.name and rows.name != extractor.name


def test_probabilities_and_logits(tmp_path):
    def outputs(x):
        return {"features": x[:, 0, 0], "logits": 5 * x[:, 0, 0]}

    images = pictures(4, 2, 2)
    extractor = made(saved(tmp_path / "logits", outputs, None, 2, 2, 3))
    np.testing.assert_allclose(extractor(images)["probabilities"], softmax(images[:, 0, 0] / 51), atol=1e-6)
    both = made(saved(tmp_path / "both", lambda x: {**outputs(x), "probabilities": x[:, 1, 1]}, None, 2, 2, 3))
    np.testing.assert_allclose(both(images)["probabilities"], images[:, 1, 1] / 255, atol=1e-7)
    assert extractor.info["probabilities"] == "logits" and both.info["probabilities"] == "probabilities"


def test_batches_change_nothing_in_a_savedmodel(tmp_path):
    extractor, images = made(saved(tmp_path / "net", lambda x: {"features": x}, None, 5, 5, 1)), pictures(7)
    np.testing.assert_allclose(np.concatenate([extractor(images[i:i + 3])["features"] for i in range(0, 7, 3)]),
                               extractor(images)["features"], atol=1e-6)


@pytest.mark.parametrize("place", ["plain", "with:colon", "with:embed"])
def test_signatures_and_outputs_are_named_after_the_path(tmp_path, place):
    spec = saved(tmp_path / place / "1", lambda x: {"a": x[:, 0, 0], "b": x[:, 1, 1]}, None, 2, 2, 3, name="embed")
    images, spec = pictures(2, 2, 2), spec[:-2]  # the folder of the versions
    extractor = made(f"{spec}:embed:b")
    np.testing.assert_allclose(extractor(images)["features"], images[:, 1, 1] / 255, atol=1e-7)
    label = place.replace(":", "-")
    assert extractor.name == f"savedmodel-{label}-1-embed-b-{extractor.hash[:6]}" and len(extractor.hash) == 64
    json.dumps(extractor.info, allow_nan=False)
    for wrong, message in ((f"{spec}:embed", "a float32 .*, b float32 .*: none is named features"),
                           (f"{spec}:embed:c", "unknown output of signature embed .*: .*possible: a, b"),
                           (f"{spec}:embad:a", "has no signature embad; it has: embed"),
                           (spec, "has no signature serving_default; it has: embed")):
        features.check(wrong)
        with pytest.raises(UserError, match=message):
            features.make(wrong, None)


@pytest.mark.parametrize("shape, dtype, message", [
    ((None, 10), tf.float32, r"takes images float32 \[None, 10\]; needed: one input, float32 images"),
    ((None, 4, 4, 3), tf.uint8, "takes images uint8"),
    ((1, 4, 4, 3), tf.float32, r"\[1, 4, 4, 3\]; needed: .*any batch"),
    ((None, 4, 4, 4), tf.float32, r"\[None, 4, 4, 4\]"), ((None, 4, None, 3), tf.float32, r"\[None, 4, None, 3\]")])
def test_a_signature_that_takes_no_images_is_told(tmp_path, shape, dtype, message):
    spec = saved(tmp_path / "net", lambda x: {"features": tf.cast(x, tf.float32)}, *shape, dtype=dtype)
    with pytest.raises(UserError, match=message) as error:
        made(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("function", [lambda x: {"y": tf.shape(x)}, lambda x: {"y": tf.reduce_sum(x)}])
def test_an_output_that_is_no_features_is_told(tmp_path, function):
    with pytest.raises(UserError, match=r"gives y .*: y cannot be features, which are numbers \[batch, ...\]"):
        made(saved(tmp_path / "net", function, None, 4, 4, 3))


def test_a_network_that_cannot_read_a_size_is_told(tmp_path):
    extractor = made(saved(tmp_path / "net", lambda x: {"y": tf.reshape(x, [-1, 12]) @ tf.ones([12, 2])
                                                        + 0 * tf.reshape(x, [-1, 2, 2, 3])[:, 0, :, 0]
                                                        + 0 * x[:, :2, 0, 0]}, None, None, None, 3))
    assert extractor(pictures(2, 2, 2))["features"].shape == (2, 2)
    with pytest.raises(UserError, match=r"cannot read images \[5, 5, 3\]: ") as error:
        extractor(pictures(2, 5, 5))
    assert "\n" not in str(error.value)


def test_images_of_another_kind_are_refused(published, tmp_path):
    extractors = [inception_of(published / "any.pb"), inception_of(published / "hub"),
                  made(saved(tmp_path / "net", lambda x: {"y": x}, None, None, None, 3))]
    for images in (np.zeros([2, 4, 4, 3], np.float32), np.zeros([4, 4, 3], np.uint8), np.zeros([0, 4, 4, 3], np.uint8),
                   np.zeros([2, 4, 4, 2], np.uint8)):
        for extractor in extractors:
            with pytest.raises(ValueError, match="are not uint8"):
                extractor(images)


# Specs.

@pytest.mark.parametrize("spec, message", [
    ("incepton", "unknown extractor 'incepton': did you mean 'inception'. possible: classifier, imagenet, inception"),
    ("clasifier", "did you mean 'classifier'"), ("savedmodels:x", "did you mean 'savedmodel'"),
    ("vgg", "unknown extractor 'vgg': possible: classifier"), ("", "unknown extractor ''"),
    ("classifier:mnist", "unknown extractor 'classifier:mnist': possible: classifier"),
    ("Inception", "did you mean 'inception'"),
    ("savedmodel", "lacks a path; possible: .*savedmodel:PATH"), ("savedmodel:", "lacks a path"),
    ("savedmodel::a", "lacks a path"), ("inception:", "lacks a path"),
    ("savedmodel:/no/such:embed", "/no/such does not exist; needed: the folder of a SavedModel")])
def test_a_spec_that_names_nothing_is_told(spec, message):
    for use in (features.check, lambda spec: features.make(spec, lambda: pytest.fail("made a classifier"))):
        with pytest.raises(UserError, match=message) as error:
            use(spec)
        assert "\n" not in str(error.value)


def test_a_classifier_is_the_callers_affair():
    made_by_caller = object()
    features.check("classifier")
    assert features.make("classifier", lambda: made_by_caller) is made_by_caller
