"""tools/classify.py on a run and on its export: what it tells and writes, and what it refuses before it begins."""
import contextlib
import csv
import io
import json
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import load
from tf2gan.data.pipeline import labelled_arrays
from tf2gan.export import exporter
from tf2gan.models import classification
from tf2gan.runs import restore
from tf2gan.runs.restore import load_gan

CLASSIFY = tool.ROOT / "tools" / "classify.py"
CLASSES = ["disc", "red, bar", "étoile"]
TINY = ("--image-size", "16", "--batch-size", "4", "--steps", "2", "--latent-size", "5", "--generator-filters", "2",
        "--discriminator-filters", "2")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders, not to be changed: `data`, of runs `sgan` and `dcgan`, and `savedmodel`, sgan's export."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / "data" / name).mkdir(parents=True)
        for index in range(4 + label):
            pixels = random.integers(0, 256, [16 + 5 * index, 20, 3]) * (label + 1) // 4
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "data" / name / f"{index}.png")
    for model, *more in (("sgan", "--num-labels", "6", "--generator", "strided", "--discriminator", "strided",
                          "--discriminator-normalization", "batch"), ("dcgan",)):
        done = tool.run_here("--model", model, "--dataset", folder / "data", "--run-dir", folder / model, *TINY, *more)
        assert done.returncode == 0, done.stderr
    gan, record = load_gan(folder / "sgan")
    exporter.export(gan, folder / "savedmodel", card=record)
    return types.SimpleNamespace(**{name: folder / name for name in ("data", "sgan", "dcgan", "savedmodel")})


@pytest.fixture(scope="module")
def expected(made):
    """(paths as the tool tells them, probabilities, labels) of `data`, by the run's GAN and the data's own pipeline."""
    split = load.load(str(made.data), ("train",))["train"]
    pictures, labels = labelled_arrays(split, (16, 16), 3)
    paths = [path.relative_to(made.data).as_posix() for path in classification.plan(made.data)]
    assert [CLASSES[label] for label in labels] == [path.split("/")[0] for path in paths]
    return paths, load_gan(made.sgan)[0].classify(images.from_uint8(pictures)).numpy(), labels


@pytest.fixture
def classify(tmp_path, monkeypatch):
    """The tool as a function of its arguments, in `tmp_path`; returns (stdout, stderr)."""
    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            tool.main("classify")([str(argument) for argument in arguments])
        return out.getvalue(), err.getvalue()

    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def refusal(classify, monkeypatch):
    """The one line for bad input, which has to leave no files, and if `early` comes before any model is loaded."""
    def refused(*arguments, early=True):
        with monkeypatch.context() as patched:
            if early:
                patched.setattr(restore, "load_gan", lambda *chosen: pytest.fail("has begun to work"))
                patched.setattr(classification.Classifier, "from_savedmodel", lambda path: pytest.fail("has begun"))
            return tool.refusal(classify, *arguments)

    return refused


def read(path):
    """(paths, labels, probabilities) of a CSV file, whose header has to be that of the classes."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "label", "probability", *CLASSES]
    paths, labels, probability, *probabilities = zip(*rows)
    probabilities = np.float32(probabilities).T
    np.testing.assert_array_equal(np.float32(probability), probabilities.max(axis=1))
    return list(paths), list(labels), probabilities


@pytest.mark.parametrize("kind", ["run", "savedmodel"])
def test_a_folder_becomes_csv_and_json_and_is_told_how_much_was_right(made, classify, expected, kind):
    model = ["--run", made.sgan] if kind == "run" else ["--savedmodel", made.savedmodel]
    out, err = classify(*model, "--input", made.data, "--output", "x.csv")
    paths, probabilities, labels = expected
    assert out.startswith("15 images classified, written to x.csv\n\n")
    assert err == "", "work of a moment needs no lines of progress"
    found = read("x.csv")
    assert found[0] == paths
    np.testing.assert_allclose(found[2], probabilities, atol=1e-5)
    assert found[1] == [CLASSES[label] for label in probabilities.argmax(axis=1)]
    right = probabilities.argmax(axis=1) == labels
    lines = out.splitlines()[2:]
    for label, (name, line) in enumerate(zip(CLASSES, lines)):
        assert line == f"{name:8}  {right[labels == label].sum()} of {4 + label} right"
    assert lines[3].startswith(f"accuracy {right.mean():.1%}, 95 % interval ") and len(lines) == 4
    assert lines[3].endswith(f": {right.sum()} of 15 right")
    classify(*model, "--input", made.data, "--output", "x.json")
    answers = json.loads(pathlib.Path("x.json").read_text())
    assert [(answer["path"], answer["label"]) for answer in answers] == list(zip(found[0], found[1]))
    assert [list(answer["probabilities"]) for answer in answers] == [CLASSES] * 15
    np.testing.assert_array_equal(np.float32([list(answer["probabilities"].values()) for answer in answers]), found[2])
    assert sorted(path.name for path in pathlib.Path.cwd().iterdir()) == ["x.csv", "x.json"]


def test_the_table_has_as_many_labels_as_asked_for(made, classify, expected):
    out, _ = classify("--run", made.sgan, "--input", made.data / "disc")
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["0.png", "1.png", "2.png", "3.png"]  # and no accuracy
    for line, row in zip(lines, expected[1]):
        order = np.argsort(-row)
        told = ["", *(f"{CLASSES[label]:8} {row[label]:.4f}" for label in order)]
        assert line.endswith("  ".join(told))
    out, _ = classify("--run", made.sgan, "--input", made.data / "disc", "--top", "1")
    assert [line.count(" 0.") for line in out.splitlines()] == [1] * 4


def test_a_single_image_is_told_as_it_was_given(made, classify, expected):
    path = made.data / "disc" / "2.png"
    out, _ = classify("--savedmodel", made.savedmodel, "--input", path, "--output", "one.csv")
    assert out == "1 image classified, written to one.csv\n"
    paths, labels, probabilities = read("one.csv")
    assert paths == [str(path)] and len(labels) == 1
    np.testing.assert_allclose(probabilities, expected[1][2:3], atol=1e-5)


def test_a_checkpoint_can_be_chosen(made, classify, refusal):
    assert classify("--run", made.sgan, "--input", made.data, "--checkpoint", "8")
    message = refusal("--run", made.sgan, "--input", made.data, "--checkpoint", "7", early=False)
    assert "no such checkpoint" in message


def test_unreadable_images_are_listed_or_skipped(made, classify, tmp_path):
    for name, content in (("a.png", b"no image"), ("b.png", (made.data / "disc" / "0.png").read_bytes())):
        (tmp_path / "in" / "disc").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / "disc" / name).write_bytes(content)
    arguments = ["--run", made.sgan, "--input", "in", "--output", "x.json"]
    with pytest.raises(UserError, match="1 unreadable of 2 images.*a.png"):
        classify(*arguments)
    assert not pathlib.Path("x.json").exists()
    out, err = classify(*arguments, "--skip-unreadable")
    assert out.startswith("1 image classified") and "skipped in/disc/a.png" in err and "of 1 right" in out
    assert [answer["path"] for answer in json.loads(pathlib.Path("x.json").read_text())] == ["disc/b.png"]


def test_an_existing_output_is_replaced_only_when_asked_to(made, classify, refusal):
    arguments = ["--run", made.sgan, "--input", made.data, "--output", "x.csv"]
    pathlib.Path("x.csv").write_text("old")
    assert "exists already; --overwrite" in refusal(*arguments)
    classify(*arguments, "--overwrite")
    assert len(read("x.csv")[0]) == 15


@pytest.mark.parametrize("arguments, part", [
    ("--output x.txt", "must end in .csv or .json"), ("--output no/x.csv", "no such folder"), ("--top 0", "at least 1"),
    ("--top 2 --output x.csv", "--top"), ("--savedmodel x", "one of --run and --savedmodel"),
    ("--input nowhere", "nowhere does not exist"), ("--input empty", "has no images"),
    ("--input text.png", "text.png: not an image")])
def test_bad_values_are_one_line(made, refusal, tmp_path, arguments, part):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    assert part in refusal("--run", made.sgan, "--input", made.data, *arguments.split())


def test_what_does_not_classify_is_one_line(made, refusal, root):
    rest = ["--input", made.data, "--output", "x.csv"]
    assert "give one of --run and --savedmodel" in refusal(*rest)
    assert "of a --run" in refusal("--savedmodel", made.savedmodel, "--checkpoint", "best", *rest)
    assert "DCGAN does not classify images" in refusal("--run", made.dcgan, *rest, early=False)
    for name in ("dcgan-mnist", "cgan-mnist", "apple2orange"):
        message = refusal("--savedmodel", root / "savedmodels" / name, *rest, early=False)
        assert "does not classify images" in message
    assert "no such run" in refusal("--run", "nowhere", *rest, early=False)
    assert "does not exist" in refusal("--savedmodel", "nowhere", *rest, early=False)


def test_help_comes_without_networks_and_bad_input_with_exit_code_2(made, tmp_path):
    program = ("import runpy, sys\nsys.argv = ['classify.py', '--help']\n"
               f"try: runpy.run_path({str(CLASSIFY)!r}, run_name='__main__')\n"
               "finally: print([name for name in sys.modules if name.startswith('tf2gan.gans')])")
    done = subprocess.run([sys.executable, "-c", program], env=tool.environment(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and done.stdout.endswith("\n[]\n") and "--skip-unreadable" in done.stdout
    done = subprocess.run([sys.executable, CLASSIFY, "--run", made.dcgan, "--input", made.data, "--output",
                           tmp_path / "x.csv"], env=tool.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == "" and not list(tmp_path.iterdir())
    assert done.stderr == "classify.py: DCGAN does not classify images\n"
