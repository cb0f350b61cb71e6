"""tools/interpolate.py on the generators that come with the project: what it writes, and what it refuses first."""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import pipeline
from tf2gan.latent_space import generators, interpolation, projection
from tf2gan.models import generation

INTERPOLATE = tool.ROOT / "tools" / "interpolate.py"
DCGAN, CGAN, SGAN, PROGAN = (tool.ROOT / "savedmodels" / name
                             for name in ("dcgan-mnist", "cgan-mnist", "sgan-mnist", "progan-mnist"))
SIZE, GAP = 140, 2  # of an MNIST image, every pixel five times as wide and high, and between two
SMOOTH = 1.4  # how much longer a step may be than the mean of the two beside it; one that skips a frame is 1.6 and more
STEEP = 5.0  # how much longer a step may be than the whole way's share of it


@pytest.fixture
def interpolate(tmp_path, monkeypatch):
    """The tool as a function of its arguments, a text and paths, in `tmp_path`; returns (stdout, stderr).

    Without --module the generator is DCGAN, which is that of most tests.
    """
    def run(text="", *paths):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            tool.main("interpolate")([*text.split(), *map(str, paths)])
        return out.getvalue(), err.getvalue()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(tool.main("interpolate").__globals__, "MODULE", DCGAN)
    return run


@pytest.fixture
def refusal(interpolate, monkeypatch):
    """The one line for bad input; leaves no files, and with `early` comes before any model is loaded."""
    def refused(text, *paths, early=True):
        with monkeypatch.context() as patched:
            if early:
                patched.setattr(generators, "load", lambda *chosen: pytest.fail("has begun to work"))
            return tool.refusal(interpolate, text, *paths)

    return refused


@pytest.fixture(scope="module")
def sampler():
    return generation.Sampler.from_savedmodel(DCGAN)


@pytest.fixture(scope="module")
def samples(sampler):
    """Function of seeds: the images that tools/sample.py makes of them, one at a time, uint8 [num, 28, 28]."""
    return lambda *seeds: np.stack([sampler.images(sampler.latents(1, seed))[0, ..., 0] for seed in seeds])


def frames(path, least=SIZE):
    """(uint8 [num, height, width] of a grey animation in the generator's own size, total ms, loop)."""
    found, time = [], 0
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            found.append(np.asarray(image.convert("RGB")))
            time += image.info["duration"]
        found = np.stack(found)
        assert found.shape[1] == least and (found[..., :1] == found).all()
        return found[:, ::5, ::5, 0], time, image.info["loop"]


def cells(path, rows, columns):
    """The images of a grey picture, titles left out, in the generator's own size: uint8 [rows, columns, 28, 28]."""
    with Image.open(path) as image:
        picture = np.asarray(image.convert("L"))
    height, width = rows * (SIZE + GAP) - GAP, columns * (SIZE + GAP) - GAP
    picture = picture[len(picture) - height:, picture.shape[1] - width:]
    found = np.stack([np.stack([picture[y:y + SIZE, x:x + SIZE] for x in range(0, width, SIZE + GAP)])
                      for y in range(0, height, SIZE + GAP)])
    np.testing.assert_array_equal(found, images.enlarged(found[..., ::5, ::5, np.newaxis], SIZE)[..., 0])
    return found[..., ::5, ::5]


def steps(pictures):
    """Mean absolute differences of neighbours."""
    return np.abs(np.diff(pictures.astype(np.float64), axis=0)).mean(axis=(1, 2))


def unevenness(pictures):
    """The largest ratio of a step to the mean of the two beside it: 1 of an even walk, about 2 where a frame lacks."""
    lengths = steps(pictures)
    return (2 * lengths[1:-1] / (lengths[:-2] + lengths[2:])).max()


def steepness(pictures):
    """The largest ratio of a step to the share of it in the difference of the ends."""
    whole = np.abs(pictures[-1].astype(np.float64) - pictures[0]).mean()
    return steps(pictures).max() * (len(pictures) - 1) / whole


# Walks.

def test_without_arguments_it_is_a_closed_walk_through_six_seeds(interpolate, samples):
    out, err = interpolate()
    assert out == "180 frames of 50 ms written to interpolation.gif\n"
    assert err == "" or err.splitlines()[-1] == "generating: 180 of 180 images"
    found, time, loop = frames("interpolation.gif")
    assert found.shape == (180, 28, 28) and time == 9000 and loop == 0
    np.testing.assert_array_equal(found[::30], samples(1, 2, 3, 4, 5, 6))
    last = np.concatenate([found[150:], found[:1]])  # back to the first
    assert unevenness(last) < SMOOTH and steepness(last) < STEEP


def test_the_model_that_the_tool_comes_with_is_walked_evenly(interpolate):
    interpolate("--seeds 1,2 --frames 24 --output walk.webp --module", PROGAN)
    with Image.open("walk.webp") as image:
        assert (image.n_frames, image.size) == (25, (128, 128))
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(np.asarray(image.convert("L"))[::4, ::4])
    found, generator = np.stack(found), generators.load(PROGAN)
    ends = np.concatenate([generator.latents(1, seed) for seed in (1, 2)])
    np.testing.assert_array_equal(found[[0, -1]], generator.pictures(ends)[..., 0])
    assert unevenness(found) < SMOOTH and steepness(found) < STEEP


@pytest.mark.parametrize("mode", interpolation.WAYS)
def test_each_mode_passes_the_samples_of_its_seeds_exactly_and_evenly(interpolate, sampler, samples, mode):
    interpolate(f"--seeds 1,2,5 --frames 24 --mode {mode} --output walk.webp --module", DCGAN)
    found, time, _ = frames("walk.webp")
    assert len(found) == 49 and time == 49 * 50
    np.testing.assert_array_equal(found[::24], samples(1, 2, 5))
    between = interpolation.WAYS[mode](*(sampler.latents(1, seed)[0] for seed in (1, 2)), [0.25, 0.5])
    np.testing.assert_array_equal(found[[6, 12]], sampler.images(between)[..., 0])
    for part in (found[:25], found[24:]):
        assert unevenness(part) < SMOOTH and steepness(part) < STEEP


def test_a_walk_that_skips_repeats_or_confuses_frames_would_be_found_out(sampler):
    stops = np.concatenate([sampler.latents(1, seed) for seed in (1, 2)])
    walked = sampler.images(interpolation.walk(stops, 24, interpolation.slerp))[..., 0]
    assert unevenness(walked) < SMOOTH and steepness(walked) < STEEP
    for index in range(2, 23):
        assert unevenness(np.delete(walked, index, axis=0)) > SMOOTH
        assert unevenness(np.insert(walked, index, walked[index], axis=0)) > SMOOTH
    confused = walked.copy()
    confused[[8, 16]] = walked[[16, 8]]
    assert steepness(confused) > STEEP


def test_the_usual_mode_of_normal_latents_is_spherical_and_the_same_seeds_give_the_same_file(interpolate):
    interpolate("--seeds 3,4 --frames 5 --output a.gif")
    interpolate("--seeds 3,4 --frames 5 --output b.gif --mode spherical")
    interpolate("--seeds 3,4 --frames 5 --output c.gif --mode hypersphere")
    files = [pathlib.Path(name).read_bytes() for name in ("a.gif", "b.gif", "c.gif")]
    assert files[0] == files[1] != files[2]


def test_the_usual_mode_of_uniform_latents_is_linear(interpolate, tmp_path_factory):
    run = tmp_path_factory.mktemp("uniform") / "run"
    done = tool.run_here(*tool.small("gan-smooth"), "--dataset", tool.shared_class_images(tmp_path_factory), "--steps",
                         "1", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    for name, mode in (("a", ""), ("b", "--mode linear"), ("c", "--mode spherical")):
        interpolate(f"--seeds 3,4 --frames 3 --output {name}.png {mode} --run", run)
    files = [pathlib.Path(name).read_bytes() for name in ("a.png", "b.png", "c.png")]
    assert files[0] == files[1] != files[2]


def test_a_strip_has_a_row_from_each_stop_to_the_next(interpolate, samples):
    out, _ = interpolate("--seeds 1,2 --output one.png")
    assert out == f"{9 * 142 - 2} x 140 pixels written to one.png\n"  # no titles
    row = cells("one.png", 1, 9)[0]
    np.testing.assert_array_equal(row[[0, -1]], samples(1, 2))
    assert (steps(row) > 0).all()
    interpolate("--seeds 1,2,3 --loop --frames 4 --output three.png")
    rows = cells("three.png", 3, 5)
    np.testing.assert_array_equal(rows[:, 0], samples(1, 2, 3))
    np.testing.assert_array_equal(rows[:, -1], samples(2, 3, 1))
    np.testing.assert_array_equal(rows[0], row[::2])
    with Image.open("three.png") as image:
        assert image.width > 5 * 142 - 2  # titles


def test_an_image_is_that_of_the_other_tool(interpolate):
    """Which shows each pixel twice as wide and high."""
    tool.main("sample")(["--savedmodel", str(CGAN), "--label", "3", "--num", "1", "--seed", "8", "--output", "8.png"])
    interpolate("--label 3 --seeds 7,8 --output walk.png --module", CGAN)
    with Image.open("8.png") as image:
        np.testing.assert_array_equal(cells("walk.png", 1, 9)[0, -1], np.asarray(image.convert("L"))[::2, ::2])


def test_a_grid_has_the_samples_of_its_seeds_at_its_corners(interpolate, samples, sampler):
    interpolate("--corners --seeds 4,3,2,1 --frames 3 --output grid.png")
    grid = cells("grid.png", 4, 4)
    np.testing.assert_array_equal(grid[[0, 0, 3, 3], [0, 3, 0, 3]], samples(4, 3, 2, 1))
    thirds = interpolation.slerp(*(sampler.latents(1, seed)[0] for seed in (4, 3)), [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(grid[0], sampler.images(thirds)[..., 0])
    out, _ = interpolate("--corners")
    assert out.endswith("992 x 992 pixels written to interpolation.png\n")
    np.testing.assert_array_equal(cells("interpolation.png", 7, 7)[::6, ::6].reshape(4, 28, 28), samples(1, 2, 3, 4))


def test_latents_can_be_kept_and_walked_again(interpolate, sampler, samples):
    out, _ = interpolate("--seeds 1,2,3 --frames 2 --output a.gif --save-latents a.npy")
    assert out.splitlines()[1] == "5 latents written to a.npy"
    kept = np.load("a.npy")
    np.testing.assert_array_equal(kept[::2], np.concatenate([sampler.latents(1, seed) for seed in (1, 2, 3)]))
    interpolate("--latents a.npy --frames 1 --output b.gif")
    np.testing.assert_array_equal(frames("a.gif")[0], frames("b.gif")[0])
    interpolate("--latents a.npy --frames 3 --output c.png")
    np.testing.assert_array_equal(cells("c.png", 4, 4)[::2, 0], samples(1, 2))


def test_speed_and_scale_are_as_told(interpolate):
    out, _ = interpolate("--seeds 1,2 --frames 3 --fps 24 --scale 1 --output a.gif")
    assert out == "4 frames of 40 ms written to a.gif: 25 a second, the nearest to --fps 24 that such a file can say\n"
    with Image.open("a.gif") as image:
        assert image.size == (28, 28) and image.info["duration"] == 40
    out, _ = interpolate("--seeds 1,2 --frames 3 --fps 10 --scale 3 --output a.webp")
    assert out == "4 frames of 100 ms written to a.webp\n"
    with Image.open("a.webp") as image:
        assert image.size == (84, 84)


# Directions.

@pytest.fixture
def direction(interpolate):
    """Writes direction.json, from seeds 1 and 2 to 3; returns its vector."""
    out, _ = interpolate("--save-direction direction.json --from-seeds 1,2 --to-seeds 3")
    assert out.startswith("direction ") and out.endswith(" written to direction.json\n") and out.count("\n") == 1
    assert [path.name for path in pathlib.Path.cwd().iterdir()] == ["direction.json"]
    return np.array(json.loads(pathlib.Path("direction.json").read_text())["vector"], np.float32)


def test_a_direction_is_walked_both_ways_from_each_seed(interpolate, direction, sampler, samples):
    one, two, three = (sampler.latents(1, seed)[0] for seed in (1, 2, 3))
    np.testing.assert_allclose(direction, three - (one + two) / 2, atol=1e-6)
    interpolate("--direction direction.json --seeds 8,9 --strength 0.5 --frames 2 --output d.png --save-latents d.npy")
    rows = cells("d.png", 2, 5)
    np.testing.assert_array_equal(rows[:, 2], samples(8, 9))
    of_nine = sampler.latents(1, 9)[0] + np.outer([-0.5, -0.25, 0, 0.25, 0.5], direction).astype(np.float32)
    np.testing.assert_allclose(np.load("d.npy")[5:], of_nine, atol=1e-6)
    np.testing.assert_array_equal(rows.reshape(10, 28, 28), sampler.images(np.load("d.npy"))[..., 0])


def test_along_a_direction_an_animation_shows_all_seeds_at_once(interpolate, direction, samples):
    interpolate("--direction direction.json --seeds 8,9 --frames 3 --output d.webp --scale 5")
    with Image.open("d.webp") as image:
        assert image.n_frames == 7 and image.size == (2 * SIZE + GAP, SIZE)
        image.seek(3)
        middle = np.asarray(image.convert("L"))
    for x, own in zip((0, SIZE + GAP), samples(8, 9)):
        np.testing.assert_array_equal(middle[::5, x:x + SIZE:5], own)
    interpolate("--direction direction.json --seeds 8 --frames 3 --output to.webp")
    interpolate("--direction direction.json --seeds 8 --frames 3 --output fro.webp --loop")
    to, fro = frames("to.webp")[0], frames("fro.webp")[0]
    np.testing.assert_array_equal(fro, to[[0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1]])


def test_a_direction_that_was_just_made_can_be_shown(interpolate, direction):
    interpolate("--direction direction.json --seeds 8 --output a.png")
    out, _ = interpolate("--save-direction b.json --from-seeds 1,2 --to-seeds 3 --seeds 8 --output b.png")
    assert [line.rsplit(" ", 1)[-1] for line in out.splitlines()] == ["b.json", "b.png"]
    assert pathlib.Path("a.png").read_bytes() == pathlib.Path("b.png").read_bytes()


def test_a_classifier_finds_a_direction(interpolate):
    out, err = interpolate("--save-direction one.json --from-class 7 --to-class 1 --seed 3 --classifier", SGAN)
    assert "one.json" in out and (err == "" or err.splitlines()[-1] == "finding: 400 of 400 images")
    written = json.loads(pathlib.Path("one.json").read_text())
    assert len(written["vector"]) == 100 and np.abs(written["vector"]).max() > 0


# Projection.

@pytest.fixture
def photo(samples):
    """The sample of seed 40 as a file, in colour."""
    images.write_image("photo.png", samples(40)[0, ..., np.newaxis].repeat(3, axis=-1))


def test_the_descent_to_an_image_is_shown_beside_it(interpolate, photo, samples, sampler):
    out, _ = interpolate("--project photo.png --steps 12 --starts 2 --frames 3 --output p.png --save-latents p.npy")
    assert out.startswith("mean absolute error of the image of the latent found, in [0, 1]: 0.")
    target, first, middle, last = cells("p.png", 1, 4)[0].astype(np.float64)
    np.testing.assert_array_equal(target, samples(40)[0])
    np.testing.assert_array_equal(last, sampler.images(np.load("p.npy"))[0, ..., 0])
    assert np.abs(last - target).mean() < np.abs(first - target).mean()
    assert float(out.split(": ")[1].split()[0]) == pytest.approx(np.abs(last - target).mean() / 255, abs=0.002)
    interpolate("--project photo.png --steps 12 --starts 2 --frames 3 --output p.webp")
    with Image.open("p.webp") as image:
        assert image.n_frames == 3
        for index, expected in enumerate((first, middle, last)):
            image.seek(index)
            pair = np.asarray(image.convert("L"))[::5]
            np.testing.assert_array_equal(pair[:, :SIZE:5], target)
            np.testing.assert_array_equal(pair[:, SIZE + GAP::5], expected)


def test_projection_gets_the_image_in_the_generators_size_and_what_is_told(interpolate, monkeypatch):
    wide = np.random.default_rng(0).integers(0, 256, [60, 90, 3], np.uint8)
    images.write_image("wide.png", wide)

    def project(generator, image, *arguments, **more):
        np.testing.assert_array_equal(image, pipeline.fitted(wide, (28, 28, 1)))
        assert arguments == (7, 3, 5) and more.pop("progress") is not None and more == {"num_snapshots": 4, "loss": "pixels"}
        raise UserError("seen")

    monkeypatch.setattr(projection, "project", project)
    with pytest.raises(UserError, match="seen"):
        interpolate("--project wide.png --steps 7 --starts 3 --seed 5 --frames 4")


def test_from_the_latent_found_a_direction_leads_on(interpolate, photo, direction_file):
    interpolate(f"--project photo.png --steps 3 --starts 2 --direction {direction_file} --frames 1 --output d.png "
                "--save-latents d.npy")
    interpolate("--project photo.png --steps 3 --starts 2 --output p.png --save-latents p.npy")
    np.testing.assert_array_equal(np.load("d.npy")[1:2], np.load("p.npy"))
    assert cells("d.png", 1, 3).shape == (1, 3, 28, 28)


@pytest.fixture
def direction_file(interpolate):
    interpolate("--save-direction d.json --from-seeds 1 --to-seeds 3")
    return "d.json"


# Bad input.

def test_existing_files_are_replaced_only_when_asked_to(interpolate, refusal):
    interpolate("--seeds 1,2 --frames 1 --output a.gif")
    assert "1 of 1 output files exist already" in refusal("--seeds 3,4 --frames 1 --output a.gif")
    before = pathlib.Path("a.gif").read_bytes()
    interpolate("--seeds 3,4 --frames 1 --output a.gif --overwrite")
    assert pathlib.Path("a.gif").read_bytes() != before
    for name in ("--save-latents a.npy", "--save-direction a.json --from-seeds 1 --to-seeds 2"):
        pathlib.Path(name.split()[1]).write_text("kept")
        assert "1 of 2 output files exist already" in refusal(f"--output b.gif {name}")


@pytest.mark.parametrize("text, part", [
    ("--output a.txt", "unknown image suffix '.txt'"), ("--output folder", "unknown image suffix ''"),
    ("--project missing.png", "cannot read missing.png: No such file"),
    ("--project text.png", "cannot read text.png: not an image"),
    ("--latents missing.npy", "cannot read missing.npy: No such file"),
    ("--latents text.png", "cannot read text.png: not a .npy file"),
    ("--latents doubles.npy", "doubles.npy: needed: float32 [num, latent_size], finite; this is float64 (2, 100)"),
    ("--latents nan.npy", "nan.npy: needed: float32 [num, latent_size], finite"),
    ("--latents one.npy", "a walk needs two stops or more"),
    ("--classifier missing --save-direction a --from-class 1 --to-class 2", "missing does not exist"),
    ("--output a.json --save-direction b.json --from-seeds 1 --to-seeds 2", "unknown image suffix '.json'"),
    ("--output a.png --save-direction ./a.png --from-seeds 1 --to-seeds 2", "a.png is to be two things"),
    ("--output text.png/a.gif", "text.png is not a folder"), ("--mode cubic", "--mode cubic: possible: linear"),
    ("--mode sperical", "did you mean spherical?"), ("--seed 1,2", "--seed"), ("--frames x", "--frames"),
    ("--speed 3", "unknown argument --speed: did you mean --seed")])
def test_bad_input_is_one_line_before_any_work(refusal, interpolate, text, part):
    pathlib.Path("text.png").write_text("no image")
    np.save("doubles.npy", np.zeros([2, 100]))
    np.save("nan.npy", np.full([2, 100], np.nan, np.float32))
    np.save("one.npy", np.zeros([1, 100], np.float32))
    assert part in refusal(text)


def test_what_the_generator_cannot_do_is_one_line(refusal, interpolate):
    assert "does not exist" in refusal("--module missing", early=False)
    assert "needs a label; possible: 0" in refusal("--module", CGAN, early=False)
    assert "from 0 to 9" in refusal("--label 10 --module", CGAN, early=False)
    assert "takes no labels" in refusal("--label 1", early=False)
    assert "no such run" in refusal("--run missing", early=False)
    with zipfile.ZipFile("zip.npy", "w") as file:
        file.writestr("a", "b")
    pathlib.Path("zip.npy").write_bytes(pathlib.Path("zip.npy").read_bytes()[:40])
    assert "zip.npy" in refusal("--latents zip.npy", early=False)
    assert "thousand million pixels" in refusal("--scale 64 --frames 100", early=False)
    np.save("small.npy", np.zeros([2, 5], np.float32))
    assert "latents of size 5; those of" in refusal("--latents small.npy", early=False)
    interpolate("--save-direction d.json --from-seeds 1 --to-seeds 2")
    assert "dcgan-mnist" in refusal("--direction d.json --label 1 --module", CGAN, early=False)
    assert "missing.json" in refusal("--direction missing.json", early=False)


def test_help_comes_without_networks_and_bad_input_with_exit_code_2(tmp_path):
    program = ("import runpy, sys\nsys.argv = ['interpolate.py', '--help']\n"
               f"try: runpy.run_path({str(INTERPOLATE)!r}, run_name='__main__')\n"
               "finally: print([name for name in sys.modules if name.startswith(('tf2gan.gans', "
               "'tf2gan.latent_space.generators'))])")
    done = subprocess.run([sys.executable, "-c", program], env=tool.environment(), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and done.stdout.endswith("\n[]\n")
    assert "--save-direction" in done.stdout and "savedmodels/progan-mnist" in done.stdout
    done = subprocess.run([sys.executable, INTERPOLATE, "--seeds", "1"], cwd=tmp_path, env=tool.environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == "" and not list(tmp_path.iterdir())
    assert done.stderr == "interpolate.py: a walk needs two stops or more, such as --seeds 1,2\n"
