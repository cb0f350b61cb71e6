"""tools/sample.py on a run and on its export: what it writes, and what it refuses before it begins."""
import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import folders
from tf2gan.export import exporter
from tf2gan.models import generation
from tf2gan.runs import restore
from tf2gan.runs.restore import load_gan

SAMPLE = tool.ROOT / "tools" / "sample.py"
CLASSES = ["bar", "disc"]
TINY = ("--image-size", "12", "--batch-size", "4", "--steps", "2", "--latent-size", "5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders, not to be changed: of the runs `cgan` and `gan` (uniform latents), and `savedmodel`, cgan's export."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "data" / name).mkdir(parents=True)
        for index in range(6):
            pixels = random.integers(0, 256, [12, 12, 3], np.uint8)
            Image.fromarray(pixels).save(folder / "data" / name / f"{index}.png")
    for model, *more in (("cgan", "--generator-filters", "2", "--discriminator-filters", "2"),
                         ("gan", "--generator-widths", "4", "--latent-distribution", "uniform")):
        done = tool.run_here("--model", model, "--dataset", folder / "data", "--run-dir", folder / model, *TINY, *more)
        assert done.returncode == 0, done.stderr
    gan, record = load_gan(folder / "cgan")
    exporter.export(gan, folder / "savedmodel", card=record)
    return types.SimpleNamespace(**{name: folder / name for name in ("cgan", "gan", "savedmodel")})


@pytest.fixture(scope="module")
def main():
    return tool.main("sample")


@pytest.fixture
def sample(main, tmp_path, monkeypatch):
    """The tool as a function of its arguments, in `tmp_path`; returns (stdout, stderr)."""
    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(argument) for argument in arguments])
        return out.getvalue(), err.getvalue()

    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def sampler(made):
    """{name of a run: its Sampler}."""
    return {name: generation.Sampler.from_gan(load_gan(getattr(made, name))[0]) for name in ("cgan", "gan")}


@pytest.fixture
def refusal(sample, monkeypatch):
    """The one line for bad input, which has to come before any model is loaded and leave no files."""
    def refused(*arguments):
        with monkeypatch.context() as patched:
            patched.setattr(restore, "load_gan", lambda *chosen: pytest.fail("has begun to work"))
            patched.setattr(generation.Sampler, "from_savedmodel", lambda path: pytest.fail("has begun to work"))
            return tool.refusal(sample, *arguments)

    return refused


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def cells(path, rows, columns, size=60, gap=2):
    """The images of a grid with or without titles, which lie to the left: [rows, columns, size, size, 3]."""
    picture = pixels(path)
    height, width = rows * (size + gap) - gap, columns * (size + gap) - gap
    assert picture.shape[0] == height and picture.shape[1] >= width
    picture = picture[:, picture.shape[1] - width:]
    return np.stack([np.stack([picture[y:y + size, x:x + size] for x in range(0, width, size + gap)])
                     for y in range(0, height, size + gap)])


def test_a_grid_of_a_conditional_model_has_a_row_a_class(made, sample, sampler):
    out, err = sample("--run", made.cgan, "--output", "deep/grid.png")
    assert out == "16 images written to deep/grid.png\n"
    assert err == "", "work of a moment needs no lines of progress"
    latents = sampler["cgan"].latents(8, 0)
    expected = np.stack([sampler["cgan"].images(latents, [label] * 8) for label in (0, 1)])
    np.testing.assert_array_equal(cells("deep/grid.png", 2, 8), images.enlarged(expected))
    assert pixels("deep/grid.png").shape[1] > 8 * 62  # titles
    sample("--run", made.cgan, "--output", "one.png", "--label", "disc", "--num", "4", "--seed", "3")
    latents = sampler["cgan"].latents(4, 3)
    expected = sampler["cgan"].images(latents, [1] * 4).reshape(2, 2, 12, 12, 3)
    np.testing.assert_array_equal(cells("one.png", 2, 2), images.enlarged(expected))
    assert pixels("one.png").shape[1] == 2 * 62 - 2


def test_a_grid_without_classes_is_as_square_as_can_be(made, sample, sampler):
    out, _ = sample("--run", made.gan, "--output", "grid.PNG")
    assert out.startswith("16 images") and cells("grid.PNG", 4, 4).std() > 0
    sample("--run", made.gan, "--output", "five.png", "--num", "5", "--truncation", "0.5")
    expected = images.enlarged(sampler["gan"].images(sampler["gan"].latents(5, 0, 0.5)))
    found = cells("five.png", 2, 3)
    np.testing.assert_array_equal(found.reshape(6, 60, 60, 3)[:5], expected)
    assert (found[1, 2] == 255).all()
    sample("--run", made.gan, "--output", "one.jpg", "--num", "1")
    assert pixels("one.jpg").shape == (60, 60, 3)


def test_a_folder_of_single_images_is_a_data_set(made, sample, sampler):
    out, _ = sample("--run", made.cgan, "--output", "new", "--num", "3", "--seed", "7", "--labels", "disc,0")
    assert out == "6 images written to new\n"
    found = [str(path.relative_to("new")) for path in folders.find_images(pathlib.Path("new"))]
    assert found == [f"{name}/{index:06}.png" for name in CLASSES for index in range(3)]
    latents = sampler["cgan"].latents(3, 7)
    for label, name in enumerate(CLASSES):
        for index, image in enumerate(sampler["cgan"].images(latents, [label] * 3)):
            np.testing.assert_array_equal(pixels(f"new/{name}/{index:06}.png"), image)
    sample("--run", made.gan, "--output", "flat.d/", "--num", "2")
    assert sorted(path.name for path in pathlib.Path("flat.d").iterdir()) == ["000000.png", "000001.png"]
    np.testing.assert_array_equal(pixels("flat.d/000001.png"), sampler["gan"].images(sampler["gan"].latents(2, 0))[1])


def test_a_run_and_its_export_give_the_same_files(made, sample):
    for number, arguments in enumerate((["--output", "grid.png"], ["--output", "folder", "--num", "3"],
                                        ["--output", "walk.png", "--walk", "1,2", "--truncation", "0.8"])):
        for model in ("run", "savedmodel"):
            place = pathlib.Path(model, str(number))
            sample(f"--{model}", made.cgan if model == "run" else made.savedmodel,
                   *arguments[:1], place / arguments[1], *arguments[2:])
    assert len(tool.contents(pathlib.Path("run"))) == 1 + 6 + 1
    assert tool.contents(pathlib.Path("run")) == tool.contents(pathlib.Path("savedmodel"))


def test_fewer_images_of_a_seed_are_the_first_of_more(made, sample):
    for num in (2, 5):
        sample("--run", made.cgan, "--output", str(num), "--num", num, "--seed", "4")
    few, many = tool.contents(pathlib.Path("2")), tool.contents(pathlib.Path("5"))
    assert len(few) == 4 and len(many) == 10 and few.items() <= many.items()
    assert len(set(many.values())) == 10


def test_many_single_images_are_made_a_part_at_a_time(made, sample, monkeypatch, main):
    sample("--run", made.gan, "--output", "whole", "--num", "7")
    monkeypatch.setitem(main.__globals__, "AT_ONCE", 3)
    sample("--run", made.gan, "--output", "parts", "--num", "7")
    assert tool.contents(pathlib.Path("whole")) == tool.contents(pathlib.Path("parts"))


def test_a_walk_begins_and_ends_with_the_images_of_its_seeds(made, sample):
    out, _ = sample("--run", made.cgan, "--output", "walk.png", "--walk", "5,9", "--frames", "4")
    assert out == "8 images written to walk.png\n"
    strip = cells("walk.png", 2, 4)
    for frame, seed in ((0, 5), (-1, 9)):
        sample("--run", made.cgan, "--output", f"{seed}.png", "--num", "1", "--seed", seed)
        np.testing.assert_array_equal(strip[:, frame], cells(f"{seed}.png", 2, 1)[:, 0])
    assert all((strip[0, frame] != strip[0, frame + 1]).any() for frame in range(3))
    sample("--run", made.gan, "--output", "row.png", "--walk", "5,9")
    assert cells("row.png", 1, 8).shape == (1, 8, 60, 60, 3)


def test_existing_files_are_replaced_only_when_asked_to(made, sample, refusal):
    arguments = ["--run", made.gan, "--output", "out", "--num", "3"]
    sample(*arguments)
    assert "3 of 3 output files exist already" in refusal(*arguments)
    before = tool.contents(pathlib.Path("out"))
    sample(*arguments, "--seed", "1", "--overwrite")
    after = tool.contents(pathlib.Path("out"))
    assert before.keys() == after.keys() and not set(before.values()) & set(after.values())
    pathlib.Path("folder.png").mkdir()
    assert "a folder has that name" in refusal("--run", made.gan, "--output", "folder.png", "--overwrite")
    pathlib.Path("text").write_text("")
    assert "not a folder" in refusal("--run", made.gan, "--output", "text")


@pytest.mark.parametrize("arguments, part", [
    ("--num 0", "--num 0: must be from 1 to 1000000"), ("--num -3", "--num -3"), ("--seed -1", "--seed -1: must be"),
    ("--seed 9223372036854775808", "must be from 0 to 9223372036854775807"), ("--truncation 0", "above 0"),
    ("--truncation nan", "above 0"), ("--label 2", "from 0 to 1"), ("--labels 0-4", "from 0 to 1"),
    ("--label disk", "did you mean 'disc'"), ("--label 0 --labels 1", "only one of --label and --labels"),
    ("--labels 0,0", "twice"), ("--walk 1", "two seeds"), ("--walk 1,2,3", "two seeds"), ("--walk 1,b", "two seeds"),
    ("--walk 1,9223372036854775808", "--walk 9223372036854775808"), ("--walk 1,2 --seed 0", "--walk and --seed"),
    ("--walk 1,2 --num 4", "--walk and --num"), ("--walk 1,2 --frames 1", "--frames 1: must be from 2"),
    ("--frames 4", "--frames: is for a --walk"), ("--savedmodel x", "one of --run and --savedmodel")])
def test_bad_values_are_one_line(made, refusal, arguments, part):
    assert part in refusal("--run", made.cgan, "--output", "x.png", *arguments.split())


def test_what_the_model_cannot_do_is_one_line(made, refusal, root):
    for option in ("--label", "--labels"):
        assert "takes no labels" in refusal("--run", made.gan, "--output", "x.png", option, "0")
    assert "at most 1" in refusal("--run", made.gan, "--output", "x.png", "--truncation", "1.2")
    assert "did you mean 'disc'" in refusal("--savedmodel", made.savedmodel, "--output", "x.png", "--label", "disk")
    assert "one of --run and --savedmodel" in refusal("--output", "x.png")
    assert "no such run" in refusal("--run", "nowhere", "--output", "x.png")
    assert "does not exist" in refusal("--savedmodel", "nowhere", "--output", "x.png")
    translating = root / "savedmodels" / "apple2orange"
    assert "does not generate images from latents" in refusal("--savedmodel", translating, "--output", "x.png")


def test_a_run_without_a_checkpoint_is_refused(made, sample):
    pathlib.Path("run").mkdir()
    shutil.copy(made.cgan / "config.json", "run")
    with pytest.raises(UserError, match="no checkpoint yet"):
        sample("--run", "run", "--output", "x.png")


def test_class_names_that_are_no_folder_names(main):
    name = main.__globals__["_folder_name"]
    facts = generation.Traits((8, 8, 1), 2, "normal", 5, ("sea lion", "a/b", "..", "", "x\ny"))
    assert [name(facts, label) for label in range(5)] == ["sea lion", "class_1", "class_2", "class_3", "class_4"]


def test_help_comes_without_networks_and_bad_input_with_exit_code_2(made, tmp_path):
    program = ("import runpy, sys\nsys.argv = ['sample.py', '--help']\n"
               f"try: runpy.run_path({str(SAMPLE)!r}, run_name='__main__')\n"
               "finally: print([name for name in sys.modules if name.startswith('tf2gan.gans')])")
    done = subprocess.run([sys.executable, "-c", program], env=tool.environment(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and done.stdout.endswith("\n[]\n") and "--truncation" in done.stdout
    done = subprocess.run([sys.executable, SAMPLE, "--run", made.gan, "--label", "1", "--output", tmp_path / "x.png"],
                          env=tool.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == "" and not list(tmp_path.iterdir())
    assert done.stderr == "sample.py: label '1': this model takes no labels\n"
