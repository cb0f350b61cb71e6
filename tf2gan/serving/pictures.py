"""What a picture costs to decode, told from its bytes without decoding it."""
import io
import struct

from PIL import Image

from tf2gan.serving.errors import RequestError

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # that signatures for files decode
_MOST_SCANS = 100  # of a JPEG: a progressive one has about 10, and each is decoded over the whole picture
Image.preinit()  # before it, Pillow knows no format


def pixels(name, content) -> int:
    """Pixels that decoding a file takes, of all its frames. Raises RequestError for what is no picture.

    `name`: of the input, for messages.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            width, height, kind = picture.width, picture.height, picture.format
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"{name}: is a picture of too many pixels") from error
    except Exception as error:  # Pillow raises what it meets in a damaged file
        raise RequestError(400, f"{name}: is no picture that can be read; possible: JPEG, PNG, GIF, BMP") from error
    if kind in ("JPEG", "MPO") and content.count(b"\xff\xda") > _MOST_SCANS:
        raise RequestError(413, f"{name}: is a JPEG of more than {_MOST_SCANS} scans")
    if kind != "GIF":
        return width * height
    try:
        sizes = [(width, height), *_gif_frames(content)]
    except (IndexError, struct.error) as error:
        raise RequestError(400, f"{name}: is a GIF that is cut short") from error
    # TensorFlow decodes all frames, in a picture as large as the largest.
    return max(size[0] for size in sizes) * max(size[1] for size in sizes) * max(1, len(sizes) - 1)


def _gif_frames(content):
    """(width, height) up to which each frame of a GIF reaches (GIF89a, sections 18 to 20)."""
    def after_table(position, flags):
        return position + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)

    def after_blocks(position):
        while content[position]:
            position += content[position] + 1
        return position + 1

    position = after_table(13, content[10])
    while True:
        kind = content[position]
        if kind == 0x21:  # an extension
            position = after_blocks(position + 2)
        elif kind == 0x2C:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", content, position + 1)
            yield left + width, top + height
            position = after_blocks(after_table(position + 10, flags) + 1)
        else:  # the trailer; decoders stop at anything else, too
            return
