"""Versions on disk, what they compute, and how damaged ones are refused."""
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.cli import export as tool
from tf2gan.core import images, savedmodel
from tf2gan.core.errors import UserError
from tf2gan.export import exporter, model_card
from tf2gan.gans import base, conditional
from tf2gan.gans.cyclegan import Config, CycleGAN
from tf2gan.models import translation
from tf2gan.runs import restore

GENERATION_SIGNATURES = ["draw", "latents", "latents_bytes", "seed", "seed_bytes", "serving_default"]
SIGNATURES = ["a2b", "a2b_bytes", "b2a", "b2a_bytes", "serving_default"]
RECORD = {"model": "cyclegan", "preset": "default", "command": "tools/train.py --model cyclegan --name 'a|b'",
          "data": {"trainA": 40, "trainB": 50, "testA": 400}, "versions": {"tensorflow": "2.15.1"}, "config": {}}


@pytest.fixture(scope="module")
def gan():
    """A tiny CycleGAN whose averaged generators differ from the trained ones."""
    made = CycleGAN(Config(image_size="32x48", generator_filters=4, discriminator_filters=4, batch_size=2))
    generator = np.random.default_rng(0)
    for network in (made.average_xy, made.average_yx):
        for variable in network.variables:  # large enough for outputs to depend on inputs
            variable.assign(variable + generator.normal(0, 0.1, variable.shape))
    made.images_seen.assign(125)
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


@pytest.fixture(scope="module")
def cgan():
    """A tiny conditional GAN."""
    made = conditional.CGAN(conditional.Config(image_size="8", channels=3, latent_size=5, num_classes=4,
                                               generator_filters=2, discriminator_filters=2))
    made.images_seen.assign(640)
    return made


@pytest.fixture(scope="module")
def cgan_version(cgan, tmp_path_factory):
    """The folder of its exported version; not to be changed."""
    return exporter.export(cgan, tmp_path_factory.mktemp("savedmodels") / "things",
                         card={**RECORD, "model": "cgan", "data": {"train": 100, "test": 700}})


def floats(*shape, seed=0):
    return np.random.default_rng(seed).random([*shape, 3], dtype=np.float32)


def call(signature, values):
    return signature(images=tf.constant(values))["images"].numpy()


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def tree(folder):
    """{relative path: contents, or None for a folder} of everything in `folder`, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")}


# What it computes.

@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_an_export_computes_what_the_gan_generates(gan, signatures, direction):
    values = floats(2, 32, 48)
    expected = (gan.generate(2 * values - 1, direction).numpy() + 1) / 2
    result = call(signatures[direction], values)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert result.dtype == np.float32 and result.std() > 0.05
    trained = {"a2b": gan.generator_xy, "b2a": gan.generator_yx}[direction]
    assert np.abs(trained(2 * values - 1).numpy() - (2 * result - 1)).max() > 0.05  # averaged weights, not these
    if direction == "a2b":
        np.testing.assert_array_equal(call(signatures["serving_default"], values), result)


def test_signatures_are_those_of_the_documentation(signatures):
    assert sorted(signatures) == SIGNATURES
    for name, signature in signatures.items():
        key, dtype, shape = (("image_bytes", tf.string, [None]) if name.endswith("_bytes")
                             else ("images", tf.float32, [None, None, None, 3]))
        (positional, inputs), outputs = signature.structured_input_signature, signature.structured_outputs
        assert positional == () and list(inputs) == list(outputs) == [key]
        assert inputs[key].shape.as_list() == shape and inputs[key].dtype == outputs[key].dtype == dtype


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 31, 70), (2, 64, 16)])
def test_any_batch_and_any_size(signatures, shape):
    values = floats(*shape)
    result = call(signatures["a2b"], values)
    assert result.shape == values.shape and result.min() >= 0 and result.max() <= 1
    for one, together in zip(values, result):
        np.testing.assert_allclose(call(signatures["a2b"], one[np.newaxis])[0], together, atol=1e-5)


def test_values_beyond_the_range_are_clipped(signatures):
    values = 3 * floats(1, 32, 32) - 1
    np.testing.assert_array_equal(call(signatures["a2b"], values), call(signatures["a2b"], np.clip(values, 0, 1)))


def test_files_of_different_kinds_and_sizes_in_one_batch(signatures):
    sizes = [(32, 48), (50, 21), (7, 9)]
    pictures = [images.to_uint8(2 * floats(*size, seed=index) - 1) for index, size in enumerate(sizes)]
    files = [images.encode_image(picture, suffix) for picture, suffix in zip(pictures, (".png", ".jpg", ".bmp"))]
    answers = signatures["b2a_bytes"](image_bytes=tf.constant(files))["image_bytes"].numpy()
    assert len(answers) == 3
    for file, picture, answer in zip(files, pictures, answers):
        assert answer.startswith(b"\x89PNG")
        with Image.open(io.BytesIO(file)) as image:
            decoded = np.asarray(image.convert("RGB"))
        expected = np.rint(255 * call(signatures["b2a"], decoded[np.newaxis] / np.float32(255))[0])
        result = tf.io.decode_png(answer).numpy()
        assert result.shape == picture.shape
        assert np.abs(result - expected).max() <= 1  # where rounding is a near tie
    assert len(signatures["b2a_bytes"](image_bytes=tf.constant([], tf.string))["image_bytes"]) == 0


def test_a_loaded_translator_agrees_with_the_gans(gan, version):
    picture = images.to_uint8(2 * floats(45, 70) - 1)
    loaded = translation.Translator.from_savedmodel(version.parent)
    fresh = translation.Translator.from_gan(gan)
    assert loaded.directions == fresh.directions
    for direction in loaded.directions:
        difference = loaded(picture, direction).astype(int) - fresh(picture, direction)
        assert np.abs(difference).max() <= 1


def test_the_readme_of_an_export_works_in_plain_tensorflow(version, tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (version / "README.md").read_text(), re.S)
    block = "import sys; sys.modules['tf2gan'] = sys.modules['tensorflow_addons'] = sys.modules['keras'] = None\n"
    shutil.copytree(version.parent, tmp_path / "fruit")
    Image.fromarray(images.to_uint8(2 * floats(20, 33) - 1)).save(tmp_path / "photo.jpg")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # keras is blocked only where TensorFlow itself does not import it at its start.
    if tf.__version__ >= "2.16":
        block = block.replace(" = sys.modules['keras']", "")
    subprocess.run([sys.executable, "-I", "-c", block + example], cwd=tmp_path, env=environment, check=True,
                   capture_output=True)
    assert images.read_image(tmp_path / "translated.png").shape == (20, 33, 3)


@pytest.mark.parametrize("kind", ["translation", "generation"])
def test_an_export_holds_the_generators_only(kind, gan, version, cgan, cgan_version):
    networks = [gan.average_xy, gan.average_yx] if kind == "translation" else [cgan.average]
    version = version if kind == "translation" else cgan_version
    names = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert names == {"saved_model.pb", "fingerprint.pb", "variables/variables.index", "README.md", "model_card.json",
                     "variables/variables.data-00000-of-00001", "assets.extra/tf_serving_warmup_requests"}
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    del shapes["_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(shapes.values()) == sorted(v.shape.as_list() for network in networks for v in network.variables)
    for name in names:
        assert str(pathlib.Path(exporter.__file__).parents[2]).encode() not in (version / name).read_bytes()


# Warm-up and model card.

def length_delimited(number, payload):
    """A protobuf field of wire type 2, written out by hand."""
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def test_messages_are_tensorflow_servings():
    log = exporter.prediction_log_class()()
    request = log.predict_log.request
    request.model_spec.name = "fruit"
    request.model_spec.signature_name = "a2b"
    request.inputs.add(key="images", value=b"tensor")
    # By prediction_log.proto, predict.proto and model.proto of TensorFlow Serving.
    model_spec = length_delimited(1, b"fruit") + length_delimited(3, b"a2b")
    entry = length_delimited(1, b"images") + length_delimited(2, b"tensor")
    by_hand = length_delimited(1, model_spec) + length_delimited(2, entry)
    assert log.SerializeToString() == length_delimited(6, length_delimited(1, by_hand))


def test_warm_up_requests_can_be_answered(version, signatures):
    tensor_class, warmed = type(tf.make_tensor_proto(0)), []
    for record in tf.data.TFRecordDataset(os.fspath(version / "assets.extra" / "tf_serving_warmup_requests")):
        request = exporter.prediction_log_class().FromString(record.numpy()).predict_log.request
        tensors = {entry.key: tf.make_ndarray(tensor_class.FromString(entry.value))
                   for entry in request.inputs}
        signature = signatures[request.model_spec.signature_name]
        (answer,) = signature(**{key: tf.constant(value) for key, value in tensors.items()}).values()
        if "images" in tensors:
            assert tensors["images"].shape == answer.shape == (1, 32, 48, 3)
        else:
            assert tf.io.decode_png(answer[0]).shape == (32, 48, 3)
        warmed.append(request.model_spec.signature_name)
    assert sorted(warmed) == SIGNATURES


def test_warm_up_requests_with_several_inputs_can_be_answered(cgan_version):
    loaded = savedmodel.load(cgan_version)
    assert sorted(loaded.signatures) == GENERATION_SIGNATURES
    tensor_class, warmed = type(tf.make_tensor_proto(0)), []
    inputs = {"latents": ["labels", "latents"], "seed": ["label", "num", "seed"], "draw": ["num", "seed", "truncation"]}
    for record in tf.data.TFRecordDataset(os.fspath(cgan_version / "assets.extra" / "tf_serving_warmup_requests")):
        request = exporter.prediction_log_class().FromString(record.numpy()).predict_log.request
        name = request.model_spec.signature_name
        tensors = {entry.key: tf.constant(tf.make_ndarray(tensor_class.FromString(entry.value)))
                   for entry in request.inputs}
        assert sorted(tensors) == inputs[name.replace("serving_default", "latents").replace("_bytes", "")]
        (answer,) = loaded.signatures[name](**tensors).values()
        if name.endswith("_bytes"):
            assert tf.io.decode_png(answer[0]).shape == (8, 8, 3)
        else:
            assert answer.shape == ((1, 5) if name == "draw" else (1, 8, 8, 3))
        warmed.append(name)
    assert sorted(warmed) == GENERATION_SIGNATURES


def test_the_card_of_a_generating_model(cgan, cgan_version, tmp_path):
    card = json.loads((cgan_version / "model_card.json").read_text())
    assert (card["images_seen"], card["steps"], card["epochs"]) == (640, 10, 6.4)
    assert card["image_shape"] == [8, 8, 3] and (card["num_classes"], card["class_names"]) == (4, None)
    assert "directions" not in card and sorted(card["signatures"]) == GENERATION_SIGNATURES
    assert card["signatures"]["seed_bytes"]["inputs"].keys() == {"num", "seed", "label"}
    assert card["signatures"]["latents"] == {
        "inputs": {"latents": "float32 [batch, 5]", "labels": "int64 [batch], from 0 to 3"},
        "outputs": {"images": "float32 [batch, 8, 8, 3] in [0, 1]"}}
    text = (cgan_version / "README.md").read_text()
    for part in ("# things, version 1", "| images seen | 640 |", "4 classes without names", "in colour", "own terms"):
        assert part in text
    assert "Figures" not in text
    model_card.write(tmp_path, cgan, "things", 1, card["signatures"], {"evaluation": {
        "protocol": {"num": 50}, "table": "fid  12.5"}})
    text = (tmp_path / "README.md").read_text()
    assert "By `tools/evaluate.py`:\n\n```\nfid  12.5\n```" in text and '"num": 50' in text


def test_the_model_card_says_where_it_comes_from(gan, version):
    card = json.loads((version / "model_card.json").read_text())
    assert card["name"] == "fruit" and card["version"] == 1 and card["data"] == gan.config.dataset
    assert (card["images_seen"], card["steps"], card["epochs"]) == (125, 63, 2.5)  # a step that has begun counts
    assert card["command"] == RECORD["command"] and "0.999" in card["weights"]
    assert card["config"]["batch_size"] == 2 and sorted(card["signatures"]) == SIGNATURES
    text = (version / "README.md").read_text()
    for part in ("# fruit, version 1", "--name 'a\\|b'", "| 125 |", "2.5", "averaged", "tensorflow 2.15.1", "48x32",
                 "own terms", '"batch_size": 2', "EXIF", "WebP"):
        assert part in text
    assert "{" not in re.sub(r"```.*?```|`\{.*?\}`", "", text, flags=re.S)


def test_a_card_without_a_record_keeps_quiet_about_folders(tmp_path):
    gan = CycleGAN(Config(image_size="32", generator_filters=2, discriminator_filters=2, ema_decay=None,
                          dataset="/home/somebody/photos/horses"))
    folder = exporter.export(gan, tmp_path / "h")
    text = (folder / "README.md").read_text()
    assert "somebody" not in text and "somebody" not in (folder / "model_card.json").read_text()
    assert "horses" in text and "not recorded" in text and "as trained" in text


# Versions.

@pytest.fixture
def fast(monkeypatch):
    """tf.saved_model.save replaced by one that only leaves a file, and sees what it should."""
    def save(module, folder, signatures, options):
        assert sorted(signatures) == SIGNATURES and module.variables_used
        assert not pathlib.Path(folder).name.isdecimal()  # TensorFlow Serving would take that for a version
        pathlib.Path(folder).mkdir()
        pathlib.Path(folder, "saved_model.pb").write_bytes(b"")

    monkeypatch.setattr(tf.saved_model, "save", save)


def test_versions_count_up_and_are_never_replaced(gan, tmp_path, fast):
    directory = tmp_path / "deep" / "fruit"
    assert exporter.export(gan, directory) == directory / "1"
    assert exporter.export(gan, str(directory)) == directory / "2"
    assert exporter.export(gan, directory, version=10) == directory / "10"
    assert exporter.export(gan, directory) == directory / "11"
    (directory / "0012").mkdir()  # which TensorFlow Serving reads as 12
    (directory / "99x").mkdir()
    before = tree(directory)
    for taken in (2, 12):
        message = refusal(exporter.export, gan, directory, version=taken)
        assert "exists already" in message and "13" in message
    for impossible in (0, -1, 2 ** 63):
        assert "must be from 1" in refusal(exporter.export, gan, directory, version=impossible)
    assert tree(directory) == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_export_cut_short_leaves_the_directory_as_it_was(gan, tmp_path, fast, monkeypatch, stop):
    directory = tmp_path / "deep" / "fruit"
    whole = tf.saved_model.save

    def half(module, folder, *args):
        whole(module, folder, *args)
        raise stop

    monkeypatch.setattr(tf.saved_model, "save", half)
    with pytest.raises(stop):
        exporter.export(gan, directory)
    assert tree(tmp_path) == {}
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "saved_model.pb").write_bytes(b"old")
    before = tree(tmp_path)
    with pytest.raises(stop):
        exporter.export(gan, directory)
    assert tree(tmp_path) == before


def test_of_two_exports_at_once_one_is_told(gan, tmp_path, fast, monkeypatch):
    whole = tf.saved_model.save

    def slow(module, folder, *args):
        whole(module, folder, *args)
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").write_bytes(b"the other's")

    monkeypatch.setattr(tf.saved_model, "save", slow)
    assert "exists already" in refusal(exporter.export, gan, tmp_path)
    assert tree(tmp_path) == {"1": None, "1/saved_model.pb": b"the other's"}


def test_what_cannot_be_written_is_refused_before_any_work(gan, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda *args: pytest.fail("has begun to work"))
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "fruit", pathlib.Path("/proc/nothing")):
        assert "cannot write" in refusal(exporter.export, gan, directory)
    message = refusal(exporter.export, base.GAN(base.Config()), tmp_path / "new")
    assert "neither directions" in message and "nor latents" in message
    assert sorted(tree(tmp_path)) == ["file"]


def test_a_full_disk_is_one_line(gan, tmp_path, monkeypatch):
    def save(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    assert "No space left" in refusal(exporter.export, gan, tmp_path / "fruit")
    assert tree(tmp_path) == {}


# Loading.

def test_the_highest_version_is_loaded(version, tmp_path):
    directory = tmp_path / "fruit"
    for name in ("2", "10", "junk"):
        shutil.copytree(version, directory / name)
    (directory / "2" / "saved_model.pb").write_bytes(b"broken")
    assert sorted(savedmodel.load(directory).signatures) == SIGNATURES
    (directory / "11").mkdir()
    assert f"{directory / '11'} is not a SavedModel" in refusal(savedmodel.load, directory)


def test_what_is_no_savedmodel_is_refused(tmp_path):
    assert "does not exist" in refusal(savedmodel.load, tmp_path / "no")
    (tmp_path / "file").write_text("")
    assert "not a folder" in refusal(savedmodel.load, tmp_path / "file")
    (tmp_path / "folder").mkdir()
    assert "not a SavedModel" in refusal(savedmodel.load, tmp_path / "folder")


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index",
                                  "variables/variables.data-00000-of-00001", "fingerprint.pb"])
def test_a_damaged_savedmodel_is_one_line_and_nothing_from_tensorflow(version, tmp_path, name, capfd):
    folder = tmp_path / "1"
    shutil.copytree(version, folder)
    whole = (folder / name).read_bytes()
    for kept in (0, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:kept])
        assert str(folder) in refusal(savedmodel.load, folder)
    (folder / name).unlink()
    if name != "fingerprint.pb":  # older TensorFlow writes none
        assert str(folder) in refusal(savedmodel.load, folder)
    assert capfd.readouterr() == ("", "")


def test_a_lacking_signature_is_named_with_those_there_are(version, tmp_path):
    message = refusal(savedmodel.load, version, ["a2b", "upscale"])
    assert "no signature upscale" in message and "a2b, a2b_bytes" in message
    module = tf.Module()
    other = tf.function(lambda x: {"images": x}, input_signature=[tf.TensorSpec([None], tf.float32, name="images")])
    tf.saved_model.save(module, os.fspath(tmp_path / "other"), {"a2b": other.get_concrete_function()})
    message = refusal(translation.Translator.from_savedmodel, tmp_path / "other", ["a2b"])
    assert "of another kind" in message


# The tool.

def test_the_tool_exports_a_run_and_prints_path_and_signatures(gan, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(restore, "load_gan", lambda path, checkpoint: (gan, {**RECORD, "model": path}))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "config.json").write_text(json.dumps({**RECORD, "model": "x", "options": {}, "data": {}}))
    output = tmp_path / "fruit"
    tool.main(["--run", "runs/x", "--output", str(output), "--version", "7"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(output / "7") and len(printed) == 1 + len(SIGNATURES)
    assert "  a2b: images float32 [None, None, None, 3] -> images float32 [None, None, None, 3]" in printed
    assert json.loads((output / "7" / "model_card.json").read_text())["model"] == "runs/x"
    monkeypatch.setattr(restore, "load_gan", lambda *chosen: pytest.fail("has begun to work"))
    assert "exists already" in refusal(tool.main, ["--run", "runs/x", "--output", str(output), "--version", "7"])
    with pytest.raises(SystemExit) as done:
        tool.main(["--version"])
    assert done.value.code == 0 and capsys.readouterr().out.startswith("tf2gan ")
