"""Converts images between files, uint8 arrays and floats in [-1, 1]; lays out grids. Needs no TensorFlow."""
import contextlib
import functools
import importlib.util
import io
import os
import pathlib
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont

from tf2gan.core import files
from tf2gan.core.errors import UserError, printable, unknown

# Suffixes of files that are written, where the installed Pillow can.
OUTPUT_SUFFIXES = (".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif",
                   ".tiff", ".webp")
# Formats that Pillow names but cannot decode itself, or that are no pictures.
_NO_PICTURES = {"BUFR", "GRIB", "HDF5", "MPEG", "PDF", "WMF"}
# Files that lie beside images by the thousand; not even their first bytes are read.
_TEXTS = {".txt", ".json", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".npy", ".npz", ".md", ".html", ".log"}
# Formats without a mark at the beginning of a file: other files could be taken for them.
_UNMARKED = {"GBR", "IMT", "MCIDAS", "PCD", "PIXAR", "SPIDER", "TGA", "XVTHUMB"}

# By default, Pillow halves the colour resolution of JPEG, which blurs samples and changes metrics.
_SAVE_OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}, "AVIF": {"quality": 95}}
_SMALLEST_FONT = 11
# Set once for the process: images are read in threads, and warnings.catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableImage(UserError):
    """A file that cannot be read as an image: `path` (str) and `reason`, a few words without the path."""

    def __init__(self, path, reason):
        super().__init__(f"cannot read {printable(path)}: {reason}")
        self.path = path
        self.reason = reason


def to_uint8(images):
    """Converts floats in [-1, 1], any shape, to np.uint8 in [0, 255]: rounded to nearest, clipped outside the range.

    Raises ValueError for NaN and for non-floating types: integers are most likely uint8 already.
    """
    images = np.asarray(images)
    if images.dtype.name in ("float16", "bfloat16"):  # too coarse to compute in; bfloat16 is no np.floating
        images = images.astype(np.float32)
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"to_uint8 takes floats in [-1, 1], not {images.dtype}")
    if np.isnan(images).any():
        raise ValueError("to_uint8 got NaN")
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def from_uint8(images):
    """np.uint8, any shape, to np.float32 in [-1, 1]; `to_uint8` inverts it exactly. ValueError for other types."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"from_uint8 takes uint8, not {images.dtype}")
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def read_image(path):
    """Reads the file `path` (str, bytes or PathLike) as np.uint8 [height, width, 3], turned upright by its EXIF data.

    Takes any format that Pillow reads, the first of several frames, and transparent pixels over white. 16-bit grey v
    becomes round(v / 257), 16-bit colour v // 256 (by Pillow). The range of a floating-point image is 0..1 if its
    largest value is at most 1, and 0..65535 if that is above 255; others are refused. Raises UnreadableImage, a
    UserError.
    """
    with _open(path) as image:
        return _pixels(image)


def read_bytes(data, name):
    """As `read_image`, of the bytes of a file; `name` says in errors where they come from."""
    with _open(name, io.BytesIO(data)) as image:
        return _pixels(image)


def _pixels(image):
    image.load()
    return np.array(_upright(_rgb_pixels(image), _orientation(image)), order="C")


@functools.lru_cache(maxsize=None)
def readable_suffixes() -> frozenset:
    """Suffixes, such as ".png", of the formats that the installed Pillow decodes; HEIC with pillow-heif."""
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return frozenset(suffix for suffix, name in Image.registered_extensions().items()
                     if name in Image.OPEN and name not in _NO_PICTURES)


def is_image(path) -> bool:
    """Whether a file counts as an image: by a suffix that Pillow knows, else by its first bytes."""
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    if suffix in readable_suffixes():
        return True
    if suffix in _TEXTS or not os.path.isfile(path):  # a pipe would wait for its writer
        return False
    formats = [name for name in Image.ID if name not in _NO_PICTURES | _UNMARKED]
    try:
        with Image.open(path, formats=formats):
            return True
    except (Image.UnidentifiedImageError, FileNotFoundError):
        return False
    except Exception:  # it is one, or cannot be opened: whoever reads it says why
        return True


def image_size(path):
    """(height, width) of what `read_image` would return, without decoding the pixels. Raises UnreadableImage.

    A PNG whose EXIF data follow the pixels (allowed, but rare) is measured as stored, before turning.
    """
    with _open(path) as image:
        width, height = image.size  # Pillow gives the size of a TIFF after turning
        return (width, height) if image.format != "TIFF" and _orientation(image) >= 5 else (height, width)


@contextlib.contextmanager
def _open(path, data=None):
    """Image.open that turns every error of a bad file, here or while decoding, into UnreadableImage.

    `data`: io.BytesIO of what is read instead of the file.
    """
    path = os.fsdecode(path)
    try:
        with Image.open(path if data is None else data) as image:
            yield image
    except Image.UnidentifiedImageError as error:
        size = os.path.getsize(path) if data is None else len(data.getbuffer())
        reason = "not an image in a format that Pillow reads" if size else "the file is empty"
        raise UnreadableImage(path, reason) from error
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error ...
        raise UnreadableImage(path, _reason(error)) from error


def _reason(error):  # str() of an OSError would repeat the path
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


def _orientation(image):
    try:
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)  # the method of PNG decodes the pixels
    except Exception:  # the parser raises anything; broken EXIF data do not make an image unreadable
        orientation = None
    return orientation if orientation in range(1, 9) else 1


def _upright(pixels, orientation):
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _rgb_pixels(image):
    if image.mode.startswith("I") or image.mode == "F":  # Pillow's convert() would clip these to white
        return np.stack([_grey_pixels(image)] * 3, axis=-1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _grey_pixels(image):
    values = np.asarray(image)
    lowest, highest = values.min(), values.max()
    # Floats with 1 < highest <= 255 may be 8-bit, dark 16-bit or high dynamic range: do not guess.
    if not (0 <= lowest and highest <= 65535) or (image.mode == "F" and 1 < highest <= 255):
        raise ValueError(f"grey values from {lowest} to {highest}; possible: 0 to 65535, or floats from 0 to 1")
    white = 1 if image.mode == "F" and highest <= 1 else 65535
    grey = np.rint(values.astype(np.float64) * 255 / white).astype(np.uint8)
    # Pillow inverts 8-bit TIFFs in which 0 is white, but not 16-bit ones.
    if image.format == "TIFF" and image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    return grey if transparent is None else np.where(values == transparent, np.uint8(255), grey)


def encode_image(array, suffix):
    """Encodes uint8 [height, width, 1 or 3] in the format of `suffix`, such as ".png". Returns bytes.

    JPEG has quality 95 and full colour resolution, WebP and AVIF quality 95; GIF has a palette of 256 colours.
    Raises ValueError for another type or shape; UserError for an unknown suffix, and for what the format cannot hold.
    """
    formats = Image.registered_extensions()
    possible = [name for name in OUTPUT_SUFFIXES if formats.get(name) in Image.SAVE]
    if suffix.lower() not in possible:
        raise unknown("image suffix", suffix, possible)
    image_format = formats[suffix.lower()]
    array = _check(array, 3, "a picture")
    image = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=image_format, **_SAVE_OPTIONS.get(image_format, {}))
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"cannot write {image.width} x {image.height} pixels as {suffix}: {_reason(error)}") from error
    return buffer.getvalue()


def write_image(path, array):
    """Writes uint8 [height, width, 1 or 3] to `path` in the format of its suffix. Creates folders as needed.

    Nobody ever sees half a file: it is written under a temporary name beside `path` and renamed. Raises as
    `encode_image`, and UserError if the file cannot be written.
    """
    path = pathlib.Path(path)
    encoded = encode_image(array, path.suffix)
    try:
        files.write_atomically(path, encoded, durable=False)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {_reason(error)}") from error


def _check(array, num_axes, what):
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != num_axes or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(f"{what} is uint8, {num_axes} axes, the last 1 or 3; this is {array.dtype} {array.shape}")
    return array


def enlarged(images, least=56):
    """Repeats the pixels of uint8 [..., height, width, channels] until both sides have at least `least` pixels."""
    factor = max(1, -(-least // min(images.shape[-3:-1])))
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def squared(pictures, columns=None):
    """Arranges uint8 [num, height, width, channels] as [num_rows, num_columns, ...] on white.

    `columns`: their number; None: so that the whole is nearly square.
    """
    columns = columns or int(np.ceil(np.sqrt(len(pictures))))
    white = np.full([-len(pictures) % columns, *pictures.shape[1:]], 255, np.uint8)
    return np.concatenate([pictures, white]).reshape([-1, columns, *pictures.shape[1:]])


def stack(pictures, gap=2):
    """Stacks pictures uint8 [height, width, 1 or 3] of any sizes vertically, flush left on white.

    Returns uint8 [sum of heights and gaps, largest width, 3]. Raises ValueError for no pictures, other types or shapes.
    """
    pictures = [_check(picture, 3, "a picture") for picture in pictures]
    width = max(picture.shape[1] for picture in pictures)  # raises ValueError if there are none
    bands = []
    for picture in pictures:
        bands.append(np.full([picture.shape[0] + gap, width, 3], 255, np.uint8))
        bands[-1][gap:, :picture.shape[1]] = picture  # one channel broadcasts to three
    return np.concatenate(bands)[gap:]


def grid(rows, column_titles=None, row_titles=None, gap=2):
    """Lays out uint8 [num_rows, num_columns, height, width, 1 or 3] as one picture, uint8 [H, W, 3], on white.

    `gap` pixels lie between neighbours, none around the outside. Column titles are above and row titles to the left,
    each a gap away from the images; the last image ends in the lower right corner. If a column title is too wide, the
    font shrinks, down to 11 pixels; then the title is cut. Raises ValueError for other types, shapes or numbers of
    titles.
    """
    rows = _check(rows, 5, "a grid")
    num_rows, num_columns, height, width = rows.shape[:4]
    for what, titles, number in (("row", row_titles, num_rows), ("column", column_titles, num_columns)):
        if titles is not None and len(titles) != number:
            raise ValueError(f"{len(titles)} {what} titles for {number} {what}s")
    # One font size for all titles: the largest at which every column title fits, but not below the smallest readable.
    for size in range(max(_SMALLEST_FONT, min(32, min(height, width) // 8)), _SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size=size)
        if all(_text_width(title, font) <= width for title in column_titles or []):
            break
    top = 0 if column_titles is None else sum(font.getmetrics()) + gap
    left = 0 if row_titles is None else max(_text_width(title, font) for title in row_titles) + gap
    ys = [top + row * (height + gap) for row in range(num_rows)]
    xs = [left + column * (width + gap) for column in range(num_columns)]
    canvas = np.full([ys[-1] + height, xs[-1] + width, 3], 255, np.uint8)
    for y, row in zip(ys, rows):
        for x, image in zip(xs, row):
            canvas[y:y + height, x:x + width] = image
    for x, title in zip(xs, column_titles or []):
        canvas[:top - gap, x:x + width] = _draw_text(title, font, top - gap, width)
    for y, title in zip(ys, row_titles or []):
        canvas[y:y + height, :left - gap] = _draw_text(title, font, height, left - gap)
    return canvas


def _text_width(title, font):
    return max(1, int(np.ceil(font.getbbox(title, anchor="la")[2])))


def _draw_text(title, font, height, width):
    if _text_width(title, font) > width:
        shortened = [title[:length] + ".." for length in range(len(title) - 1, 0, -1)]  # the font has no ellipsis
        title = next((text for text in shortened if _text_width(text, font) <= width), title)
    canvas = Image.new("L", (width, height), 255)  # a canvas of its own, so that titles never overlap
    x = max(0, (width - _text_width(title, font)) // 2)
    ImageDraw.Draw(canvas).text((x, (height - sum(font.getmetrics())) // 2), title, fill=0, font=font, anchor="la")
    return np.asarray(canvas)[..., np.newaxis]
