"""Decodes image files in a graph, for the signatures of exports that take the bytes of files."""
import tensorflow as tf

FORMATS = "JPEG, PNG, GIF or BMP (GIF and palettes of less than 8 bits without transparency)"
_HEADER = 2 ** 16  # bytes of a JPEG in which its EXIF data are looked for
# Of the orientation: its number, type and count; the value follows. In both byte orders.
_EXIF_TAG = (b"\x12\x01\x03\x00\x01\x00\x00\x00", b"\x01\x12\x00\x03\x00\x00\x00\x01\x00")


def decode(file):
    """The image in a file as `core.images.read_image` reads it: uint8 [height, width, 3].

    `file`: scalar string, the bytes of a JPEG, PNG, GIF or BMP file. Transparent pixels are shown over white, a JPEG is
    turned upright by its EXIF data (a PNG is not), of several frames the first is taken. What TensorFlow would decode
    wrongly ends the run of the graph with an error that says so: GIFs that may have transparent pixels, as animated
    ones often do, PNGs of fewer than 8 bits that have them, and BMPs of 1, 4 or 16 bits a pixel. There are only
    operations of TensorFlow in it, so that TensorFlow Serving can run it.
    """
    start = tf.strings.substr(file, 0, tf.minimum(tf.strings.length(file), 4))
    image = tf.case([(tf.equal(start, b"\x89PNG"), lambda: _png(file)), (tf.equal(start, b"GIF8"), lambda: _gif(file)),
                     (tf.strings.regex_full_match(start, r"BM\C*"), lambda: _bmp(file))], default=lambda: _jpeg(file))
    return tf.ensure_shape(image, [None, None, 3])


def _png(file):
    # Colour types 4 and 6 have alpha, the others a transparent colour if there is a chunk tRNS.
    depth, colour_type = (_number(file, offset, 1) for offset in (24, 25))
    raw = tf.io.decode_raw(file, tf.uint8)
    has_alpha = (colour_type >= 4) | tf.reduce_any(_starts(raw, b"tRNS"))
    check = tf.debugging.Assert((depth >= 8) | ~has_alpha, [
        "a PNG with transparent pixels and", depth, "bits a value cannot be decoded here: 8 bits can"])

    def over_white():
        image = tf.cast(tf.io.decode_png(file, channels=4), tf.int32)
        colour, alpha = image[..., :3], image[..., 3:]
        return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    def deep_grey():
        image = tf.cast(tf.io.decode_png(file, channels=1, dtype=tf.uint16), tf.int32)
        return tf.repeat(tf.cast((image + 128) // 257, tf.uint8), 3, axis=-1)

    with tf.control_dependencies([check]):  # with 4 channels, TensorFlow reads fewer than 8 bits wrongly
        return tf.case([(has_alpha, over_white), ((depth == 16) & (colour_type == 0), deep_grey)],
                       default=lambda: tf.io.decode_png(file, channels=3))


def _starts(raw, pattern):
    """Whether the bytes of `pattern` start at each position of `raw`, uint8 [n]: bool [n - len(pattern) + 1]."""
    num = tf.shape(raw)[0] - len(pattern) + 1
    return tf.reduce_all([raw[i:i + num] == byte for i, byte in enumerate(pattern)], axis=0)


def _number(file, offset, size):
    """The little-endian number, int32, of `size` bytes at `offset`."""
    part = tf.cast(tf.io.decode_raw(tf.strings.substr(file, offset, size), tf.uint8), tf.int32)
    return tf.reduce_sum(part * 256 ** tf.range(size))


def _gif(file):
    # The fourth byte of a graphic control extension, 21 F9 04, has in its last bit whether a colour is transparent.
    # Only that of the first frame counts.
    raw = tf.io.decode_raw(file, tf.uint8)
    extensions = tf.where(_starts(raw[:-1], b"\x21\xf9\x04"))[:, 0]
    transparent = tf.gather(raw, extensions[:1] + 3) % 2 == 1
    check = tf.debugging.Assert(~tf.reduce_any(transparent),
                                ["a GIF with transparent pixels cannot be decoded here: PNG can"])
    with tf.control_dependencies([check]):
        return tf.io.decode_image(file, channels=3, expand_animations=False)


def _bmp(file):
    bits, compression, header = (_number(file, *place) for place in ((28, 2), (30, 4), (14, 4)))
    possible = ((bits == 8) & (compression == 0)) | (bits == 24) | (bits == 32)
    check = tf.debugging.Assert(possible, ["a BMP of", bits, "bits a pixel, compression", compression,
                                           "cannot be decoded here: 8, 24 and 32 bits without compression can"])

    def with_palette():
        num = _number(file, 46, 4)
        num = tf.where(num == 0, 256, num)
        palette = tf.io.decode_raw(tf.strings.substr(file, 14 + header, 4 * num), tf.uint8)
        palette = tf.reshape(palette, [num, 4])[:, 2::-1]  # stored as blue, green, red, unused
        return tf.gather(palette, tf.cast(tf.io.decode_bmp(file)[..., 0], tf.int32))

    with tf.control_dependencies([check]):
        return tf.cond(bits == 8, with_palette, lambda: tf.io.decode_image(file, channels=3, expand_animations=False))


def _jpeg(file):
    # As Pillow decodes it, where it is one; the other operation says of what is no image that it is none.
    image = tf.cond(tf.io.is_jpeg(file), lambda: tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE"),
                    lambda: tf.io.decode_image(file, channels=3, expand_animations=False))
    image = tf.ensure_shape(image, [None, None, 3])
    turn = _orientation(file)
    image = tf.cond(turn >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(tf.reduce_any(turn == tf.constant([3, 4, 7, 8])), lambda: image[::-1], lambda: image)
    return tf.cond(tf.reduce_any(turn == tf.constant([2, 3, 6, 7])), lambda: image[:, ::-1], lambda: image)


def _orientation(file):
    """EXIF's orientation, int32 from 1 to 8: the value of tag 0x0112 in either byte order; 1 if there is none."""
    head = tf.strings.substr(file, 0, tf.minimum(tf.strings.length(file), _HEADER))
    # Padded, so that a file may be shorter than a tag.
    raw = tf.concat([tf.io.decode_raw(head, tf.uint8), tf.zeros([16], tf.uint8)], axis=0)
    values = [tf.boolean_mask(raw[len(tag):], _starts(raw[:-1], tag)) for tag in _EXIF_TAG]
    values = tf.cast(tf.concat(values, axis=0), tf.int32)
    # The tags of the image itself come first, those of its thumbnail after them.
    has_exif = tf.strings.regex_full_match(tf.strings.substr(head, 0, tf.minimum(tf.strings.length(head), 64)),
                                           r"\C*Exif\C*")
    valid = tf.boolean_mask(values, (values >= 1) & (values <= 8) & has_exif)
    return tf.concat([valid, [1]], axis=0)[0]
