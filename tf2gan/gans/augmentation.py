"""Random changes through which a discriminator sees all images, so that it cannot learn the few real ones by heart.

The changes are differentiable, so that the generator learns through them: DiffAugment (Zhao et al. 2020, arXiv
2006.10738) makes all of them always, ADA (Karras et al. 2020, arXiv 2006.06676) each with a probability that follows
how much the discriminator learns by heart.

Images are float32 [n, height, width, channels] in [-1, 1], of 1 or 3 channels; changed ones may leave that range. All
random numbers come from `draw`, which is `GAN.draw`: they depend on the step and the example, not on the replica.
"""
import math

import tensorflow as tf

from tf2gan.networks import layers

ADAPTED_EVERY = 4  # steps between two changes of ADA's probability (sec. 3.1)


class DiffAugment(tf.Module):
    """Changes of the named kinds, in their order in `KINDS`, each drawn anew for every image and use."""

    def __init__(self, kinds, draw):
        super().__init__(name="augmentation")
        self._kinds, self._draw = [kind for kind in KINDS if kind in kinds], draw

    def __call__(self, images, purpose):
        """`purpose`: of the random numbers; real and generated images have different ones."""
        for kind in self._kinds:
            images = KINDS[kind](images, self._draw, f"{purpose}_{kind}")
        return images


def color(images, draw, purpose):
    """Brightness +-0.5 (added), saturation times 0 to 2, contrast times 0.5 to 1.5."""
    dice = draw("uniform", [images.shape[0], 3], purpose)[:, None, None, None]
    images += dice[..., 0] - 0.5
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + 2.0 * dice[..., 1] * (images - grey)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (dice[..., 2] + 0.5) * (images - mean)


def translation(images, draw, purpose):
    """Shifts by up to an eighth of the size; what comes into sight is 0."""
    num, *sizes = images.shape[:3]
    most = tuple(size // 8 for size in sizes)
    room = tf.constant([2 * n + 1 for n in most], tf.float32)
    offsets = tf.cast(tf.transpose(draw("uniform", [num, 2], purpose) * room), tf.int32)
    return layers.shifted(images, most, offsets, mode="CONSTANT")


def cutout(images, draw, purpose):
    """Sets a rectangle of half the height and width to 0; its middle is anywhere in the image."""
    num, height, width = images.shape[:3]
    dice = draw("uniform", [num, 2], purpose)
    rows, columns = (_within(tf.floor(dice[:, i, None] * (size + 1.0)), size) for i, size in enumerate((height, width)))
    outside = 1.0 - rows[:, :, None] * columns[:, None, :]
    return images * outside[..., None]


def _within(middle, size):
    """1 for the places of `size` ones that are in the half around `middle` [n, 1], else 0: float32 [n, size]."""
    distance = tf.range(size, dtype=tf.float32) - middle
    return tf.cast((distance >= -(size // 4)) & (distance < size // 2 - size // 4), tf.float32)


def of(config, draw):
    """What a config's `augment` names, drawing its random numbers from `draw`; None if it is off."""
    if config.augment == "ada":
        return Adaptive(draw, config.ada_target, config.ada_images)
    return None if config.augment is None else DiffAugment(config.kinds, draw)


KINDS = {"color": color, "translation": translation, "cutout": cutout}


class Adaptive(tf.Module):
    """ADA: geometric and colour changes, each made with probability `p`, which is adapted to the discriminator.

    `p` moves by a fixed step, up if the mean of sign(D(x)) over real images is above `target`, else down. The step is
    such that p goes from 0 to 1 in `images_to_one` real images (sec. 3.1). Its variables are p, and what was seen since
    p last moved; they are in the checkpoint.
    """

    def __init__(self, draw, target, images_to_one):
        super().__init__(name="augmentation")
        self._draw, self._target, self._images_to_one = draw, target, images_to_one
        self.p = tf.Variable(0.0, trainable=False, name="augment_p")
        # Sums of whole numbers, which are exact: the mean of a part of them would depend on the number of replicas.
        self._signs, self._judged = (
            tf.Variable(0.0, trainable=False, name=f"augment_{name}", aggregation=tf.VariableAggregation.SUM)
            for name in ("signs", "judged"))
        self._steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="augment_steps")

    def __call__(self, images, purpose):
        """`purpose`: of the random numbers; real and generated images have different ones."""
        return adaptable(images, tf.convert_to_tensor(self.p), self._draw, purpose)

    def observe(self, signs, judged):
        """Adds this replica's sum of sign(D(x)), x being real, and the number of logits; in replica context."""
        self._signs.assign_add(signs)
        self._judged.assign_add(tf.cast(judged, tf.float32))

    def adapt(self, num_images):
        """Called after each step, outside of replicas; `num_images`: real images of the step."""
        self._steps.assign_add(1)
        due = tf.equal(self._steps % ADAPTED_EVERY, 0)
        step = tf.cast(num_images * ADAPTED_EVERY, tf.float32) / self._images_to_one
        signs, judged = (tf.cast(tf.convert_to_tensor(sum_), tf.float64) for sum_ in (self._signs, self._judged))
        moved = self.p + step * tf.cast(tf.sign(signs - self._target * judged), tf.float32)
        self.p.assign(tf.where(due, tf.clip_by_value(moved, 0.0, 1.0), self.p))
        for sum_ in (self._signs, self._judged):
            sum_.assign(tf.where(due, 0.0, sum_))


def adaptable(images, p, draw, purpose):
    """The changes of ADA's configuration "bgc", each made with probability p (Karras et al. 2020, app. B).

    With p = 0 images stay as they are, to the last bit. Values between pixels are interpolated bilinearly, and edges
    are mirrored; the paper also filters by wavelets.
    """
    num, height, width, channels = images.shape
    dice = _Dice(draw, num, p, purpose)
    images = resampled(images, _geometry(dice, tf.constant([width, height], tf.float32)))
    transform = _colors(dice, channels)
    if channels == 1:  # its red, green and blue are equal
        transform = tf.reduce_mean(transform[:, :3], axis=1)
        return images * tf.reduce_sum(transform[:, :3], axis=1)[:, None, None, None] + transform[:, 3, None, None, None]
    return tf.einsum("nhwc,ndc->nhwd", images, transform[:, :3, :3]) + transform[:, None, None, :3, 3]


class _Dice:
    """Columns of random numbers, one for each of `num` images, and the decisions with probability `p`."""

    def __init__(self, draw, num, p, purpose):
        self.p = p
        self._uniform = iter(tf.unstack(draw("uniform", [num, 21], f"{purpose}_uniform"), axis=1))
        self._normal = iter(tf.unstack(draw("normal", [num, 7], f"{purpose}_normal"), axis=1))

    def uniform(self, low=0.0, high=1.0):
        return low + (high - low) * next(self._uniform)

    def one_of(self, num):
        """0, 1, ... num - 1, all equally likely."""
        return tf.floor(num * next(self._uniform))

    def normal(self, deviation):
        return deviation * next(self._normal)

    def scale(self, deviation):
        """2^x, x from N(0, deviation^2)."""
        return tf.exp(math.log(2.0) * self.normal(deviation))

    def maybe(self, value, otherwise=0.0, p=None):
        """`value` with probability p, else what changes nothing."""
        return tf.where(next(self._uniform) < (self.p if p is None else p), value, otherwise)


def _geometry(dice, sizes):
    """[num, 3, 3]: from places of the output to places of the input, (x, y, 1) in pixels from the middle.

    Each change is as likely as its inverse. So the inverses, which are needed, are drawn in the place of the changes.
    """
    flip = dice.maybe(dice.one_of(2))
    quarters = math.pi / 2 * dice.maybe(dice.one_of(4))
    places = _scaling(1.0 - 2.0 * flip, 1.0) @ _matrix([
        [tf.round(tf.cos(quarters)), -tf.round(tf.sin(quarters)), 0.0],
        [tf.round(tf.sin(quarters)), tf.round(tf.cos(quarters)), 0.0], [0.0, 0.0, 1.0]])
    by = dice.maybe(tf.stack([dice.uniform(-1.0, 1.0), dice.uniform(-1.0, 1.0)]))
    places @= _shift(tf.round(by * sizes[:, None] / 8.0))
    scale = dice.maybe(dice.scale(0.2), 1.0)
    # Two rotations: at least one is made with probability p.
    once = 1.0 - tf.sqrt(1.0 - dice.p)
    places @= _scaling(scale, scale) @ _rotation(dice.maybe(dice.uniform(-math.pi, math.pi), p=once))
    wider = dice.maybe(dice.scale(0.2), 1.0)
    places @= _scaling(wider, 1.0 / wider) @ _rotation(dice.maybe(dice.uniform(-math.pi, math.pi), p=once))
    by = dice.maybe(tf.stack([dice.normal(0.125), dice.normal(0.125)]))
    return places @ _shift(by * sizes[:, None])


def _colors(dice, channels):
    """[num, 4, 4]: (red, green, blue, 1) to those of the changed image."""
    grey = tf.ones([3, 3]) / 3.0  # onto the axis on which red, green and blue are equal
    identity = tf.eye(3)
    brightness = dice.maybe(dice.normal(0.2))
    contrast = dice.maybe(dice.scale(0.5), 1.0)[:, None, None]
    inverted = dice.maybe(dice.one_of(2))[:, None, None]
    linear = (identity - 2.0 * inverted * grey) @ (contrast * identity)
    if channels == 3:
        angle = dice.maybe(dice.uniform(-math.pi, math.pi))[:, None, None]
        across = tf.constant([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], tf.float32) / math.sqrt(3.0)
        hue = identity + tf.sin(angle) * across + (1.0 - tf.cos(angle)) * (grey - identity)
        saturation = identity + (dice.maybe(dice.scale(1.0), 1.0)[:, None, None] - 1.0) * (identity - grey)
        # Brightness and contrast come first; they change what luma flips turn over.
        linear = saturation @ hue @ linear
    offset = tf.linalg.matvec(linear, tf.repeat(brightness[:, None], 3, axis=1))
    top = tf.concat([linear, offset[:, :, None]], axis=2)
    return tf.concat([top, tf.tile(tf.constant([[[0.0, 0.0, 0.0, 1.0]]]), [top.shape[0], 1, 1])], axis=1)


def _matrix(rows):
    """[num, n, n] of rows of numbers and of tensors [num]."""
    num = next(entry.shape[0] for row in rows for entry in row if tf.is_tensor(entry))
    return tf.stack([tf.stack([tf.broadcast_to(entry, [num]) for entry in row], axis=-1) for row in rows], axis=1)


def _scaling(x, y):
    return _matrix([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])


def _shift(by):
    return _matrix([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]], [0.0, 0.0, 1.0]])


def _rotation(angle):
    sin, cos = tf.sin(angle), tf.cos(angle)
    return _matrix([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def resampled(images, places):
    """Images whose pixel at (x, y, 1), in pixels from the middle, is the given image's value at `places` @ (x, y, 1).

    `places`: float32 [n, 3, 3]. Between pixels, values are interpolated bilinearly; edges are mirrored.
    """
    num, height, width, channels = images.shape
    columns, rows = tf.meshgrid(tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32))
    middle = tf.constant([(width - 1) / 2, (height - 1) / 2], tf.float32)
    points = tf.stack([tf.reshape(columns, [-1]) - middle[0], tf.reshape(rows, [-1]) - middle[1],
                       tf.ones([height * width])])
    x, y = (_mirrored((places @ points)[:, i] + middle[i], size) for i, size in enumerate((width, height)))
    pixels, value = tf.reshape(images, [num, height * width, channels]), 0.0
    for at_y, weight_y in _neighbors(y, height):
        for at_x, weight_x in _neighbors(x, width):
            value += tf.gather(pixels, at_y * width + at_x, batch_dims=1) * (weight_y * weight_x)[..., None]
    return tf.reshape(value, images.shape)


def _mirrored(position, size):
    """Positions brought into [0, size - 1] by mirroring at both ends."""
    period = 2.0 * max(size - 1, 1)
    position = tf.math.floormod(position, period)
    return tf.minimum(position, period - position)


def _neighbors(position, size):
    """[(index of a pixel, its weight)] for the two pixels around a position."""
    low = tf.floor(position)
    first = tf.cast(low, tf.int32)
    return (first, 1.0 - (position - low)), (tf.minimum(first + 1, size - 1), position - low)
