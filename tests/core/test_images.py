"""Pixel values through files, ranges and grids."""
import ast
import io
import os
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFile, ImageOps

from tf2gan.core import files, images
from tf2gan.core.errors import UserError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [200, 100, 50], [255, 255, 255]]], np.uint8)


def big(pixels):
    """Every pixel as a block of 16 x 16, which survives lossy compression in its middle."""
    return np.repeat(np.repeat(pixels, 16, axis=0), 16, axis=1)


def middles(picture):
    return picture[8::16, 8::16]


def png_bytes(depth, colour_type, row, width, *chunks):
    """A PNG of one row, by hand: Pillow cannot write 16-bit colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)), *chunks,
             (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


# Ranges

def test_uint8_round_trip_is_exact_for_all_values():
    values = np.arange(256, dtype=np.uint8)
    floats = images.from_uint8(values)
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[-1] == 1
    np.testing.assert_array_equal(images.to_uint8(floats), values)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_to_uint8_rounds_to_the_nearest_and_clips(dtype):
    values = np.array([[-1, -0.99, 0.002, 0.5, 0.99, 1, -7, 7, -np.inf, np.inf]], dtype)
    # (0.5 + 1) * 127.5 = 191.25, (0.99 + 1) * 127.5 = 253.725, (-0.99 + 1) * 127.5 = 1.275, (1.002) * 127.5 = 127.755
    expected = [[0, 1, 128, 191, 254, 255, 0, 255, 0, 255]]
    result = images.to_uint8(values)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


def test_to_uint8_refuses_nan_and_integers():
    with pytest.raises(ValueError, match="NaN"):
        images.to_uint8(np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="uint8"):
        images.to_uint8(np.array([0, 255], np.uint8))
    with pytest.raises(ValueError, match="float32"):
        images.from_uint8(np.array([0.5], np.float32))


# Reading: every kind of file

@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm"])
def test_lossless_colour(tmp_path, suffix):
    Image.fromarray(COLOURS).save(tmp_path / f"x{suffix}")
    result = images.read_image(tmp_path / f"x{suffix}")
    assert result.dtype == np.uint8 and result.flags.writeable
    np.testing.assert_array_equal(result, COLOURS)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_colour(tmp_path, suffix):
    Image.fromarray(big(COLOURS)).save(tmp_path / f"x{suffix}", quality=95)
    result = images.read_image(tmp_path / f"x{suffix}")
    assert result.shape == (32, 48, 3)
    np.testing.assert_allclose(middles(result).astype(int), COLOURS, atol=6)


def test_first_frame_of_a_gif(tmp_path):
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(images.read_image(tmp_path / "x.gif"), np.full([2, 3, 3], [255, 0, 0]))


def test_grey_and_one_bit(tmp_path):
    grey = np.array([[0, 100, 255]], np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey).convert("1", dither=Image.Dither.NONE).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(images.read_image(tmp_path / "grey.png"), np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(images.read_image(tmp_path / "bits.png")[0, :, 1], [0, 0, 255])


def test_transparency_is_composited_over_white(tmp_path):
    alpha = np.array([[255, 0, 51]], np.uint8)
    rgba = np.array([[[10, 20, 30], [10, 20, 30], [0, 100, 255]]], np.uint8)
    Image.fromarray(np.concatenate([rgba, alpha[..., None]], -1)).save(tmp_path / "rgba.png")
    # 51 / 255 = 1 / 5: 0.2 * colour + 0.8 * 255
    expected = [[[10, 20, 30], [255, 255, 255], [204, 224, 255]]]
    np.testing.assert_array_equal(images.read_image(tmp_path / "rgba.png"), expected)
    Image.merge("LA", [Image.fromarray(rgba[..., 0].copy()), Image.fromarray(alpha)]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(images.read_image(tmp_path / "la.png")[0], [[10] * 3, [255] * 3, [204] * 3])


def test_palette_with_transparency(tmp_path):
    palette = Image.new("P", (3, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.putdata([0, 1, 2])
    palette.save(tmp_path / "opaque.png")
    palette.save(tmp_path / "one.png", transparency=1)
    palette.save(tmp_path / "many.png", transparency=bytes([255, 0, 51]))
    palette.save(tmp_path / "one.gif", transparency=1)
    read = {name: images.read_image(tmp_path / name)[0].tolist()
            for name in ("opaque.png", "one.png", "many.png", "one.gif")}
    red, green, blue, white = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
    assert read["opaque.png"] == [red, green, blue]
    assert read["one.png"] == read["one.gif"] == [red, white, blue]
    assert read["many.png"] == [red, white, [204, 204, 255]]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_a_16_bit_grey_ramp_stays_a_ramp(tmp_path, suffix, dtype):
    ramp = np.linspace(0, 65535, 1024).round().astype(dtype)[None]
    Image.fromarray(ramp).save(tmp_path / f"x{suffix}")
    result = images.read_image(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(result[0, :, 0], np.round(ramp[0].astype(float) / 257))
    assert result[0, 0, 0] == 0 and result[0, -1, 0] == 255 and (np.diff(result[0, :, 2].astype(int)) >= 0).all()


def test_16_bit_colour_is_within_one_of_the_nearest(tmp_path):
    values = np.linspace(0, 65535, 999).round().astype(">u2")
    for colour_type, channels in ((2, 3), (6, 4), (4, 2)):
        samples = np.repeat(values[:, None], channels, axis=1)
        if channels != 3:
            samples[:, -1] = 65535
        (tmp_path / "x.png").write_bytes(png_bytes(16, colour_type, samples.tobytes(), len(values)))
        result = images.read_image(tmp_path / "x.png")[0, :, 1].astype(int)
        assert np.abs(result - np.round(values / 257)).max() <= 1
        assert result[0] == 0 and result[-1] == 255 and (np.diff(result) >= 0).all()


def test_transparent_colour_of_a_16_bit_grey_png(tmp_path):
    row = np.array([0, 257, 514], ">u2").tobytes()
    (tmp_path / "x.png").write_bytes(png_bytes(16, 0, row, 3, (b"tRNS", struct.pack(">H", 257))))
    np.testing.assert_array_equal(images.read_image(tmp_path / "x.png")[0, :, 0], [0, 255, 2])


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_16_bit_tiff_in_which_0_is_white(tmp_path, compression):
    ramp = Image.fromarray(np.array([[0, 257, 65535]], np.uint16))
    ramp.save(tmp_path / "x.tif", tiffinfo={262: 0}, compression=compression)
    np.testing.assert_array_equal(images.read_image(tmp_path / "x.tif")[0, :, 0], [255, 254, 0])


def test_32_bit_grey(tmp_path):
    def read(values, dtype):
        Image.fromarray(np.array([values], dtype)).save(tmp_path / "x.tif")
        return images.read_image(tmp_path / "x.tif")[0, :, 0].tolist()

    assert read([0, 25700, 65535], np.int32) == [0, 100, 255]
    assert read([0, 25700, 65535], np.float32) == [0, 100, 255]
    assert read([0, 0.4, 1], np.float32) == [0, 102, 255]
    for values, dtype in (([0, 65536], np.int32), ([-1, 5], np.int32), ([0, 200], np.float32), ([-0.5, 1], np.float32),
                          ([0, np.nan], np.float32)):
        with pytest.raises(UserError, match=r"x\.tif: grey values from .* to .*; possible: 0 to 65535"):
            read(values, dtype)


def test_16_bit_pgm(tmp_path):
    (tmp_path / "x.pgm").write_bytes(b"P5 3 1 65535\n" + np.array([0, 25700, 65535], ">u2").tobytes())
    np.testing.assert_array_equal(images.read_image(tmp_path / "x.pgm")[0, :, 0], [0, 100, 255])


def test_cmyk_jpeg(tmp_path):
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255]]], np.uint8)
    Image.merge("CMYK", [Image.fromarray(big(inks[..., ink])) for ink in range(4)]).save(tmp_path / "x.jpg", quality=95)
    expected = [[[255, 255, 255], [0, 255, 255], [255, 0, 0], [0, 0, 0]]]
    np.testing.assert_allclose(middles(images.read_image(tmp_path / "x.jpg")).astype(int), expected, atol=4)


UPRIGHT = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.transpose(1, 0, 2),
           6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.transpose(1, 0, 2), 2), 8: np.rot90}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = UPRIGHT[orientation](COLOURS)
    np.testing.assert_array_equal(images._upright(COLOURS, orientation), expected)
    for name in ("x.png", "x.tif"):
        Image.fromarray(COLOURS).save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(images.read_image(tmp_path / name), expected)
        assert images.image_size(tmp_path / name) == expected.shape[:2]
    for name in ("x.jpg", "x.webp"):
        Image.fromarray(big(COLOURS)).save(tmp_path / name, exif=exif, quality=95)
        result = images.read_image(tmp_path / name)
        np.testing.assert_allclose(middles(result).astype(int), expected, atol=6)
        assert images.image_size(tmp_path / name) == result.shape[:2]
    with Image.open(tmp_path / "x.jpg") as picture:  # and Pillow agrees on which way is up
        np.testing.assert_array_equal(images.read_image(tmp_path / "x.jpg"), ImageOps.exif_transpose(picture))


def test_exif_turns_16_bit_images_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.array([[0, 257, 514]], np.uint16)).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(images.read_image(tmp_path / "x.png")[..., 0], [[0], [1], [2]])


CUT_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage that is no TIFF header", CUT_EXIF])
def test_broken_exif_data_do_not_make_a_picture_unreadable(tmp_path, exif):
    Image.fromarray(big(COLOURS)).save(tmp_path / "x.jpg", exif=exif)
    assert images.read_image(tmp_path / "x.jpg").shape == (32, 48, 3)
    assert images.image_size(tmp_path / "x.jpg") == (32, 48)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tiff", ".webp"])
def test_image_size_does_not_decode_the_pixels(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(big(COLOURS)).save(path)
    loads = []
    load = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: loads.append(self) or load(self))
    assert images.image_size(path) == (32, 48) and not loads
    assert images.read_image(path).shape == (32, 48, 3) and loads


def test_image_size_of_half_a_file(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, [50, 70, 3], np.uint8)).save(buffer, "PNG")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[:5000])
    assert images.image_size(tmp_path / "half.png") == (50, 70)
    with pytest.raises(UserError):
        images.read_image(tmp_path / "half.png")


@pytest.mark.parametrize("name", ["with space.png", "Ünïcode 猫.png", "UPPER.PNG", "two.dots.PnG"])
def test_names(tmp_path, name):
    images.write_image(tmp_path / name, COLOURS)
    for path in (tmp_path / name, str(tmp_path / name), os.fsencode(tmp_path / name)):
        np.testing.assert_array_equal(images.read_image(path), COLOURS)


# Reading: what cannot be read

def refused(path):
    """The reason, after checking that both functions tell it in one line with the path."""
    with pytest.raises(images.UnreadableImage) as caught:
        images.read_image(path)
    message = str(caught.value)
    assert isinstance(caught.value, UserError) and "\n" not in message
    assert message == f"cannot read {images.printable(path)}: {caught.value.reason}"
    return caught.value.reason


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tiff", ".webp"])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, [64, 64, 3], np.uint8)).save(path)
    assert images.read_image(path).shape == (64, 64, 3)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    reason = refused(path)
    assert "truncated" in reason or suffix == ".webp"


def test_files_that_are_no_images(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture\n")
    (tmp_path / "x.png").mkdir()
    (tmp_path / "line\nbreak.png").touch()
    assert refused(tmp_path / "empty.png") == "the file is empty"
    assert refused(tmp_path / "text.png") == "not an image in a format that Pillow reads"
    assert "irectory" in refused(tmp_path / "x.png") or os.name == "nt"
    assert refused(tmp_path / "none.png") == "No such file or directory"
    assert refused(tmp_path / "line\nbreak.png") == "the file is empty"
    with pytest.raises(UserError, match="text.png: not an image"):
        images.image_size(tmp_path / "text.png")


def test_whatever_a_decoder_raises_becomes_one_line(tmp_path, monkeypatch):
    images.write_image(tmp_path / "x.png", COLOURS)

    def load(_):
        raise raised
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for raised, reason in ((struct.error("two\n  lines"), "two lines"), (IndexError(), "IndexError"),
                           (PermissionError(13, "Permission denied", "x.png"), "Permission denied")):
        assert refused(tmp_path / "x.png") == reason
    raised = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        images.read_image(tmp_path / "x.png")


def test_decompression_bomb(tmp_path, monkeypatch):
    images.write_image(tmp_path / "x.png", COLOURS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert "exceeds limit of 4 pixels" in refused(tmp_path / "x.png")
    with pytest.raises(UserError, match="exceeds limit"):
        images.image_size(tmp_path / "x.png")


def test_warnings_of_pillow_do_not_reach_the_terminal(tmp_path):
    """In a process of its own: pytest changes which warnings are shown."""
    images.write_image(tmp_path / "x.png", COLOURS)
    Image.fromarray(big(COLOURS)).save(tmp_path / "x.jpg", exif=CUT_EXIF)
    program = """
import sys, warnings
from PIL import Image
from tf2gan.core import images
def read():
    for path, limit in zip(sys.argv[1:], (5, 10000)):
        Image.MAX_IMAGE_PIXELS = limit
        print(images.read_image(path).shape)
read()
print("control", file=sys.stderr)
warnings.resetwarnings()
read()
"""
    run = subprocess.run([sys.executable, "-c", program, tmp_path / "x.png", tmp_path / "x.jpg"],
                         capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert run.stdout == "(2, 3, 3)\n(32, 48, 3)\n" * 2, run.stderr
    quiet, control = run.stderr.split("control\n")
    assert "PIL" not in quiet and "Warning" not in quiet
    assert "DecompressionBombWarning" in control and "Corrupt EXIF" in control


@pytest.mark.parametrize("module, ours", [
    (images, {"tf2gan.core.files", "tf2gan.core.errors"}), (files, {"tf2gan.core.errors"})])
def test_reading_and_writing_imports_no_tensorflow_itself(module, ours):
    nodes = list(ast.walk(ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            is_package = node.module in ("tf2gan", "tf2gan.core")
            modules |= {f"{node.module}.{alias.name}" for alias in node.names} if is_package else {node.module}
    assert {name for name in modules if name.startswith(("tensorflow", "tf2gan"))} == ours
    assert "pathlib" in modules


# Writing

@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff", ".ppm"])
def test_encode_lossless(suffix):
    for array in (COLOURS, COLOURS[..., :1]):
        with Image.open(io.BytesIO(images.encode_image(array, suffix))) as picture:
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.broadcast_to(array, COLOURS.shape))


def test_encode_jpeg_keeps_the_colour_resolution():
    stripes = np.zeros([32, 32, 3], np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 255  # red and blue columns, one pixel wide
    for suffix in (".jpg", ".jpeg"):
        with Image.open(io.BytesIO(images.encode_image(stripes, suffix))) as picture:
            assert picture.format == "JPEG" and [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3
            np.testing.assert_allclose(np.asarray(picture).astype(int), stripes, atol=40)


def test_encode_webp_and_gif():
    for suffix, tolerance in ((".webp", 6), (".gif", 0)):
        with Image.open(io.BytesIO(images.encode_image(big(COLOURS), suffix))) as picture:
            assert picture.format == suffix[1:].upper()
            np.testing.assert_allclose(middles(np.asarray(picture.convert("RGB"))).astype(int), COLOURS, atol=tolerance)


def test_unknown_suffix_names_what_is_possible(tmp_path):
    message = r"unknown image suffix '\.pngg': did you mean '\.png'\? possible: .*\.jpg, .*\.png"
    with pytest.raises(UserError, match=message):
        images.write_image(tmp_path / "new" / "x.pngg", COLOURS)
    with pytest.raises(UserError, match="unknown image suffix ''"):
        images.write_image(tmp_path / "x", COLOURS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("array", [COLOURS.astype(np.float32), COLOURS[0], np.zeros([2, 2, 4], np.uint8),
                                   np.zeros([0, 2, 3], np.uint8)])
def test_encode_refuses_what_is_no_picture(array):
    with pytest.raises(ValueError, match="a picture is uint8"):
        images.encode_image(array, ".png")


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "x.png"
    images.write_image(path, COLOURS)
    images.write_image(str(path), 255 - COLOURS)
    np.testing.assert_array_equal(images.read_image(path), 255 - COLOURS)
    assert [file.name for file in path.parent.iterdir()] == ["x.png"]


def test_a_failing_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "x.webp"
    images.write_image(path, big(COLOURS))
    before = path.read_bytes()
    with pytest.raises(UserError, match="cannot write 20000 x 1 pixels as .webp: .*limit"):
        images.write_image(path, np.zeros([1, 20000, 3], np.uint8))

    def full_disk(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(UserError, match="cannot write .*x.webp: No space left on device"):
        images.write_image(path, 255 - big(COLOURS))
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["x.webp"]


def test_write_below_a_file_is_a_user_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write .*x.png"):
        images.write_image(tmp_path / "file" / "x.png", COLOURS)


# Grids

def test_grid_without_titles_places_every_pixel():
    rows = np.random.default_rng(0).integers(0, 255, [2, 3, 4, 5, 3], np.uint8)
    result = images.grid(rows, gap=3)
    assert result.shape == (2 * 4 + 3, 3 * 5 + 2 * 3, 3) and result.dtype == np.uint8
    expected = np.full(result.shape, 255)
    for row in range(2):
        for column in range(3):
            expected[row * 7:row * 7 + 4, column * 8:column * 8 + 5] = rows[row, column]
    np.testing.assert_array_equal(result, expected)


def test_grid_of_grey_images_has_equal_channels():
    rows = np.random.default_rng(0).integers(0, 255, [1, 2, 4, 5, 1], np.uint8)
    result = images.grid(rows, gap=0)
    np.testing.assert_array_equal(result, np.repeat(np.concatenate(list(rows[0]), axis=1), 3, axis=-1))


@pytest.mark.parametrize("size", [16, 32, 64, 256])
def test_titles_stay_in_their_margins(size):
    rows = np.full([2, 3, size, size, 3], 77, np.uint8)
    titles = ["x", "a very long title that never fits into any column", ""]
    result = images.grid(rows, titles, ["real", "fake"], gap=4)
    plain = images.grid(rows, gap=4)
    top, left = result.shape[0] - plain.shape[0], result.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(result[top:, left:], plain)
    assert top - 4 >= 11  # readable
    assert (result[top - 4:top] == 255).all() and (result[:, left - 4:left] == 255).all()
    cells = [result[:top - 4, left + column * (size + 4):left + column * (size + 4) + size] for column in range(3)]
    assert cells[0].min() < 100 and cells[1].min() < 100 and cells[2].min() == 255
    ink = np.flatnonzero((cells[0] < 128).any(axis=(0, 2)))
    assert abs((ink[0] + ink[-1]) / 2 - (size - 1) / 2) <= 1.5  # in the middle
    for gap in range(2):  # nothing runs over into the gap beside the column
        start = left + size + gap * (size + 4)
        assert (result[:top, start:start + 4] == 255).all()
    for row in range(2):
        assert result[top + row * (size + 4):top + row * (size + 4) + size, :left - 4].min() < 100
    assert (result[:top, :left] == 255).all() and (result[top + size:top + size + 4] == 255).all()


def test_long_titles_are_set_smaller_then_cut_short(monkeypatch):
    drawn = []
    draw_text = ImageDraw.ImageDraw.text

    def spy(self, position, text, *args, font, **kwargs):
        drawn.append((text, font.size))
        return draw_text(self, position, text, *args, font=font, **kwargs)
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)

    def titles(size, *names):
        drawn.clear()
        images.grid(np.zeros([1, len(names), size, size, 3], np.uint8), names)
        return [text for text, _ in drawn], {font_size for _, font_size in drawn}

    assert titles(256, "real", "fake") == (["real", "fake"], {32})
    texts, sizes = titles(256, "a somewhat longer title", "fake")
    assert texts == ["a somewhat longer title", "fake"] and len(sizes) == 1 and 11 < sizes.pop() < 32
    texts, sizes = titles(32, "reconstruction", "fake")
    assert sizes == {11} and texts[0].endswith("..") and "reconstruction".startswith(texts[0][:-2])
    assert len(texts[0]) >= 5 and texts[1] == "fake"


def test_grid_refuses_what_does_not_fit():
    rows = np.zeros([2, 3, 4, 5, 3], np.uint8)
    with pytest.raises(ValueError, match="2 column titles for 3 columns"):
        images.grid(rows, column_titles=["a", "b"])
    with pytest.raises(ValueError, match="3 row titles for 2 rows"):
        images.grid(rows, row_titles=["a", "b", "c"])
    for bad in (rows[0], rows.astype(np.float32), rows[..., :2], rows[:0]):
        with pytest.raises(ValueError, match="a grid is uint8"):
            images.grid(bad)


def test_stack():
    wide, narrow = np.full([2, 6, 3], 10, np.uint8), np.full([3, 4, 1], 20, np.uint8)
    result = images.stack([wide, narrow], gap=2)
    expected = np.full([7, 6, 3], 255)
    expected[:2] = 10
    expected[4:, :4] = 20
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(images.stack([wide, wide], gap=0), np.full([4, 6, 3], 10))
    with pytest.raises(ValueError):
        images.stack([])
    with pytest.raises(ValueError, match="a picture is uint8"):
        images.stack([wide.astype(float)])


# For people

@pytest.mark.parametrize("height, width, factor", [
    (28, 28, 2), (12, 12, 5), (4, 4, 14), (55, 90, 2), (90, 55, 2), (56, 56, 1), (57, 200, 1), (256, 256, 1)])
def test_enlarged_repeats_pixels_until_the_smaller_side_is_large_enough(height, width, factor):
    pictures = np.random.default_rng(0).integers(0, 256, [2, 3, height, width, 3], np.uint8)
    result = images.enlarged(pictures)
    assert result.dtype == np.uint8 and result.shape == (2, 3, factor * height, factor * width, 3)
    for top in range(factor):
        for left in range(factor):
            np.testing.assert_array_equal(result[..., top::factor, left::factor, :], pictures)


def test_enlarged_to_another_size_and_without_a_batch():
    picture = COLOURS[..., :1]
    assert images.enlarged(picture).shape == (56, 84, 1)
    np.testing.assert_array_equal(images.enlarged(picture, 4), np.kron(picture, np.ones([2, 2, 1], np.uint8)))
    np.testing.assert_array_equal(images.enlarged(picture, 2), picture)


@pytest.mark.parametrize("num, rows, columns", [
    (1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2), (5, 2, 3), (7, 3, 3), (10, 3, 4), (12, 3, 4), (16, 4, 4), (17, 4, 5)])
def test_squared_fills_rows_from_the_left_and_the_rest_is_white(num, rows, columns):
    pictures = np.random.default_rng(num).integers(0, 255, [num, 3, 2, 1], np.uint8)  # none has white
    result = images.squared(pictures)
    assert result.dtype == np.uint8 and result.shape == (rows, columns, 3, 2, 1)
    for index in range(rows * columns):
        found = result[index // columns, index % columns]
        np.testing.assert_array_equal(found, pictures[index] if index < num else np.full([3, 2, 1], 255))
