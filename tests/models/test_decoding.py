"""Image files decoded in a graph, as exports do it, beside what Pillow reads."""
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.core import images
from tf2gan.models import decoding

ROWS, COLUMNS = np.mgrid[:20, :30]
COLOURS = np.stack([ROWS * 12, COLUMNS * 8, (ROWS + COLUMNS) * 5], axis=-1).astype(np.uint8)
RGB = Image.fromarray(COLOURS)
GREY = RGB.convert("L")
RGBA = Image.fromarray(np.concatenate([COLOURS, (COLUMNS * 8).astype(np.uint8)[..., np.newaxis]], axis=-1))
JPEG = {"quality": 95, "subsampling": 0}


def turned(orientation, endian):
    exif = Image.Exif()
    exif.endian = endian
    exif[0x10F], exif[0x112] = "maker", orientation
    return {"exif": exif, **JPEG}


def sixteen_bits(pixels):
    return tf.io.encode_png(tf.constant(pixels.astype(np.uint16) * 257)).numpy()


CASES = {
    "png": (RGB, "PNG", {}), "png grey": (GREY, "PNG", {}), "png 1 bit": (GREY.convert("1"), "PNG", {}),
    "png alpha": (RGBA, "PNG", {}), "png grey alpha": (RGBA.convert("LA"), "PNG", {}),
    "png transparent colour": (RGB, "PNG", {"transparency": (0, 0, 0)}),
    "png transparent grey": (GREY, "PNG", {"transparency": 5}),
    **{f"png of {n} colours": (RGB.quantize(n), "PNG", {}) for n in (2, 4, 16, 256)},
    "png of 256 colours, one transparent": (RGB.quantize(256), "PNG", {"transparency": 1}),
    "jpeg": (RGB, "JPEG", JPEG), "jpeg grey": (GREY, "JPEG", JPEG), "jpeg cmyk": (RGB.convert("CMYK"), "JPEG", JPEG),
    "jpeg progressive": (RGB, "JPEG", {"progressive": True, **JPEG}),
    **{f"jpeg turned {n} {endian}": (RGB, "JPEG", turned(n, endian)) for n in range(1, 9) for endian in "<>"},
    "gif": (RGB.quantize(64), "GIF", {}), "gif grey": (GREY, "GIF", {}),
    "bmp": (RGB, "BMP", {}), "bmp grey": (GREY, "BMP", {}), "bmp 32 bits": (RGBA, "BMP", {}),
    "bmp of 16 colours": (RGB.quantize(16), "BMP", {}), "bmp of 256 colours": (RGB.quantize(256), "BMP", {}),
}
REFUSED = {
    "gif transparent": (RGB.quantize(16), "GIF", {"transparency": 3}, "GIF with transparent pixels"),
    "png of 16 colours, one transparent": (RGB.quantize(16), "PNG", {"transparency": 1}, "PNG with transparent pixels"),
    "bmp 1 bit": (GREY.convert("1"), "BMP", {}, "a BMP of"),
}


@pytest.fixture(scope="module")
def decode():
    return tf.function(decoding.decode, input_signature=[tf.TensorSpec([], tf.string)])


def encoded(picture, kind, options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def as_pillow_reads(tmp_path, file):
    (tmp_path / "file").write_bytes(file)
    return images.read_image(tmp_path / "file").astype(int)


@pytest.mark.parametrize("name", CASES)
def test_every_mode_is_read_as_pillow_reads_it(decode, tmp_path, name):
    file = encoded(*CASES[name])
    found, expected = decode(file).numpy().astype(int), as_pillow_reads(tmp_path, file)
    assert found.shape == expected.shape and np.ptp(expected) > 50
    assert np.abs(found - expected).max() <= (1 if CASES[name][1] == "JPEG" else 0)


@pytest.mark.parametrize("pixels", [COLOURS, COLOURS[..., :1]])
def test_16_bits(decode, tmp_path, pixels):
    file = sixteen_bits(pixels)
    np.testing.assert_array_equal(decode(file).numpy(), as_pillow_reads(tmp_path, file))


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_read_wrongly_is_refused(decode, name):
    *file, words = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        decode(encoded(*file))


@pytest.mark.parametrize("file", [b"", b"B", b"hello", *(encoded(*CASES[name])[:40] for name in ("png", "gif", "bmp",
                                                                                                "jpeg"))])
def test_what_is_no_image_is_an_error(decode, file):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(file)


def test_bytes_like_a_tag_in_a_jpeg_without_exif_turn_nothing(decode, tmp_path):
    file = encoded(RGB, "JPEG", {"comment": b"\x12\x01\x03\x00\x01\x00\x00\x00\x06", **JPEG})
    assert b"\x12\x01\x03\x00" in file
    assert decode(file).shape == as_pillow_reads(tmp_path, file).shape
