"""Writes frames in memory as animated GIF or WebP files. Needs no TensorFlow."""
import io
import math
import pathlib
import struct

import numpy as np
from PIL import Image

from tf2gan.core import files
from tf2gan.core.errors import UserError, printable, unknown

SUFFIXES = (".gif", ".webp")
FASTEST = 50  # frames per second; browsers show faster GIFs at 10
SLOWEST = 0.1
_UNIT = {".gif": 10, ".webp": 1}  # ms; a frame's duration is a multiple of this


def delay(fps, suffix):
    """The duration of a frame in ms, int: the nearest to `fps` frames per second that this format can store.

    GIF stores multiples of 10 ms, WebP of 1 ms. Raises UserError for an unknown suffix, and for fps outside
    [SLOWEST, FASTEST].
    """
    if suffix.lower() not in SUFFIXES:
        raise unknown("suffix of an animation", suffix, SUFFIXES)
    if not (math.isfinite(fps) and SLOWEST <= fps <= FASTEST):
        raise UserError(f"{fps:g} frames a second: must be from {SLOWEST:g} to {FASTEST}")
    unit = _UNIT[suffix.lower()]
    return round(1000 / fps / unit) * unit


def encode(frames, suffix, milliseconds):
    """Encodes frames uint8 [num, height, width, 1 or 3] as an animation that loops forever. Returns bytes.

    WebP is lossless. GIF is exact for grey frames, also with three channels, and for frames of at most 256 colours; any
    other frame is reduced to its own best 256. Equal consecutive frames become one that lasts longer. `milliseconds`:
    duration of each frame, see `delay`. Raises ValueError for another type or shape; UserError for an unknown suffix,
    and for what the format cannot hold.
    """
    if suffix.lower() not in SUFFIXES:
        raise unknown("suffix of an animation", suffix, SUFFIXES)
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] not in (1, 3) or not frames.size:
        raise ValueError(f"frames are uint8 [num, height, width, 1 or 3]; these are {frames.dtype} {frames.shape}")
    if np.array_equal(frames[..., :1], frames[..., -1:]) and np.array_equal(frames[..., :1], frames[..., 1:2]):
        frames = frames[..., :1]
    pictures = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
    if suffix.lower() == ".gif":
        # With optimize=True, Pillow turned a frame of a single grey value black.
        chosen = {"format": "GIF", "optimize": False}
        pictures = [_with_palette(picture) for picture in pictures]
    else:
        chosen = {"format": "WEBP", "lossless": True}
    buffer = io.BytesIO()
    try:
        pictures[0].save(buffer, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, **chosen)
    except (OSError, ValueError, OverflowError, RuntimeError, struct.error) as error:
        raise UserError(f"cannot write {pictures[0].width} x {pictures[0].height} pixels as {suffix}: "
                        f"{' '.join(str(error).split())}") from error
    return buffer.getvalue()


def write(path, frames, milliseconds):
    """Encodes frames in the format of `path`'s suffix and writes them atomically. Creates folders as needed.

    Raises as `encode`, and UserError if the file cannot be written.
    """
    path = pathlib.Path(path)
    encoded = encode(frames, path.suffix, milliseconds)
    try:
        files.write_atomically(path, encoded, durable=False)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error


def _with_palette(picture):
    """Keeps grey pictures, which GIF stores with a grey palette; gives a colour picture a palette of its own.

    Measured on photographs that fade into each other: one palette for all frames has 2.5 times the error, which also
    changes 2.5 times as much from frame to frame. Dithering increases both, and visibly crawls.
    """
    return picture if picture.mode == "L" else picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
