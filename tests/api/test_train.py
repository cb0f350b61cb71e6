"""tf2gan.train from Python: its run, data in memory, own networks, callbacks, threads, and what is refused."""
import json
import random
import threading

import numpy as np
import pytest
import tensorflow as tf
import tool

import tf2gan
from tf2gan.core.versions import versions

SIZE = 12
SHORT = {"steps": 4, "batch_size": 4, "log_every": 2, "sample_every": 2, "checkpoint_every": 2, "latent_size": 5,
         "generator_widths": "6", "discriminator_widths": "6"}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, [12, SIZE, SIZE, 1], np.uint8)
LABELS = np.arange(12) % 3
PAIRS = (RANDOM.integers(0, 256, [6, 40, 36, 3], np.uint8), RANDOM.integers(0, 256, [12, 33, 50, 3], np.uint8))
TRANSLATION = {"image_size": 32, "generator_filters": 2, "discriminator_filters": 2, "steps": 1, "log_every": 1}


def trained(folder, data=IMAGES, model="gan", **options):
    return tf2gan.train(model, data, run_dir=folder, **{**SHORT, **options})


def refused(function, *args, **kwargs):
    with pytest.raises(tf2gan.UserError) as caught:
        function(*args, **kwargs)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("api") / "run")


def test_a_run_is_a_folder_and_what_can_be_done_with_it(run):
    assert [line["step"] for line in run.metrics()] == [2, 4]
    assert [int(path.stem) for path in run.grids()] == [0, 8, 16]
    assert run.record["config"]["steps"] == 4 and run.record["command"].startswith("tf2gan.train('gan', ndarray, ")
    assert "trained on 16 images" in run.outcome
    picture = run.grid()
    assert picture.pixels.dtype == np.uint8 and picture._repr_png_().startswith(b"\x89PNG")
    assert (picture.pixels == run.grid(16).pixels).all()
    assert "no sample grid of 5 images; the last ones: 0, 8, 16" in refused(run.grid, 5)
    assert run.sample(3, seed=2).shape == (3, SIZE, SIZE, 1)
    again = tf2gan.Run(run.path)
    assert (again.sample(3, seed=2) == run.sample(3, seed=2)).all()


def test_the_same_as_the_tool(run, tmp_path):
    """Same data, same options: the same weights, whoever begins."""
    from PIL import Image

    (tmp_path / "data").mkdir()
    for i, image in enumerate(IMAGES):
        Image.fromarray(image[..., 0]).save(tmp_path / "data" / f"{i:02}.png")
    flags = [word for name, value in SHORT.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = tool.run_here("--model", "gan", "--dataset", tmp_path / "data", "--run-dir", tmp_path / "tool", *flags)
    assert done.returncode == 0, done.stderr
    here = tf2gan.train("gan", tmp_path / "data", run_dir=tmp_path / "python", **SHORT)
    tool.assert_same_end(here.path, tmp_path / "tool")
    # The order of examples depends on the name of a split alone, so that arrays come as files do.
    assert tool.logged(run.path) == tool.logged(tmp_path / "tool")


def test_resume_is_the_uninterrupted_run(run, tmp_path):
    straight = trained(tmp_path / "straight", steps=6)
    part = trained(tmp_path / "part", steps=4)
    assert part.resume(steps=6) is part
    tool.assert_same_end(part.path, straight.path)
    assert "nothing to do" in part.resume().outcome
    line = refused(part.resume, latent_size=9)
    assert "--latent-size 9 contradicts the run" in line
    assert "unknown option 'stepz'" in refused(part.resume, stepz=3)
    assert "the data have changed" in refused(part.resume, IMAGES[:8])


def test_images_have_the_same_name_in_every_process(run):
    """The hash of what they are: given again elsewhere, a run on them can be gone on with."""
    from tf2gan.data import memory

    name = run.record["config"]["dataset"]
    kept = memory._SETS.pop(name)
    try:
        line = refused(tf2gan.Run(run.path).resume, steps=5)
        assert name in line and "give them again" in line
        resumed = tf2gan.Run(run.path).resume(IMAGES.copy())
        assert "nothing to do" in resumed.outcome and name in memory._SETS
    finally:
        memory._SETS[name] = kept


def test_evaluate_and_export(run, tmp_path):
    evaluation = run.evaluate("ms-ssim", num=8)
    assert evaluation.value("ms_ssim") == evaluation["figures"][0]["values"]["model"]
    assert "ms_ssim" in str(evaluation) and "ms_ssim" in evaluation._repr_html_()
    assert json.loads((run.path / "evaluation.json").read_text()) == json.loads(json.dumps(evaluation))
    with pytest.raises(KeyError, match="ms_ssim"):
        evaluation.value("fid")
    both = run.evaluate("ms-ssim", num=6, add=True)
    assert [figure["name"].split("_mem")[0] for figure in both["figures"]] == ["ms_ssim_8", "ms_ssim_6"]
    assert "was after" in refused(run.evaluate, "ms-ssim", num=8, add=True, weights="raw")
    version = run.export(tmp_path / "models" / "mine")
    assert version == tmp_path / "models" / "mine" / "1"
    model = tf2gan.load(tmp_path / "models" / "mine")
    assert (model.sample(4, seed=3) == run.sample(4, seed=3)).all()
    assert model.grid(4, seed=3).pixels.shape[-1] == 3
    assert "exists already" in refused(run.export, tmp_path / "models" / "mine", version=1)
    assert run.report().name == "report.html"


def test_other_formats(run, tmp_path):
    version = run.export(tmp_path / "mine", format="savedmodel,tflite", tflite_weights="float16")
    assert (version / "tflite" / "latents-float16.tflite").is_file()
    assert "a version is a SavedModel first" in refused(run.export, tmp_path / "mine", format="tflite")
    assert "exists already" in refused(tf2gan.convert, tmp_path / "mine", "tflite")
    assert "is a SavedModel already" in refused(tf2gan.convert, tmp_path / "mine", "savedmodel")
    assert not (tmp_path / "mine" / "2").exists()
    (tmp_path / "mine" / "1" / "tflite").rename(tmp_path / "old")
    (file, entry), = tf2gan.convert(tmp_path / "mine", "tflite").items()
    assert file == version / "tflite" / "latents.tflite" and file.is_file() and entry["difference"] < 1e-3


# Data.

@pytest.mark.parametrize("data", [
    IMAGES / 255.0, (IMAGES / 255.0).astype(np.float32), IMAGES[..., 0], list(IMAGES),
    {"train": IMAGES}, tf.data.Dataset.from_tensor_slices(IMAGES), tf.data.Dataset.from_tensor_slices(IMAGES).batch(5),
    tf.data.Dataset.from_tensor_slices({"image": IMAGES})],
    ids=["float64", "float32", "no channels", "list", "dict", "tf.data", "batches", "dicts"])
def test_forms_of_the_same_images(data):
    from tf2gan.data import memory

    assert memory.keep(data) == memory.keep(IMAGES)


def test_images_of_several_sizes(tmp_path):
    images = [image[:6 + i % 3 * 2] for i, image in enumerate(IMAGES)]
    run = trained(tmp_path / "run", images, image_size=SIZE)
    assert run.sample(1).shape == (1, SIZE, SIZE, 1)
    assert "--image-size is needed" in refused(trained, tmp_path / "no", images)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("labels", [LABELS, np.array(["dog", "ant", "cat"])[LABELS], LABELS.tolist()])
def test_labels(tmp_path, labels):
    run = tf2gan.train("cgan", (IMAGES, labels), run_dir=tmp_path / "run", steps=1, batch_size=4, log_every=1,
                       latent_size=5, generator_filters=2, discriminator_filters=2)
    names = run.record["class_names"]
    assert names == (["0", "1", "2"] if isinstance(labels[0], (int, np.integer)) else ["ant", "cat", "dog"])
    assert run.sample(4, labels=names[1]).shape == (4, SIZE, SIZE, 1)
    assert (run.sample(3) == run.sample(3, labels=names)).all()
    assert "must be from 0 to 2" in refused(run.sample, 3, labels="7") or names[0] == "ant"
    assert "2 for 3 images" in refused(run.sample, 3, labels=names[:2])


@pytest.mark.parametrize("data, words", [
    (IMAGES.astype(float), "floats from 0 to 255: pixels are uint8"),
    (IMAGES.astype(np.int32), "int32 [12, 12, 12, 1]: pixels are uint8"),
    (IMAGES[0, 0, 0], "an array uint8 [1] is no images"), (IMAGES[:0], "is no images"), (7, "a int is no images"),
    (np.full([2, 4, 4, 1], np.nan), "floats from nan"), ((IMAGES, LABELS[:3]), "one int or str for each of the 12"),
    ((IMAGES, LABELS, LABELS), "tuple of 3"), ((IMAGES, LABELS - 2), "a label is -2"),
    ({"test": IMAGES}, "lacks train"),
    (tf.data.Dataset.from_tensor_slices(IMAGES).repeat(), "endless"),
    (tf.data.Dataset.from_tensor_slices(np.zeros([3], np.float32)), "elements are"),
    ({"train": (IMAGES, LABELS), "test": (IMAGES, LABELS + 5)}, "data of test: the label"),
    ("no_such_set", "unknown dataset"), ("./no/such/folder", "does not exist")])
def test_data_that_are_none(tmp_path, data, words):
    line = refused(trained, tmp_path / "run", data, image_size=SIZE)
    assert words in line, line
    assert not (tmp_path / "run").exists()


def test_two_kinds_of_images(tmp_path):
    run = tf2gan.train("cyclegan", PAIRS, run_dir=tmp_path / "run", **TRANSLATION)
    assert run.record["data"] == {"trainA": 5, "trainB": 11, "testA": 1, "testB": 1}
    assert run.translate(PAIRS[0][0]).shape == (40, 36, 3)
    assert run.translate(PAIRS[0]).shape == PAIRS[0].shape
    assert [image.shape for image in run.translate([PAIRS[0][0], PAIRS[1][0]], "b2a")] == [(40, 36, 3), (33, 50, 3)]
    assert "does not make images from latents; it translates" in refused(run.sample, 2)
    assert "a picture is uint8" in refused(run.translate, PAIRS[0][0] / 255)
    assert "unknown direction" in refused(run.translate, PAIRS[0][0], "c2d")
    assert "(images of A, images of B)" in refused(tf2gan.train, "cyclegan", PAIRS[0], run_dir=tmp_path / "no")


# Own networks.

def make_generator():
    return tf.keras.Sequential([tf.keras.layers.Dense(SIZE * SIZE, activation="tanh"),
                                tf.keras.layers.Reshape([SIZE, SIZE, 1])])


def functional_discriminator():
    inputs = tf.keras.Input([SIZE, SIZE, 1])
    x = tf.keras.layers.Dropout(0.5)(tf.keras.layers.Flatten()(inputs))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(1)(x))


class Subclassed(tf.keras.Model):
    """Without get_config: Keras cannot copy it."""

    def __init__(self, num=3):
        super().__init__()
        self.layer = tf.keras.layers.Conv2D(num, 3, padding="same", activation="tanh")

    def call(self, images):
        return self.layer(images)


def test_own_networks(tmp_path):
    given = functional_discriminator()
    before = [weight.copy() for weight in given.get_weights()]
    networks = {"generator": make_generator, "discriminator": given}
    run = trained(tmp_path / "run", **networks)
    assert run.record["own_networks"] == ["discriminator", "generator"]
    for weight, other in zip(given.get_weights(), before):
        np.testing.assert_array_equal(weight, other)  # a copy is trained
    assert run.sample(2).shape == (2, SIZE, SIZE, 1)
    run.resume(steps=6)
    assert run.metrics()[-1]["step"] == 6
    line = refused(tf2gan.load, run.path)
    assert "own networks: discriminator, generator" in line and "generator=..." in line
    done = tool.run_here("--resume", run.path, "--steps", 8)
    assert done.returncode == 2 and "own networks" in done.stderr
    again = tf2gan.load(run.path, **networks)
    assert (again.sample(3) == run.sample(3)).all()
    run.export(tmp_path / "export")
    assert (tf2gan.load(tmp_path / "export").sample(3) == run.sample(3)).all()


def test_a_built_network_begins_with_its_own_weights(tmp_path):
    given = make_generator()
    given(tf.zeros([1, 5]))
    run = trained(tmp_path / "run", generator=given, generator_learning_rate=0.0)
    sampled = run.sample(2, seed=3)
    made = given(run.model().latents(2, seed=3)).numpy()
    assert np.abs(sampled - (made + 1) * 127.5).max() <= 0.51


class Switching(tf.keras.Model):
    """Asks for the value of a tensor, as AutoGraph allows."""

    def __init__(self):
        super().__init__()
        self.dense = tf.keras.layers.Dense(1)

    def call(self, images):
        if tf.reduce_mean(images) > 0.0:
            images = 2.0 * images
        return self.dense(tf.reshape(images, [-1, SIZE * SIZE]))


def test_a_network_that_needs_autograph(tmp_path):
    assert trained(tmp_path / "run", discriminator=Switching).metrics()


def test_a_function_that_makes_no_new_network(tmp_path):
    network = functional_discriminator()
    line = refused(trained, tmp_path / "run", discriminator=lambda: network)
    assert "discriminator: the function has to make a new network at each call" in line


def test_a_layer_that_cannot_run_in_a_step_is_named_before_any_work(tmp_path):
    """Keras 2's SpectralNormalization asks for a tensor where AutoGraph does not look; Keras 3's does not."""
    def network():
        return tf.keras.Sequential([tf.keras.Input([SIZE, SIZE, 1]), tf.keras.layers.Flatten(),
                                    tf.keras.layers.SpectralNormalization(tf.keras.layers.Dense(1))])

    if versions()["keras"].startswith("3"):
        assert trained(tmp_path / "run", discriminator=network).metrics()
        return
    line = refused(trained, tmp_path / "run", discriminator=network)
    assert "discriminator: the layer spectral_normalization" in line and "SpectralNormalization" in line
    assert "cannot run in the graph of a training step" in line and not (tmp_path / "run").exists()


def test_an_own_network_that_translates(tmp_path):
    run = tf2gan.train("cyclegan", PAIRS, generator=Subclassed, run_dir=tmp_path / "run",
                       **{**TRANSLATION, "generator_filters": None})
    assert run.translate(PAIRS[0][0]).shape == (40, 36, 3)


@pytest.mark.parametrize("model, networks, words", [
    ("gan", {"generator": functional_discriminator()}, "generator: the network cannot take [1, 5]"),
    ("gan", {"generator": lambda: tf.keras.Sequential([tf.keras.layers.Dense(4)])}, "needed: [1, 12, 12, 1]"),
    ("gan", {"discriminator": lambda: tf.keras.Sequential([tf.keras.layers.Flatten()])}, "makes [1, 144]"),
    ("gan", {"generator": Subclassed()}, "give a function that makes it"),
    ("gan", {"generator": 3}, "generator: 3 is no network"), ("gan", {"generator": lambda: 3}, "made a int"),
    ("progan", {"generator": make_generator}, "progan takes no generator"),
    ("cyclegan", {"discriminator": make_generator}, "takes no discriminator of one's own; possible: generator")])
def test_networks_that_cannot_be(tmp_path, model, networks, words):
    data = PAIRS if model == "cyclegan" else IMAGES
    options = TRANSLATION if model == "cyclegan" else {"latent_size": 5, "batch_size": 4}
    line = refused(tf2gan.train, model, data, run_dir=tmp_path / "run", **networks, **options)
    assert words in line, line
    assert not (tmp_path / "run").exists()


# Callbacks, threads, two in one process.

class Recorder:
    def __init__(self):
        self.calls = []

    def on_log(self, step, logs):
        assert np.isfinite(list(logs.values())).all()
        self.calls.append(("log", step))

    def on_samples(self, path):
        assert path.exists()
        self.calls.append(("samples", int(path.stem)))

    def on_checkpoint(self, path):
        assert (path / "info.json").exists()
        self.calls.append(("checkpoint", int(path.name)))

    def on_end(self, run):
        self.calls.append(("end", str(run.path)))


def test_callbacks(tmp_path):
    recorder = Recorder()
    trained(tmp_path / "run", callbacks=[recorder, object()])
    assert recorder.calls == [("samples", 0), ("log", 2), ("samples", 8), ("checkpoint", 8), ("log", 4),
                              ("samples", 16), ("checkpoint", 16), ("end", str(tmp_path / "run"))]


def test_an_error_of_a_callback_leaves_a_run_to_go_on_with(tmp_path):
    class Broken:
        def on_log(self, step, logs):
            if step == 4:
                raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trained(tmp_path / "run", callbacks=[Broken()])
    straight = trained(tmp_path / "straight")
    tool.assert_same_end(tf2gan.Run(tmp_path / "run").resume(IMAGES).path, straight.path)


def test_in_a_thread(tmp_path):
    """Where Python lets nobody set a handler of signals."""
    found = []
    thread = threading.Thread(target=lambda: found.append(trained(tmp_path / "run")))
    thread.start()
    thread.join()
    assert found[0].metrics()[-1]["step"] == 4


def test_what_a_run_sets_does_not_reach_the_next(run, tmp_path):
    """Precision, and the dice of Python and numpy; the same run after another one is the same."""
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    trained(tmp_path / "coarse", precision="bfloat16")
    assert (random.random(), np.random.random()) == expected
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    tool.assert_same_end(trained(tmp_path / "again").path, run.path)


# What is refused.

@pytest.mark.parametrize("args, options, words", [
    (["gna"], {}, "unknown model 'gna': did you mean 'gan'?"), (["gan"], {"stepz": 3}, "unknown option 'stepz'"),
    (["gan"], {"steps": "many"}, "--steps many: must be an int"), (["gan"], {"steps": 0}, "must be at least 1"),
    (["gan"], {"steps": 3, "epochs": 2}, "give only one of --steps, --epochs"),
    (["gan"], {"loss": "hing"}, "did you mean hinge?"), (["gan"], {"preset": "gan-dep"}, "unknown preset"),
    (["gan", IMAGES], {"dataset": "mnist"}, "give one of them"), (["gan"], {"half_batches": 1}, "true or false"),
    (["gan"], {"latent_size": None}, "is not possible"), (["gan"], {"batch_size": 2.5}, "must be an int"),
    (["gan-deep"], {"preset": "gan"}, "contradicts --preset")])
def test_options_that_cannot_be(tmp_path, args, options, words):
    line = refused(tf2gan.train, *args, run_dir=tmp_path / "run", **options)
    assert words in line, line
    assert not (tmp_path / "run").exists()


def test_dry_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = tf2gan.dry_run("gan", IMAGES, **{name: SHORT[name] for name in ("steps", "batch_size", "latent_size")})
    assert "length: 4 steps, 16 images" in text and "generator (MLPGenerator)" in text
    assert not list(tmp_path.iterdir())


def test_what_there_is_not():
    with pytest.raises(AttributeError, match="'trian'; it has .*train"):
        tf2gan.trian  # noqa: B018
    assert set(tf2gan.__all__) <= set(dir(tf2gan))
    for name in tf2gan.__all__:
        assert getattr(tf2gan, name) is not None
