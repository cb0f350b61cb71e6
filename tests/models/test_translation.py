"""Any size through the network and back, and which file becomes which."""
import io
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.cli import translate
from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import folders
from tf2gan.gans import cyclegan
from tf2gan.gans.abilities import Abilities
from tf2gan.models import translation

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "translate.py"


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [height, width, 3], np.uint8)


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class StandIn:
    """In place of a GAN that translates: one network for a2b, with a size rule, that records the sizes it is given."""

    abilities = Abilities(directions=("a2b",))

    def __init__(self, function=lambda x: x, multiple=16, minimum=32):
        self.function, self.seen = function, []
        self.size_multiple, self.size_minimum = multiple, minimum

    def translating_network(self, direction):
        assert direction == "a2b"
        return self

    def generate(self, inputs, direction):
        assert direction == "a2b"
        tf.py_function(lambda shape: self.seen.append(tuple(shape.numpy()[1:3])), [tf.shape(inputs)], [])
        return self.function(inputs)


# Padding.

def padded(image, multiple, minimum):
    """What the network gets to see of `image` [height, width]."""
    seen = []

    def network(inputs):
        seen.append(inputs.numpy()[0, :, :, 0])
        return inputs

    outputs = translation.full_size(network, tf.constant(image)[tf.newaxis, :, :, tf.newaxis], multiple, minimum)
    np.testing.assert_array_equal(outputs[0, :, :, 0], image)
    return seen[0]


@pytest.mark.parametrize("size, multiple, minimum, expected", [
    (4, 4, 1, [0, 1, 2, 3]),
    (3, 4, 1, [0, 1, 2, 1]),
    (5, 4, 1, [1, 0, 1, 2, 3, 4, 3, 2]),
    (3, 4, 8, [2, 1, 0, 1, 2, 1, 0, 1]),  # more to add than there is
    (2, 4, 8, [1, 0, 1, 0, 1, 0, 1, 0]),
    (1, 4, 5, [0] * 8),  # the minimum is no multiple
])
def test_the_border_mirrors_the_image_without_repeating_its_edge(size, multiple, minimum, expected):
    positions = np.arange(size, dtype=np.float32)
    rows = padded(np.repeat(positions[:, np.newaxis], 4, axis=1), multiple, minimum)
    columns = padded(np.repeat(positions[np.newaxis], 4, axis=0), multiple, minimum)
    np.testing.assert_array_equal(rows[:, 0], expected)
    np.testing.assert_array_equal(columns[0], expected)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 70), (2, 3), (17, 500), (31, 33), (48, 32), (127, 65)])
def test_padding_agrees_with_numpy(height, width):
    image = noise(height, width)[..., 0].astype(np.float32)
    added = [max(32, -(-size // 16) * 16) - size for size in (height, width)]
    expected = np.pad(image, [(n // 2, n - n // 2) for n in added], mode="reflect")
    np.testing.assert_array_equal(padded(image, 16, 32), expected)


@pytest.mark.parametrize("height, width", [(1, 1), (2, 40), (33, 31), (32, 48), (100, 257)])
def test_an_identity_network_gives_back_every_pixel(height, width):
    gan = StandIn()
    image = noise(height, width)
    result = translation.Translator.from_gan(gan)(image, "a2b")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, image)
    (size,) = gan.seen
    assert all(n % 16 == 0 and n >= 32 for n in size)


def test_every_value_comes_back_exactly():
    image = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    np.testing.assert_array_equal(translation.Translator.from_gan(StandIn())(image, "a2b"), image)


def test_what_the_network_does_lands_where_it_was_done():
    image = noise(33, 50)
    # A network that negates: 2x - 1 becomes 1 - 2x, and v becomes 255 - v.
    np.testing.assert_array_equal(translation.Translator.from_gan(StandIn(tf.negative))(image, "a2b"), 255 - image)


def test_outputs_beyond_the_range_are_clipped():
    image = noise(32, 32)
    result = translation.Translator.from_gan(StandIn(lambda x: 3.0 * x))(image, "a2b")
    np.testing.assert_array_equal(result, np.rint(np.clip((3 * (image / 127.5 - 1) + 1) / 2, 0, 1) * 255))


def test_one_graph_serves_all_sizes():
    traces = []

    def network(inputs):
        traces.append(inputs.shape)
        return inputs

    translator = translation.Translator.from_gan(StandIn(network))
    for height, width in [(1, 1), (32, 32), (60, 10)]:
        translator(noise(height, width), "a2b")
    assert len(traces) == 1


def test_the_network_of_the_direction_is_used_at_its_own_sizes():
    gan = cyclegan.CycleGAN(cyclegan.Config(image_size="32", generator_filters=2, discriminator_filters=2))
    translator = translation.Translator.from_gan(gan)
    assert translator.directions == ("a2b", "b2a")
    image = noise(32, 48)
    results = {direction: translator(image, direction) for direction in translator.directions}
    for direction, result in results.items():
        expected = images.to_uint8(gan.generate(images.from_uint8(image)[np.newaxis], direction).numpy()[0])
        assert np.abs(result.astype(int) - expected).max() <= 1  # where rounding is a near tie
    assert (results["a2b"] != results["b2a"]).any()


def test_what_is_no_picture_or_no_direction_is_refused():
    translator = translation.Translator.from_gan(StandIn())
    assert "b2a" in refusal(translator, noise(4, 4), "b2a")
    for wrong in (noise(4, 4).astype(np.float32), noise(4, 4)[..., :1], noise(4, 4)[np.newaxis], noise(0, 4)):
        with pytest.raises(ValueError, match="uint8"):
            translator(wrong, "a2b")
    makes_images_of_latents = types.SimpleNamespace(abilities=Abilities(samples=True))
    assert "directions" in refusal(translation.Translator.from_gan, makes_images_of_latents)


# Which file becomes which.

def write(path, size=(5, 4)):
    """An image file of any suffix: of a kind this Pillow cannot write it is a PNG, which readers do not mind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in Image.registered_extensions():
        images.write_image(path, noise(*size))
    else:
        path.write_bytes(images.encode_image(noise(*size), ".png"))
    return path


def relative_plan(source, output):
    return [(str(path.relative_to(source)), str(target.relative_to(output)))
            for path, target in translation.plan(source, output)]


def test_names_sub_folders_and_suffixes_are_kept(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    names = ["B.JPG", "a.jpg", "a.png", "deep/er/x.WebP", "deep/x.bmp", "two.dots.jpeg"]
    for name in names:
        write(source / name)
    (source / "notes.txt").write_text("not an image")
    assert relative_plan(source, output) == [(name, name) for name in names]
    assert not output.exists()


def test_a_suffix_that_cannot_be_written_gets_png_appended(tmp_path, monkeypatch):
    source = tmp_path / "in"
    write(source / "a.jp2")
    monkeypatch.setattr(translation, "_can_be_written", lambda suffix: suffix != ".jp2")
    assert relative_plan(source, tmp_path) == [("a.jp2", "a.jp2.png")]
    write(source / "a.jp2.png")
    message = refusal(translation.plan, source, tmp_path / "out")
    assert "a.jp2 " in message and "both" in message


def test_a_single_file_goes_to_a_name_or_into_a_folder(tmp_path):
    source = write(tmp_path / "photo.jpg")
    (tmp_path / "there").mkdir()
    for output, target in [("b.png", "b.png"), ("there", "there/photo.jpg"), ("new/", "new/photo.jpg"),
                           ("new/c.webp", "new/c.webp")]:
        assert translation.plan(source, f"{tmp_path}/{output}") == [(source, tmp_path / target)]
    assert "suffix" in refusal(translation.plan, source, tmp_path / "new")
    assert "suffix" in refusal(translation.plan, source, tmp_path / "b.txt")
    unusual = write(tmp_path / "scan")
    assert translation.plan(unusual, tmp_path / "there") == [(unusual, tmp_path / "there" / "scan.png")]


def test_inputs_that_are_not_there_are_refused(tmp_path):
    assert "does not exist" in refusal(translation.plan, tmp_path / "no", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    assert "no images" in refusal(translation.plan, tmp_path / "empty", tmp_path / "out")


def test_the_input_is_never_written_to(tmp_path):
    source = tmp_path / "in"
    image = write(source / "a.png")
    for output in (source, source / "out", tmp_path / "in" / ".." / "in"):
        assert "give another output" in refusal(translation.plan, source, output)
    (tmp_path / "link").symlink_to(source)
    assert "give another output" in refusal(translation.plan, source, tmp_path / "link" / "out")
    assert "give another output" in refusal(translation.plan, image, image)
    assert "give another output" in refusal(translation.plan, image, source)
    assert "give another output" in refusal(translation.plan, image, tmp_path / "link" / "a.png")
    # in/in/a.png would become in/a.png
    write(source / "in" / "a.png")
    assert "give another output" in refusal(translation.plan, source, tmp_path)


def test_existing_outputs_are_counted_and_refused(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png", "c.png"):
        write(source / name)
    pairs = translation.plan(source, output)
    translation.check_outputs(pairs)
    assert not output.exists()
    write(output / "b.png")
    (output / "c.png").symlink_to("nowhere")
    message = refusal(translation.check_outputs, pairs)
    assert "2 of 3" in message and "b.png" in message and "--overwrite" in message
    translation.check_outputs(pairs, overwrite=True)
    (output / "a.png").mkdir()
    assert "a folder has that name" in refusal(translation.check_outputs, pairs, overwrite=True)


def test_outputs_that_cannot_be_written_are_refused_before_any_work(tmp_path):
    source = write(tmp_path / "in.png")
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file" / "x.png", pathlib.Path("/proc/nothing/x.png")):
        assert "cannot write" in refusal(translation.check_outputs, [(source, output)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "in.png"]


def test_files_are_translated_under_their_names_and_reported(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    write(source / "a.png", (5, 4))
    write(source / "deep" / "b.bmp", (40, 33))
    calls = []
    translation.translate_files(translation.Translator.from_gan(StandIn(tf.negative)),
                                translation.plan(source, output), "a2b", lambda: calls.append(1))
    assert folders.find_images(output) == [output / "a.png", output / "deep" / "b.bmp"]
    assert len(calls) == 2
    for path in folders.find_images(output):
        negated = 255 - images.read_image(source / path.relative_to(output))
        np.testing.assert_array_equal(images.read_image(path), negated)


def test_photographs_lying_on_their_side_and_webp_are_read_upright(tmp_path):
    picture = Image.fromarray(noise(6, 9))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter turn clockwise
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=exif)
    (tmp_path / "turned.png").write_bytes(buffer.getvalue())
    picture.save(tmp_path / "b.webp", lossless=True)
    translator = translation.Translator.from_gan(StandIn())
    for name in ("turned.png", "b.webp"):
        translation.translate_files(translator, [(tmp_path / name, tmp_path / "out.png")], "a2b")
        expected = np.rot90(picture, -1) if name == "turned.png" else np.asarray(picture)
        with Image.open(tmp_path / "out.png") as result:
            np.testing.assert_array_equal(np.asarray(result), expected)
            assert not result.getexif()


def test_an_image_too_large_for_memory_gets_one_line_and_leaves_no_file(tmp_path):
    def translator(image, direction, style):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[1,2,3]\nmore")

    source = write(tmp_path / "a.png", (5, 4))
    message = refusal(translation.translate_files, translator, [(source, tmp_path / "b.png")], "a2b")
    assert "4 x 5" in message and "memory" in message and not (tmp_path / "b.png").exists()


# The tool.

@pytest.fixture
def tool(monkeypatch, capsys):
    """main() of tools/translate.py with a stand-in for the model; returns (stdout, stderr)."""
    monkeypatch.setattr(translation.Translator, "from_savedmodel",
                        lambda path, directions=None: translation.Translator.from_gan(StandIn(tf.negative)))

    def run(*arguments):
        translate.main(["--savedmodel", "model", "--direction", "a2b", *map(str, arguments)])
        return capsys.readouterr()

    run.main = translate.main
    return run


def test_the_tool_translates_a_folder_and_says_so_in_few_lines(tmp_path, tool):
    for index in range(25):
        write(tmp_path / "in" / f"{index:02}.png", (3, 3))
    out, err = tool("--input", tmp_path / "in", "--output", tmp_path / "out")
    assert out == f"25 images written to {tmp_path / 'out'}\n"
    assert err == "", "work of a moment needs no lines of progress"
    assert "25 of 25 output files exist" in refusal(tool, "--input", tmp_path / "in", "--output", tmp_path / "out")
    tool("--input", tmp_path / "in", "--output", tmp_path / "out", "--overwrite")


def test_the_tool_lists_all_unreadable_images_before_any_work(tmp_path, tool, monkeypatch):
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / "in" / name)
    for name in ("a.png", "c.png"):
        (tmp_path / "in" / name).write_bytes((tmp_path / "in" / name).read_bytes()[:50])
    with pytest.raises(UserError) as caught:
        tool("--input", tmp_path / "in", "--output", tmp_path / "out")
    message = str(caught.value)
    assert "2 unreadable of 3" in message and "a.png" in message and "c.png" in message
    assert not (tmp_path / "out").exists()
    out, err = tool("--input", tmp_path / "in", "--output", tmp_path / "out", "--skip-unreadable")
    assert out.startswith("1 image written") and err.count("skipped") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]
    (tmp_path / "text.png").write_text("no image")
    monkeypatch.setattr(translation.Translator, "from_savedmodel", lambda *args: pytest.fail("has begun to work"))
    assert "text.png" in refusal(tool, "--input", tmp_path / "text.png", "--output", tmp_path / "b.png")


def test_the_tool_needs_exactly_one_model_and_a_known_direction(tmp_path, tool):
    paths = ["--input", str(tmp_path), "--output", str(tmp_path)]
    assert "--run and --savedmodel" in refusal(tool.main, ["--direction", "a2b", *paths])
    both = ["--run", "r", "--savedmodel", "s"]
    assert "--run and --savedmodel" in refusal(tool.main, ["--direction", "a2b", *both, *paths])
    assert "a2b, b2a" in refusal(tool.main, ["--direction", "a2c", "--run", "r", *paths])


def test_a_model_of_one_direction_needs_no_direction(tmp_path, tool, monkeypatch):
    write(tmp_path / "a.png", (3, 3))
    paths = ["--input", str(tmp_path / "a.png"), "--output", str(tmp_path / "b.png")]
    tool.main(["--savedmodel", "model", *paths])
    assert (tmp_path / "b.png").exists()
    monkeypatch.setattr(translation.Translator, "directions", ("a2b", "b2a"))
    assert "--direction is needed: this model translates a2b, b2a" in refusal(
        tool.main, ["--savedmodel", "model", "--overwrite", *paths])


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    write(tmp_path / "a.png")
    (tmp_path / "model").mkdir()
    done = subprocess.run([sys.executable, TOOL, "--savedmodel", tmp_path / "model", "--direction", "a2b",
                           "--input", tmp_path / "a.png", "--output", tmp_path / "b.png"],
                          capture_output=True, text=True, env={"PYTHONPATH": str(TOOL.parent.parent)}, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "not a SavedModel" in done.stderr
