"""Images from latents: in the GAN, in an export of it, and in plain TensorFlow."""
import dataclasses
import json
import math
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError
from tf2gan.export import exporter
from tf2gan.gans import GANS, base, conditional, dcgan, vanilla, wasserstein
from tf2gan.latent_space import interpolation
from tf2gan.models import generation

SMALL = {"image_size": "28", "channels": 1, "latent_size": 6}
FILTERS = {"generator_filters": 4, "discriminator_filters": 4}
CLASSES = ["shirt", "shoe", "bag"]
MAKERS = {
    "gan": lambda: vanilla.GAN(vanilla.Config(generator_widths="8", discriminator_widths="8", **SMALL)),
    "gan-smooth": lambda: vanilla.GAN(vanilla.Config(generator_widths="8", discriminator_widths="8",
                                                     latent_distribution="uniform", **SMALL)),
    "dcgan": lambda: dcgan.DCGAN(dcgan.Config(**SMALL, **FILTERS)),
    "dcgan-transpose": lambda: dcgan.DCGAN(dataclasses.replace(
        dcgan.DCGAN.presets["dcgan-transpose"], image_size="32", channels=3, latent_size=6, **FILTERS)),
    "cgan": lambda: conditional.CGAN(conditional.Config(num_classes=3, **SMALL, **FILTERS)),
    "wgan-gp": lambda: wasserstein.WGAN(dataclasses.replace(wasserstein.WGAN.presets["wgan-gp"], **SMALL, **FILTERS)),
}
# What imports nothing of ours: computes the images of latents.npz by each export, then runs the examples of the cards.
PLAIN = """
import sys
sys.modules["tf2gan"] = sys.modules["tensorflow_addons"] = None
if {block_keras}:
    sys.modules["keras"] = None
import os, re, numpy as np, tensorflow as tf
inputs, outputs = np.load("inputs.npz"), {{}}
for name in {names}:
    signatures = tf.saved_model.load(name + "/1").signatures
    condition = {{"labels": tf.constant(inputs["labels"])}} if name == "cgan" else {{}}
    outputs[name] = signatures["latents"](latents=tf.constant(inputs["latents"]), **condition)["images"].numpy()
    text = open(name + "/1/README.md").read()
    (example,) = re.findall(r"```python\\n(.*?)```", text, re.S)
    exec(example)
    os.rename("generated3.png", name + ".png")
np.savez("outputs.npz", **outputs)
"""


@pytest.fixture(scope="module")
def gans():
    """{name: tiny GAN} whose averaged generators differ from the trained ones."""
    tf.keras.utils.set_random_seed(0)  # or the weights, and how far two images differ, would depend on other tests
    made = {name: make() for name, make in MAKERS.items()}
    random = np.random.default_rng(0)
    for gan in made.values():
        for variable in gan.average.variables:
            noise = random.normal(0, 0.1, variable.shape)
            variable.assign(variable + (np.abs(noise) if "variance" in variable.name else noise))
    made["cgan"].class_names = CLASSES
    return made


@pytest.fixture(scope="module")
def exports(gans, tmp_path_factory):
    """{name: folder of an exported version}; not to be changed."""
    folder = tmp_path_factory.mktemp("savedmodels")
    return {name: exporter.export(gan, folder / name) for name, gan in gans.items()}


@pytest.fixture(scope="module")
def samplers(exports):
    """{name: Sampler of the export}."""
    return {name: generation.Sampler.from_savedmodel(folder) for name, folder in exports.items()}


@pytest.fixture(scope="module")
def signatures(exports):
    loaded = {name: savedmodel.load(folder) for name, folder in exports.items()}
    yield {name: each.signatures for name, each in loaded.items()}
    del loaded


def some_latents(num=5, size=6, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [num, size]).astype(np.float32)


def some_labels(gan, num=5):
    return (np.arange(num) * 2 % 3,) if gan.abilities.takes_labels else ()


def expected_images(gan, values, *labels):
    """In [0, 1], by the network itself."""
    return (gan.generate(tf.constant(values), *map(tf.constant, labels)).numpy() + 1) / 2


def from_seed(signature, num, seed, label=None):
    condition = {} if label is None else {"label": tf.constant(label, tf.int64)}
    (answer,) = signature(num=tf.constant(num), seed=tf.constant(seed, tf.int64), **condition).values()
    return answer.numpy()


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Exports.

def test_exports_give_the_images_of_the_gans_in_plain_tensorflow(gans, exports, tmp_path):
    for name, folder in exports.items():
        shutil.copytree(folder.parent, tmp_path / name)
    np.savez(tmp_path / "inputs.npz", latents=some_latents(), labels=some_labels(gans["cgan"])[0])
    # keras is blocked only where TensorFlow itself does not import it at its start.
    program = PLAIN.format(names=list(exports), block_keras=tf.__version__ < "2.16")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, env=environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = np.load(tmp_path / "outputs.npz")
    for name, gan in gans.items():
        expected = expected_images(gan, some_latents(), *some_labels(gan))
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5)
        assert np.abs(outputs[name][0] - outputs[name][1]).max() > 1e-3  # a hundred times what may differ above
        trained = gan.generator(some_latents(), *some_labels(gan), training=False).numpy()
        assert np.abs(trained - (2 * outputs[name] - 1)).max() > 0.05  # averaged weights, not these
        assert tf.io.decode_png((tmp_path / f"{name}.png").read_bytes()).shape == gan.image_shape


def test_what_an_export_clips_keeps_its_gradient():
    images = tf.Variable([-0.5, 0.0, 0.25, 1.0, 1.5])
    with tf.GradientTape() as tape:
        clipped = generation.clipped(images)
    np.testing.assert_array_equal(clipped, [0, 0, 0.25, 1, 1])
    np.testing.assert_array_equal(tape.gradient(clipped, images), np.ones(5))


@pytest.mark.parametrize("name", MAKERS)
def test_files_are_the_images_rounded(gans, signatures, name):
    gan = gans[name]
    inputs = {"latents": tf.constant(some_latents())}
    if gan.abilities.takes_labels:
        inputs["labels"] = tf.constant(some_labels(gan)[0])
    floats = signatures[name]["latents"](**inputs)["images"].numpy()
    files = signatures[name]["latents_bytes"](**inputs)["image_bytes"].numpy()
    assert len(files) == 5 and floats.min() >= 0 and floats.max() <= 1
    for file, image in zip(files, floats):
        assert file.startswith(b"\x89PNG")
        np.testing.assert_array_equal(tf.io.decode_png(file).numpy(), np.rint(255 * image))


@pytest.mark.parametrize("name", MAKERS)
def test_an_image_of_a_seed_does_not_depend_on_their_number(gans, signatures, name):
    gan = gans[name]
    label = 1 if gan.abilities.takes_labels else None
    many = from_seed(signatures[name]["seed"], 9, 2 ** 40 + 1, label)
    np.testing.assert_allclose(from_seed(signatures[name]["seed"], 4, 2 ** 40 + 1, label), many[:4], atol=1e-6)
    labels = () if label is None else (np.full(9, label),)
    np.testing.assert_allclose(many, expected_images(gan, gan.latents(9, 2 ** 40 + 1), *labels), atol=1e-5)
    assert np.abs(from_seed(signatures[name]["seed"], 4, 3, label) - many[:4]).max() > 0.01
    files = from_seed(signatures[name]["seed_bytes"], 9, 2 ** 40 + 1, label)
    np.testing.assert_array_equal(tf.io.decode_png(files[8]).numpy(), np.rint(255 * many[8]))


def test_minus_one_is_the_classes_in_turn(gans, signatures):
    images = from_seed(signatures["cgan"]["seed"], 7, 5, -1)
    expected = expected_images(gans["cgan"], gans["cgan"].latents(7, 5), np.array([0, 1, 2, 0, 1, 2, 0]))
    np.testing.assert_allclose(images, expected, atol=1e-5)
    assert np.abs(images - from_seed(signatures["cgan"]["seed"], 7, 5, 0))[[1, 2, 4, 5]].max(axis=(1, 2, 3)).min() > 0


def test_what_is_out_of_range_is_an_error_and_no_image(gans, signatures):
    for functions in (signatures["cgan"], generation.signatures(gans["cgan"])):
        values = tf.constant(some_latents())
        for labels in ([0, 1, 2, 3, 0], [0, 1, -1, 0, 0]):
            for name in ("latents", "latents_bytes"):
                with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be from 0 to 2"):
                    functions[name](latents=values, labels=tf.constant(labels, tf.int64))
        with pytest.raises(tf.errors.InvalidArgumentError, match="one label for each latent"):
            functions["latents"](latents=values, labels=tf.constant([1], tf.int64))
        for label in (3, -2):
            with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be from -1 to 2"):
                from_seed(functions["seed"], 2, 0, label)
        for truncation in (0.0, -1.0, math.nan):
            with pytest.raises(tf.errors.InvalidArgumentError, match="truncation must be above 0"):
                functions["draw"](num=tf.constant(2), seed=tf.constant(0, tf.int64),
                                  truncation=tf.constant(truncation))


# Latents.

@pytest.mark.parametrize("truncation", [0.5, 1.0, 2.0])
def test_truncated_normal_latents_stay_a_truncated_normal(samplers, truncation):
    values = samplers["gan"].latents(4000, 1, truncation)
    assert values.shape == (4000, 6) and np.abs(values).max() <= np.float32(truncation)
    density = math.exp(-truncation ** 2 / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * truncation * density / math.erf(truncation / math.sqrt(2))
    # Four standard errors: of 24,000 squares below T^2, whose deviation is at most T^2 / 2.
    tolerance = 4 * truncation ** 2 / 2 / math.sqrt(values.size)
    assert abs(np.square(values, dtype=np.float64).mean() - variance) < tolerance
    assert abs(values.mean(dtype=np.float64)) < 4 * math.sqrt(variance / values.size)
    assert len(np.unique(np.abs(values))) > 0.99 * values.size  # nothing was clipped to the bound


def test_latents_without_truncation_have_the_distribution_of_the_gan(gans, samplers):
    normal, uniform = samplers["gan"].latents(4000, 1), samplers["gan-smooth"].latents(4000, 1)
    assert abs(normal.var() - 1) < 4 * math.sqrt(2 / normal.size) and np.abs(normal).max() > 3
    assert np.abs(uniform).max() <= 1 and abs(uniform.var() - 1 / 3) < 4 * math.sqrt(4 / 45 / uniform.size)
    np.testing.assert_allclose(samplers["gan-smooth"].latents(4000, 1, 0.3), 0.3 * uniform, atol=1e-7)
    for name, values in (("gan", normal), ("gan-smooth", uniform)):
        np.testing.assert_array_equal(values, gans[name].latents(4000, 1).numpy())
        np.testing.assert_array_equal(values[:10], samplers[name].latents(10, 1))
        assert (samplers[name].latents(10, 2) != values[:10]).all()


@pytest.mark.parametrize("name, way", [("gan", interpolation.slerp), ("gan-smooth", interpolation.lerp)])
def test_a_walk_goes_from_seed_to_seed_as_the_distribution_asks(samplers, name, way):
    sampler = samplers[name]
    path = interpolation.between_seeds(sampler, 3, 8, 5)
    np.testing.assert_array_equal(path[0], sampler.latents(4, 3)[0])
    np.testing.assert_array_equal(path[-1], sampler.latents(4, 8)[0])
    np.testing.assert_array_equal(path, way(path[0], path[-1], [0, 0.25, 0.5, 0.75, 1]))
    np.testing.assert_array_equal(interpolation.between_seeds(sampler, 3, 8, 5, 0.5)[0], sampler.latents(1, 3, 0.5)[0])


# Samplers.

@pytest.mark.parametrize("name", MAKERS)
def test_a_run_and_its_export_give_the_same_images_in_any_batches(gans, samplers, name):
    gan, loaded, fresh = gans[name], samplers[name], generation.Sampler.from_gan(gans[name])
    assert loaded.traits == fresh.traits == generation.Traits(
        gan.image_shape, 6, gan.config.latent_distribution, *((3, tuple(CLASSES)) if name == "cgan" else (None, None)))
    num_classes = gan.num_classes if gan.abilities.takes_labels else None
    assert (loaded.image_shape, loaded.latent_size, loaded.num_classes) == (gan.image_shape, 6, num_classes)
    values, labels = loaded.latents(7, 11), some_labels(gan, 7)
    np.testing.assert_array_equal(values, fresh.latents(7, 11))
    images, counts = loaded.images(values, *labels), []
    assert images.dtype == np.uint8 and images.shape == (7, *gan.image_shape)
    np.testing.assert_array_equal(images, np.rint(255 * np.clip(expected_images(gan, values, *labels), 0, 1)))
    np.testing.assert_array_equal(images, fresh.images(values, *labels))
    for batch in (1, 3):
        np.testing.assert_array_equal(loaded.images(values, *labels, batch=batch, progress=counts.append), images)
    assert counts == [1] * 7 + [3, 3, 1]
    assert loaded.images(values[:0], *(each[:0] for each in labels)).shape == (0, *gan.image_shape)


def test_other_shapes_and_labels_are_refused(samplers):
    values = some_latents()
    for wrong in (values[0], values[:, :5]):
        with pytest.raises(ValueError, match=r"latents are \[num, 6\]"):
            samplers["gan"].images(wrong)
    with pytest.raises(ValueError, match="takes no labels"):
        samplers["gan"].images(values, [0] * 5)
    with pytest.raises(ValueError, match="labels are needed"):
        samplers["cgan"].images(values)
    for labels in ([0] * 4, [0, 1, 2, 3, 0], [0, 0, 0, 0, -1], 1):
        with pytest.raises(ValueError, match="from 0 to 2"):
            samplers["cgan"].images(values, labels)


def test_what_does_not_generate_from_latents_is_refused(exports, root, tmp_path):
    assert "from latents" in refusal(generation.signatures, base.GAN(base.Config()))
    assert "does not generate" in refusal(generation.Sampler.from_savedmodel, root / "savedmodels" / "apple2orange")
    assert "does not exist" in refusal(generation.Sampler.from_savedmodel, tmp_path / "no")
    shutil.copytree(exports["gan"], tmp_path / "1")
    for text in ("{", "[]", '{"latent_size": 6}', None):
        card = tmp_path / "1" / "model_card.json"
        card.unlink() if text is None else card.write_text(text)
        assert "missing or damaged" in refusal(generation.Sampler.from_savedmodel, tmp_path)
    shutil.copy(exports["gan"] / "model_card.json", tmp_path / "1")
    other = tf.function(lambda x: {"images": x}, input_signature=[tf.TensorSpec([None], name="images")])
    tf.saved_model.save(tf.Module(), os.fspath(tmp_path / "1"), {"latents": other.get_concrete_function()})
    assert "no signature draw" in refusal(generation.Sampler.from_savedmodel, tmp_path)


def test_traits_of_a_run_are_those_of_its_gan(gans, tmp_path):
    def written(gan, class_names):
        (name,) = (name for name, gan_class in GANS.items() if gan_class is type(gan))
        (tmp_path / "config.json").write_text(json.dumps({
            "model": name, "config": dataclasses.asdict(gan.config), "options": {}, "data": {},
            "class_names": class_names}))
        return tmp_path

    for name in ("gan-smooth", "dcgan-transpose", "cgan"):
        assert generation.traits_of_run(written(gans[name], CLASSES)) == generation.traits(gans[name])
    cyclegan = GANS["cyclegan"](GANS["cyclegan"].Config(image_size="32", generator_filters=2, discriminator_filters=2))
    message = refusal(generation.traits_of_run, written(cyclegan, None))
    assert "cyclegan does not generate images from latents" in message


# Names of classes.

def traits(class_names=tuple(CLASSES), num_classes=3, distribution="normal"):
    return generation.Traits((28, 28, 1), 6, distribution, num_classes, class_names)


def test_labels_are_names_numbers_and_ranges():
    for text, labels in [("0-2", [0, 1, 2]), ("2,0", [2, 0]), ("shoe, 2", [1, 2]), ("1-1", [1]), ("bag", [2])]:
        assert traits().labels(text) == labels
    assert traits(None).labels("0,2") == [0, 2] and traits(None).class_name(2) == "2"
    # A name counts before a number: here class 0 is called 1.
    numerals = traits(("1", "2", "0-2"))
    assert numerals.label("1") == 0 and numerals.labels("1-2") == [0, 1] and numerals.labels("0-2") == [2]
    assert traits(("a,b", "c", "d")).label("a,b") == 0


@pytest.mark.parametrize("text, part", [
    ("3", "from 0 to 2"), ("-1", "from 0 to 2"), ("0-3", "from 0 to 2"), ("2-0", "smaller to the larger"),
    ("0,0-1", "shirt is there twice"), ("shoo", "did you mean 'shoe'"), ("", "possible: bag, shirt, shoe"),
    ("0,,1", "possible: bag"), ("1.5", "possible: bag")])
def test_labels_that_there_are_not_are_refused(text, part):
    assert part in refusal(traits().labels, text)


def test_labels_without_names_or_classes_are_refused():
    assert "must be a number from 0 to 2" in refusal(traits(None).label, "shoe")
    assert "takes no labels" in refusal(traits(None, None).labels, "0-2")


def test_truncation_has_bounds():
    for value in (0.0, -1.0, math.nan, math.inf):
        assert "above 0 and finite" in refusal(traits().check_truncation, value)
    assert "at most 1" in refusal(traits(distribution="uniform").check_truncation, 1.5)
    traits().check_truncation(1.5)
    traits(distribution="uniform").check_truncation(1.0)
    traits().check_truncation(None)


def test_the_card_describes_latents_and_classes(exports):
    text = (exports["cgan"] / "README.md").read_text()
    for part in ("28x28 pixels, grey", "a latent, 6 numbers", "3 classes, from 0 on: shirt, shoe, bag",
                 '"label": -1', "cut off there", "latents=latents, labels=labels", "[4, 28, 28, 1]"):
        assert part in text
    card = json.loads((exports["cgan"] / "model_card.json").read_text())
    assert (card["num_classes"], card["class_names"], card["latent_size"]) == (3, CLASSES, 6)
    text = (exports["gan-smooth"] / "README.md").read_text()
    for part in ("U(-1, 1)", "no classes", "tf.random.uniform([4, 6], -1, 1)", "U(-truncation, truncation)"):
        assert part in text
    assert "label" not in text.split("## Use")[1].split("## Configuration")[0]
    assert "in colour" in (exports["dcgan-transpose"] / "README.md").read_text()
    assert "{" not in re.sub(r"```.*?```|`\{.*?\}`", "", text, flags=re.S)
