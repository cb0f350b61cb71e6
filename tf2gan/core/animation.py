"""Animated GIF and WebP files of frames in memory. Needs no TensorFlow."""
import io
import math
import pathlib
import struct

import numpy as np
from PIL import Image

from tf2gan.core import files
from tf2gan.core.errors import UserError, printable, unknown

SUFFIXES = (".gif", ".webp")
FASTEST = 50  # frames a second; what a GIF has above that, browsers show at 10
SLOWEST = 0.1
_UNIT = {".gif": 10, ".webp": 1}  # ms, of which a frame's time is a multiple


def delay(fps, suffix):
    """The time of a frame in ms, an int, nearest to `fps` frames a second that a file of this suffix can say.

    GIF counts in 10 ms, WebP in 1 ms. Raises UserError for an unknown suffix, and for fps that are not from SLOWEST to
    FASTEST.
    """
    if suffix.lower() not in SUFFIXES:
        raise unknown("suffix of an animation", suffix, SUFFIXES)
    if not (math.isfinite(fps) and SLOWEST <= fps <= FASTEST):
        raise UserError(f"{fps:g} frames a second: must be from {SLOWEST:g} to {FASTEST}")
    unit = _UNIT[suffix.lower()]
    return round(1000 / fps / unit) * unit


def encode(frames, suffix, milliseconds):
    """Frames uint8 [num, height, width, 1 or 3] as the bytes of an animation that runs for ever.

    WebP is lossless. GIF is exact for frames that are grey, also in three channels, and for all colours of a frame if
    they are at most 256; of more it keeps the 256 best for each frame. A frame that equals the one before it makes that
    one last longer. `milliseconds`: of each frame, see `delay`. Raises ValueError for frames of another kind; UserError
    for an unknown suffix, and for what the format cannot hold.
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
        # With what Pillow calls optimizing, a frame of a single grey came out black.
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
    """Writes what `encode` makes to `path`, in the format of its suffix, folders made as needed, whole or not at all.

    Raises as `encode`, and UserError if it cannot be written.
    """
    path = pathlib.Path(path)
    encoded = encode(frames, path.suffix, milliseconds)
    try:
        files.write_atomically(path, encoded, durable=False)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error


def _with_palette(picture):
    """Grey as it is, which GIF writes with a palette of the greys; colours by a palette of this frame's own.

    Measured on photographs that fade into each other, a palette for all frames has two and a half times the error, and
    its error changes as much more from frame to frame; dithering adds to both, and is seen to crawl.
    """
    return picture if picture.mode == "L" else picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
