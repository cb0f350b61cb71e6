"""Generators of a hub, of others and of this project: what they compute, worked out by hand, and what is refused."""
import hashlib
import json
import os
import shutil
import socket
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core import downloads, quiet, savedmodel
from tf2gan.core.errors import UserError
from tf2gan.gans import conditional
from tf2gan.gans.cyclegan import Config, CycleGAN
from tf2gan.latent_space import generators
from tf2gan.metrics.saved_features import folder_hash
from tf2gan.models import generation

SIZE, SHAPE = 3, (4, 5, 3)  # of a latent, of an image
RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(0, 0.12, [SIZE, *SHAPE]).astype(np.float32)
BIAS = RANDOM.uniform(0.2, 0.8, SHAPE).astype(np.float32)
LATENTS = RANDOM.normal(0, 4, size=[7, SIZE]).astype(np.float32)  # so large that many values are out of range


def unclipped(latents):
    """What the modules here compute, float64."""
    return np.tensordot(latents.astype(np.float64), WEIGHTS, 1) + BIAS


def linear(latents, weights, bias):
    return tf.reshape(latents @ tf.reshape(weights, [SIZE, -1]), [-1, *SHAPE]) + bias


def write_tf1_module(folder, with_references=True, signature="default", **inputs):
    """A module in TF1 hub format: the graph for use has no tags, the one for training is tagged so and gives noise.

    `with_references`: variables as TensorFlow 1 had them, not as resources. `inputs`: more inputs of the signature.
    """
    builder = tf.compat.v1.saved_model.Builder(os.fspath(folder))
    for tags in ([], ["train"]):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            weights, bias = (tf.compat.v1.get_variable(name, initializer=value, use_resource=not with_references)
                             for name, value in (("module/weights", WEIGHTS), ("module/bias", BIAS)))
            latents = tf.compat.v1.placeholder(tf.float32, [None, SIZE], "latents")
            images = linear(latents, weights, bias)
            images = tf.random.normal(tf.shape(images)) if tags else images
            definition = tf.compat.v1.saved_model.signature_def_utils.predict_signature_def(
                {"z": latents, **{name: make() for name, make in inputs.items()}}, {"default": images})
            session.run(tf.compat.v1.global_variables_initializer())
            if tags:
                builder.add_meta_graph(tags, {signature: definition})
            else:
                builder.add_meta_graph_and_variables(session, tags, {signature: definition})
    builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")  # ModuleDef: format = 3


@pytest.fixture(scope="module", params=["references", "resources"])
def tf1_module(request, tmp_path_factory):
    """The folder of a module in TF1 hub format; not to be changed."""
    folder = tmp_path_factory.mktemp("tf1") / "progan_1"
    write_tf1_module(folder, request.param == "references")
    return folder


class Module(tf.Module):
    """A TensorFlow 2 module that can be called, and has another function, so that no signature is made of it."""

    def __init__(self):
        super().__init__()
        self.weights, self.bias = tf.Variable(WEIGHTS), tf.Variable(BIAS)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], tf.float32)])
    def __call__(self, latents):
        return linear(latents, self.weights, self.bias)

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], tf.float32)])
    def other(self, latents):
        return -latents


def saved(folder, function=None, *specs, names=("default",), module=None):
    """The folder, with a SavedModel that has `function` of `specs` as its signatures."""
    module = module or Module()
    # Without AutoGraph, which cannot tell several lambdas apart.
    made = tf.function(function or module.__call__, autograph=False).get_concrete_function(
        *(specs or [tf.TensorSpec([None, SIZE], tf.float32, name="noise")]))
    with quiet.captured():
        tf.saved_model.save(module, os.fspath(folder), {name: made for name in names})
    return folder


def refusal(where, label=None):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        generators.load(where, label)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_linear(generator):
    """That a generator is the linear one, clipped, with gradients that pass where it is."""
    assert (generator.latent_size, generator.image_size, generator.channels) == (SIZE, SHAPE[:2], SHAPE[2])
    assert generator.latent_distribution == "normal"
    expected = np.clip(unclipped(LATENTS), 0, 1)
    assert 0.2 < np.mean(expected != unclipped(LATENTS)) < 0.8
    latents = tf.constant(LATENTS)
    upstream = tf.constant(np.random.default_rng(0).normal(size=expected.shape), tf.float32)
    for function in (generator, tf.function(generator)):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            images = function(latents)
        assert images.dtype == tf.float32
        np.testing.assert_allclose(images, expected, atol=1e-6)
        assert images.numpy().min() == 0 and images.numpy().max() == 1
        gradient = np.einsum("nhwc,lhwc->nl", upstream.numpy().astype(np.float64), WEIGHTS)
        np.testing.assert_allclose(tape.gradient(images, latents, upstream), gradient, atol=1e-4)
    np.testing.assert_array_equal(generator(LATENTS.astype(np.float64)), generator(LATENTS))


# What others have published.

@pytest.mark.filterwarnings("ignore:pkg_resources")  # of what tensorflow-hub imports
def test_a_tf1_module_is_what_tensorflow_hub_loads(tf1_module):
    """It is the module itself that is right, so that what follows means something."""
    import tensorflow_hub
    module = tensorflow_hub.load(os.fspath(tf1_module))
    assert module._is_hub_module_v1
    np.testing.assert_allclose(module.signatures["default"](tf.constant(LATENTS))["default"], unclipped(LATENTS),
                               atol=1e-6)


def test_a_module_in_tf1_hub_format(tf1_module, capfd):
    generator = generators.load(os.fspath(tf1_module))
    check_linear(generator)
    assert generator.name == str(tf1_module) and generator.hash == folder_hash(tf1_module)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("names", [("default",), ("serving_default",), ("serving_default", "default"), ()])
def test_a_savedmodel_of_others(tmp_path, names):
    """By its signature, whatever its input is called, or called itself."""
    folder = tmp_path / "1"
    saved(folder, names=names)
    assert sorted(tf.saved_model.load(os.fspath(folder)).signatures) == sorted(names)
    generator = generators.load(folder)
    check_linear(generator)
    assert generator.name == str(folder) and len(generator.hash) == 64
    check_linear(generators.load(tmp_path))  # its highest version


def test_default_comes_before_serving_default(tmp_path):
    module = Module()
    spec = tf.TensorSpec([None, SIZE], tf.float32)
    tf.saved_model.save(module, os.fspath(tmp_path), {"serving_default": module.other.get_concrete_function(spec),
                                                      "default": module.__call__.get_concrete_function(spec)})
    check_linear(generators.load(tmp_path))


class Switched(tf.Module):
    """As Keras saves models: called with a flag that is no tensor, one graph for each of its values."""

    @tf.function
    def __call__(self, latents, training=False):
        images = linear(latents, WEIGHTS, BIAS)
        return {"images": -images if training else images}


def test_a_call_with_a_flag(tmp_path):
    module = Switched()
    for training in (True, False):
        module.__call__.get_concrete_function(tf.TensorSpec([None, SIZE], tf.float32), training)
    tf.saved_model.save(module, os.fspath(tmp_path), signatures={})
    check_linear(generators.load(tmp_path))


def test_sizes_that_the_signature_does_not_tell(tmp_path):
    def generate(latents):
        images = linear(latents, WEIGHTS, BIAS)
        return tf.compat.v1.placeholder_with_default(images, shape=None)

    folder = saved(tmp_path, generate)
    assert tf.saved_model.load(os.fspath(folder)).signatures["default"].output_shapes["output_0"].rank is None
    check_linear(generators.load(folder))


def test_grey_images(tmp_path):
    generator = generators.load(saved(tmp_path, lambda latents: tf.reshape(0.5 + latents / 4, [-1, 1, SIZE, 1])))
    assert generator.image_size == (1, SIZE) and generator.channels == 1
    np.testing.assert_array_equal(generator([[-4.0, -1.0, 4.0]]), [[[[0], [0.25], [1]]]])


def test_latents_of_a_seed_are_the_first_of_an_endless_sequence(tf1_module):
    generator = generators.load(tf1_module)
    many = generator.latents(20000, 4)
    assert many.dtype == np.float32 and many.shape == (20000, SIZE)
    for num in (1, 2, 501):
        np.testing.assert_array_equal(generator.latents(num, 4), many[:num])
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02 and 0.26 < np.mean(np.abs(many) > 1.1) < 0.28
    assert (generator.latents(5, 5) != many[:5]).all()


def test_pictures_are_rounded_and_made_in_batches(tf1_module):
    generator, counts = generators.load(tf1_module), []
    latents = generator.latents(70, 0)
    made = generator.pictures(latents, progress=counts.append)
    assert made.dtype == np.uint8 and counts == [32, 32, 6]
    exact = 255 * np.clip(unclipped(latents), 0, 1)
    near_tie = np.abs(exact % 1 - 0.5) < 1e-3
    np.testing.assert_array_equal(made[~near_tie], np.rint(exact)[~near_tie])
    assert near_tie.mean() < 0.01 and generator.pictures(latents[:0]).shape == (0, *SHAPE)


@pytest.mark.parametrize("shape", [(SIZE,), (2, SIZE + 1), (1, 2, SIZE)])
def test_latents_of_another_shape(tf1_module, shape):
    generator = generators.load(tf1_module)
    for use in (generator, generator.pictures):
        with pytest.raises(ValueError, match=f"latents are \\[num, {SIZE}\\]"):
            use(np.zeros(shape, np.float32))


# Handles.

HANDLE = "https://a.example/google/progan-128/1"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache, and no connection; the list holds the addresses that were tried."""
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise OSError("no route")

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    return tried


def test_tfhub_cache_dir_is_looked_in_before_the_network(tf1_module, offline, tmp_path):
    shutil.copytree(tf1_module, tmp_path / "cache" / hashlib.sha1(HANDLE.encode()).hexdigest())
    generator = generators.load(HANDLE)
    check_linear(generator)
    assert generator.name == HANDLE and generator.hash == folder_hash(tf1_module) and offline == []


@pytest.mark.parametrize("handle, host", [
    (generators.PROGAN, "tfhub.dev"), (HANDLE, "a.example"), ("https://", "https://"),
    ("http://a.example:x/module/1", "a.example:x")])
def test_no_network_is_told_at_once_with_what_to_do(offline, tmp_path, handle, host):
    message = refusal(handle)
    assert message.startswith(f"{handle} is not in {tmp_path / 'cache'} and cannot be downloaded: no connection to "
                              f"{host}; possible: the folder")
    assert "TFHUB_CACHE_DIR" in message
    assert offline == ([(host, 443)] if host.endswith((".dev", ".example")) else [])


def test_an_http_host_is_asked_at_its_own_port(offline):
    for handle, port in (("http://a.example/1", 80), ("https://a.example:8443/1", 8443)):
        assert f"no connection to a.example{':8443' * (port == 8443)};" in refusal(handle)
        assert offline.pop() == ("a.example", port)


def test_a_host_that_is_no_hub(offline, monkeypatch, capfd, tmp_path):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(downloads, "unreachable_host", lambda url: None)
        handle = f"http://127.0.0.1:{taken.getsockname()[1]}/module"
        message = refusal(handle)
    assert message.startswith(f"{handle} cannot be downloaded: ") and "; possible: the folder" in message
    assert capfd.readouterr().err == f"downloading {handle} to {tmp_path / 'cache'} ...\n"


def test_a_proxy_is_left_to_find_the_host(offline, monkeypatch):
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy.example"})
    assert downloads.unreachable_host(HANDLE) is None and offline == []


def test_a_cached_module_that_is_incomplete(offline, tmp_path):
    folder = tmp_path / "cache" / hashlib.sha1(HANDLE.encode()).hexdigest()
    (folder / "variables").mkdir(parents=True)
    assert f"{folder} is not a SavedModel: it has no saved_model.pb" in refusal(HANDLE)


# What is refused.

@pytest.mark.parametrize("damage", ["saved_model.pb", "variables/variables.index",
                                    "variables/variables.data-00000-of-00001"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_damaged_module(tf1_module, tmp_path, damage, missing, capfd):
    folder = shutil.copytree(tf1_module, tmp_path / "module")
    if missing:
        (folder / damage).unlink()
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:-20])
    message = refusal(folder)
    assert str(folder) in message and len(message) < 400
    assert "is it complete?" in message or "it has no saved_model.pb" in message
    assert capfd.readouterr().err == ""


def test_no_such_folder(tmp_path):
    (tmp_path / "module.tar.gz").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert "does not exist" in refusal(tmp_path / "nothing")
    assert "is not a folder; needed: the folder of a SavedModel" in refusal(tmp_path / "module.tar.gz")
    assert "is not a SavedModel: it has no saved_model.pb" in refusal(tmp_path / "empty")


def test_a_tf1_module_with_another_interface(tmp_path):
    write_tf1_module(tmp_path / "signature", signature="features")
    assert refusal(tmp_path / "signature").endswith(
        "has no signature default or serving_default, and cannot be called; it has: features")
    write_tf1_module(tmp_path / "inputs", labels=lambda: tf.compat.v1.placeholder(tf.int64, [None], "labels"))
    message = refusal(tmp_path / "inputs")
    assert f"signature default of {tmp_path / 'inputs'} takes " in message and f"z float32 [None, {SIZE}]" in message
    assert "labels int64 [None]" in message and "; needed: one input, float32 latents [batch, latent_size]" in message


def test_a_module_without_functions(tmp_path):
    tf.saved_model.save(tf.Module(), os.fspath(tmp_path))
    assert refusal(tmp_path).endswith("and cannot be called; it has: none")


@pytest.mark.parametrize("dtype, shape, told", [
    (tf.float32, [16, SIZE], f"float32 [16, {SIZE}]"), (tf.float32, [None, None], "float32 [None, None]"),
    (tf.float32, None, "float32 of any shape"), (tf.float64, [None, SIZE], f"float64 [None, {SIZE}]"),
    (tf.float32, [None, 4, 4, 3], "float32 [None, 4, 4, 3]"), (tf.string, [None], "string [None]"),
    (tf.float32, [None, 0], "float32 [None, 0]")])
def test_another_input(tmp_path, dtype, shape, told):
    folder = saved(tmp_path, lambda x: {"images": x}, tf.TensorSpec(shape, dtype, name="x"))
    assert refusal(folder) == f"signature default of {folder} takes x {told}; {generators._NEEDED}"


def test_several_inputs(tmp_path):
    specs = [tf.TensorSpec([None, SIZE], tf.float32, name=name) for name in ("z", "w")]
    folder = saved(tmp_path / "signature", lambda z, w: {"images": z + w}, *specs)
    assert refusal(folder) == (f"signature default of {folder} takes w float32 [None, {SIZE}], z float32 "
                               f"[None, {SIZE}]; {generators._NEEDED}")
    module = Switched()
    module.__call__.get_concrete_function(tf.TensorSpec([None, 4, 4, 3], tf.float32))
    tf.saved_model.save(module, os.fspath(tmp_path / "call"), signatures={})
    assert "called, takes latents float32 [None, 4, 4, 3]; needed" in refusal(tmp_path / "call")


@pytest.mark.parametrize("make, told", [
    (lambda z: {name: z[:, :, None, None] for name in "ab"},
     f"a float32 [1, {SIZE}, 1, 1], b float32 [1, {SIZE}, 1, 1]"),
    (lambda z: {"a": z}, f"a float32 [1, {SIZE}]"),
    (lambda z: {"a": tf.reshape(z, [-1, SIZE, 1, 1])[:, :, :, :0]}, f"a float32 [1, {SIZE}, 1, 0]"),
    (lambda z: {"a": tf.zeros([tf.shape(z)[0], 3, 8, 8])}, "a float32 [1, 3, 8, 8]"),
    (lambda z: {"a": tf.zeros([1, 8, 8, 4])}, "a float32 [1, 8, 8, 4]"),
    (lambda z: {"a": tf.zeros([16, 8, 8, 3])}, "a float32 [16, 8, 8, 3]"),
    (lambda z: {"a": tf.zeros([1, 8, 8, 3], tf.uint8)}, "a uint8 [1, 8, 8, 3]")])
def test_another_output(tmp_path, make, told):
    folder = saved(tmp_path, make, tf.TensorSpec([None, SIZE], tf.float32))
    assert refusal(folder) == f"signature default of {folder} gives {told} for one latent; {generators._NEEDED}"


def test_a_module_that_does_not_run(tmp_path):
    """A batch that it fixes in its graph, not in its signature."""
    folder = saved(tmp_path, lambda z: {"a": tf.reshape(z, [16, SIZE, 1, 1])}, tf.TensorSpec([None, SIZE], tf.float32))
    message = refusal(folder)
    assert message.startswith(f"signature default of {folder} does not run: ")
    assert "3 values" in message and "48" in message, message  # and not only that it failed


@pytest.mark.parametrize("low, high", [(-1, 1), (0, 255)])
def test_a_module_of_another_range(tmp_path, low, high):
    def images(latents):
        return {"default": low + (high - low) * tf.sigmoid(9 * (linear(latents, WEIGHTS, BIAS) - 0.5))}

    message = refusal(saved(tmp_path, images, tf.TensorSpec([None, SIZE], tf.float32)))
    assert "gives values from " in message and message.endswith("about [0, 1]")


# What this project makes.

def test_an_export(root, capfd):
    path = root / "savedmodels" / "dcgan-mnist"
    generator, sampler = generators.load(path), generation.Sampler.from_savedmodel(path)
    assert generator.name == str(path / "1") and generator.hash == folder_hash(path / "1")
    assert (generator.latent_size, generator.image_size, generator.channels) == (100, (28, 28), 1)
    latents = sampler.latents(40, 5)
    np.testing.assert_array_equal(generator.latents(40, 5), latents)
    expected = sampler.images(latents)
    np.testing.assert_array_equal(generator.pictures(latents), expected)
    assert expected.std() > 50
    np.testing.assert_allclose(generator(latents[:3]) * 255, expected[:3], atol=0.501)
    assert generators.load(path / "1").hash == generator.hash and capfd.readouterr().err == ""


def test_gradients_of_an_export_are_differences(root):
    generator = generators.load(root / "savedmodels" / "dcgan-mnist")
    latents = tf.constant(generator.latents(2, 1))
    direction = tf.random.stateless_normal(latents.shape, [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(latents)
        total = tf.reduce_sum(generator(latents) ** 2, [1, 2, 3])
    along = tf.reduce_sum(tape.gradient(total, latents) * direction, 1)
    ends = [tf.reduce_sum(tf.cast(generator(latents + sign * 1e-2 * direction), tf.float64) ** 2, [1, 2, 3])
            for sign in (1, -1)]
    np.testing.assert_allclose(along, (ends[0] - ends[1]) / 2e-2, rtol=0.05)
    assert np.abs(along).min() > 0.1


def test_an_export_that_takes_labels(root, monkeypatch):
    path = root / "savedmodels" / "cgan-mnist"
    generator, sampler = generators.load(path, "7"), generation.Sampler.from_savedmodel(path)
    assert generator.name == f"{savedmodel.find(path)}, class 7"
    latents = sampler.latents(5, 2)
    np.testing.assert_array_equal(generator.latents(5, 2), latents)
    expected = sampler.images(latents, [7] * 5)
    np.testing.assert_array_equal(generator.pictures(latents), expected)
    assert (generators.load(path, "3").pictures(latents) != expected).any()
    monkeypatch.setattr(savedmodel, "load", lambda *_: pytest.fail("has begun to work"))
    assert refusal(path) == f"{savedmodel.find(path)} needs a label; possible: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert "unknown class 'seven'" in refusal(path, "seven")
    assert "from 0 to 9" in refusal(path, "10")


def test_a_label_where_none_is_taken(root, tf1_module):
    assert "takes no labels" in refusal(root / "savedmodels" / "dcgan-mnist", "3")
    assert refusal(tf1_module, "3") == f"label '3': {tf1_module} takes no labels"


def test_an_export_that_classifies_too_still_generates(root):
    """Whose default signature takes images."""
    generator = generators.load(root / "savedmodels" / "sgan-mnist")
    assert generator.latent_size == 100 and generator.pictures(generator.latents(2, 0)).std() > 50


def test_an_export_of_another_kind_or_without_its_card(root, tmp_path):
    assert "does not generate images from latents" in refusal(root / "savedmodels" / "apple2orange")
    folder = shutil.copytree(root / "savedmodels" / "dcgan-mnist" / "1", tmp_path / "1")
    card = json.loads((folder / "model_card.json").read_text())
    (folder / "model_card.json").write_text(json.dumps({**card, "latent_size": "many"})[:-5])
    assert "missing or damaged" in refusal(folder)
    (folder / "model_card.json").unlink()
    assert "model_card.json, which would say so, is missing" in refusal(folder)


@pytest.fixture(scope="module")
def cgan():
    """A tiny conditional GAN with uniform latents."""
    return conditional.CGAN(conditional.Config(image_size="8", channels=3, latent_size=5, num_classes=4,
                                               generator_filters=2, discriminator_filters=2,
                                               latent_distribution="uniform"))


def test_a_gan(cgan):
    generator, sampler = generators.from_gan(cgan, "runs/a", "2"), generation.Sampler.from_gan(cgan)
    assert (generator.name, generator.latent_distribution) == ("runs/a, class 2", "uniform")
    assert generators.from_gan(cgan, "runs/b", "1").hash == generator.hash and len(generator.hash) == 64
    weight = cgan.average.variables[0]
    before = weight.numpy()
    weight.assign_add(tf.ones(weight.shape))
    assert generators.from_gan(cgan, "runs/a", "2").hash != generator.hash
    weight.assign(before)
    latents = generator.latents(6, 9)
    np.testing.assert_array_equal(latents, sampler.latents(6, 9))
    assert np.abs(latents).max() <= 1
    np.testing.assert_array_equal(generator.pictures(latents), sampler.images(latents, [2] * 6))
    inputs = tf.constant(latents)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        images = generator(inputs)
    assert tape.gradient(images, inputs).numpy().any(axis=1).all()
    with pytest.raises(UserError, match="runs/a needs a label; possible: 0 to 3"):
        generators.from_gan(cgan, "runs/a")


def test_a_gan_that_does_not_generate_from_latents():
    made = CycleGAN(Config(image_size="32", generator_filters=2, discriminator_filters=2, batch_size=1))
    with pytest.raises(UserError, match="CycleGAN does not generate images from latents"):
        generators.from_gan(made, "runs/a")
