"""Other formats of exports: the numbers of the SavedModel, what files and cards say, and nothing half written."""
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tool

from tf2gan.core import savedmodel
from tf2gan.export import formats, onnx, tflite

MODELS = {"dcgan-mnist": ("latents",), "cgan-mnist": ("latents",), "sgan-mnist": ("classify", "latents"),
          "progan-mnist": ("latents",), "projected-apples": ("latents",),
          "apple2orange": ("a2b", "b2a"), "facades": ("b2a",)}


def with_onnx():
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(package)


@pytest.fixture
def copied(root, tmp_path):
    """A function that copies a model of the project, and returns the folder of its newest version."""
    def copy(name):
        return savedmodel.find(shutil.copytree(root / "savedmodels" / name, tmp_path / name))

    return copy


def export(*args):
    return tool.run_here(*args, tool="export")


def feed_of(inputs, card, num=3, size=None):
    """Arrays other than those that the export compares on."""
    dice, found = np.random.default_rng(7), {}
    for name, part in inputs.items():
        shape = [n or size for n in part["shape"][1:]]
        if name == "labels":
            found[name] = np.arange(num, dtype=part["type"]) % card["num_classes"]
        elif name == "latents":
            found[name] = dice.normal(size=[num, *shape]).astype(np.float32)
        else:
            found[name] = dice.uniform(size=[num, *shape]).astype(np.float32)
    return found


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in formats.CONVERTERS for name in MODELS
                                        if kind != "web" or name in ("sgan-mnist", "apple2orange")])  # it wraps ONNX
def test_each_model_in_each_format(kind, name, copied):
    """Any batch, and translators at sizes that their networks do not take: they are padded within the model."""
    if kind != "tflite":
        with_onnx()
    folder = copied(name)
    done = export("--from", folder, "--format", kind)
    assert done.returncode == 0, done.stderr
    card, loaded = json.loads((folder / "model_card.json").read_text()), savedmodel.load(folder)
    files = {f"{kind}/{signature}.{'js' if kind == 'web' else kind}" for signature in MODELS[name]}
    assert card["formats"].keys() == files
    page = {"web/index.html"} if kind == "web" else set()
    assert {f"{kind}/{path.name}" for path in (folder / kind).iterdir()} == files | page
    for file, entry in card["formats"].items():
        content = (folder / file).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["difference"] <= 5e-4 and f"| `{file}` |" in (folder / "README.md").read_text()
        for size in (64, 50) if name in ("apple2orange", "facades") else (None,):
            feed = feed_of(entry["inputs"], card, size=size)
            expected = loaded.signatures[entry["signature"]](**{key: tf.constant(part) for key, part in feed.items()})
            found = formats.CONVERTERS[kind].run(content, feed)
            assert found.keys() == entry["outputs"].keys()
            for key, value in expected.items():
                value = value.numpy()
                made = found.get("translated", found.get(key))
                assert made.shape == value.shape
                if value.dtype.kind == "f":
                    np.testing.assert_allclose(made, value, atol=2e-3 if kind == "tflite" else 1e-4)
                else:
                    np.testing.assert_array_equal(made, value)


def test_onnx_says_what_it_is(copied):
    with_onnx()
    import onnx as reader

    folder = copied("apple2orange")
    assert export("--from", folder, "--format", "onnx").returncode == 0
    model = reader.load(folder / "onnx" / "a2b.onnx")
    reader.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [onnx.OPSET]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["signature"] == "a2b" and "in [0, 1]" in json.loads(about["meanings"])["translated"]
    sizes = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", "height", "width", 3]
    modes = {attribute.s for node in model.graph.node for attribute in node.attribute
             if attribute.name == "coordinate_transformation_mode"}
    assert b"tf_half_pixel_for_nn" not in modes


def test_a_fixed_size_and_other_weights(copied):
    folder = copied("facades")
    done = export("--from", folder, "--format", "tflite", "--image-size", "64", "--tflite-weights",
                  "float32,float16,int8")
    assert done.returncode == 0, done.stderr
    entries = json.loads((folder / "model_card.json").read_text())["formats"]
    assert list(entries) == ["tflite/b2a.tflite", "tflite/b2a-float16.tflite", "tflite/b2a-int8.tflite"]
    sizes = [entry["bytes"] for entry in entries.values()]
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.4 * sizes[0]
    assert all(entry["inputs"]["images"]["shape"] == [None, 64, 64, 3] for entry in entries.values())
    differences = [entry["difference"] for entry in entries.values()]
    assert differences[0] < differences[1] < differences[2] < 0.5
    assert done.stdout.count("grey levels") == 3 and "here anyx64x64x3" in (folder / "README.md").read_text()


def test_cards_keep_what_they_had(copied):
    folder = copied("dcgan-mnist")
    before, card = (folder / "README.md").read_text(), json.loads((folder / "model_card.json").read_text())
    assert export("--from", folder, "--format", "tflite").returncode == 0
    shutil.rmtree(folder / "tflite")
    assert export("--from", folder.parent, "--format", "tflite", "--tflite-weights", "float16").returncode == 0
    text, found = (folder / "README.md").read_text(), json.loads((folder / "model_card.json").read_text())
    assert text.count("## Other formats") == 1 == text.count("## Configuration")
    part = text[text.index("## Other formats"):text.index("## Configuration")]
    assert text.replace(part, "") == before
    assert {**found, "formats": None} == {**card, "formats": None}
    assert tf.saved_model.load(str(folder)).signatures


def test_what_fails_leaves_no_format(copied, monkeypatch):
    folder = copied("apple2orange")
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    convert = tflite.convert

    def broken(signature, *args):
        if signature.name == "b2a":
            raise OSError(28, "No space left on device")
        return convert(signature, *args)

    monkeypatch.setattr(tflite, "convert", broken)
    done = export("--from", folder, "--format", "tflite")
    assert done.returncode == 2 and "No space left on device" in done.stderr
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize("args, words", [
    (("--format", "onxn"), "'onxn' is none; did you mean 'onnx'? possible: one or more of savedmodel,onnx,"),
    (("--format", ","), "--format: is empty"),
    (("--format", "savedmodel"), "is a SavedModel already; possible: onnx,tflite"),
    (("--format", "tflite", "--image-size", "50"), "--image-size 50: this model takes multiples of"),
    (("--format", "tflite", "--image-size", "0"), "--image-size 0: must be at least 1"),
    (("--format", "tflite", "--tflite-weights", "int4"), "'int4' is none; did you mean 'int8'? possible: one or more of float32,"),
    (("--format", "tflite", "--output", "x"), "--output x: is for --run, not for --from"),
    (("--format", "tflite", "--run", "x"), "needed: --run RUN --output MODEL, for a new version, or --from MODEL")])
def test_bad_input(args, words, copied):
    folder = copied("facades")
    done = export("--from", folder, *args)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    assert not (folder / "tflite").exists()


def test_a_format_is_not_replaced(copied):
    folder = copied("dcgan-mnist")
    (folder / "tflite").mkdir()
    done = export("--from", folder, "--format", "tflite")
    assert done.returncode == 2 and "exists already, and is not replaced" in done.stderr


def test_a_missing_converter_is_named(copied, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    done = export("--from", copied("dcgan-mnist"), "--format", "onnx")
    assert done.returncode == 2 and "pip install 'tf2gan[onnx]'" in done.stderr


def test_a_version_is_a_savedmodel_first(tmp_path):
    done = export("--run", tmp_path, "--output", tmp_path / "out", "--format", "onnx")
    assert done.returncode == 2 and "possible: savedmodel,onnx, or --from" in done.stderr


WITHOUT = """
import sys
sys.modules["tensorflow"] = sys.modules["tf2gan"] = sys.modules["keras"] = None  # importing them fails
import numpy as np
found = dict(np.load("given.npz"))
latents = images = None
globals().update(found)
{code}
if isinstance(globals().get("made"), dict):
    globals().update(made)
np.savez("made.npz", **{{name: globals()[name] for name in {outputs}}})
"""


@pytest.mark.parametrize("name", ("dcgan-mnist", "facades"))
@pytest.mark.parametrize("kind, package", (("onnx", "onnxruntime"), ("tflite", "ai_edge_litert")))
def test_the_cards_code_runs_without_tensorflow(kind, package, name, copied):
    """What the model card tells a user to type, in a process that cannot import TensorFlow."""
    if kind == "onnx":
        with_onnx()
    pytest.importorskip(package)
    folder = copied(name)
    assert export("--from", folder, "--format", kind).returncode == 0
    card, loaded = json.loads((folder / "model_card.json").read_text()), savedmodel.load(folder)
    (file, entry), = card["formats"].items()
    feed = feed_of(entry["inputs"], card, num=2, size=40)
    np.savez(folder / "given.npz", **feed)
    code, = re.findall(r"```python\n(import onnxruntime.*?|from ai_edge_litert.*?)```",
                       (folder / "README.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(code=code, outputs=list(entry["outputs"]))], cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = loaded.signatures[entry["signature"]](**{key: tf.constant(part) for key, part in feed.items()})
    made = np.load(folder / "made.npz")
    for key, value in expected.items():
        np.testing.assert_allclose(made["translated" if key in feed else key], value, atol=2e-3)


def test_a_graph_that_tensorflow_lite_lacks_operations_for(copied, monkeypatch):
    def refuse(*_):
        raise RuntimeError("Some ops are not supported\nTF Select ops: Conv2D, EnsureShape\nDetails: ...")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions",
                        lambda *_: type("Converter", (), {"convert": refuse})())
    folder = copied("progan-mnist")
    done = export("--from", folder, "--format", "tflite")
    assert done.returncode == 2 and done.stderr == (
        "export.py: --format tflite: progan-mnist: latents cannot be converted to TensorFlow Lite: it lacks Conv2D, "
        "EnsureShape as they are used there\n")
    assert not (folder / "tflite").exists()


@pytest.mark.parametrize("made", (lambda images: images + 0.05, lambda images: images * np.nan))
def test_another_function_is_not_written(made, copied, monkeypatch):
    """A converter that makes something else of a model, or no numbers."""
    run = tflite.run
    monkeypatch.setattr(tflite, "run", lambda *args: {key: made(value) for key, value in run(*args).items()})
    folder = copied("progan-mnist")
    done = export("--from", folder, "--format", "tflite")
    assert done.returncode == 2 and "latents differs from the SavedModel by" in done.stderr
    assert not (folder / "tflite").exists() and "formats" not in json.loads((folder / "model_card.json").read_text())


def test_a_size_is_for_models_that_translate(copied):
    done = export("--from", copied("progan-mnist"), "--format", "tflite", "--image-size", "64")
    assert done.returncode == 2 and "--image-size 64: is for models that translate" in done.stderr


@pytest.mark.parametrize("content", ("[]", "{}", '{"name": "x", "version": 1}', "{"))
def test_a_damaged_card_is_said_before_any_work(content, copied):
    folder = copied("progan-mnist")
    (folder / "model_card.json").write_text(content)
    done = export("--from", folder, "--format", "tflite")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "model_card.json" in done.stderr
    assert not (folder / "tflite").exists()
