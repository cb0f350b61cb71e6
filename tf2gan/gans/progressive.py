"""Progressive GAN: grows from 4x4 pixels, one resolution after the other (Karras et al. 2017, arXiv 1710.10196).

What is large is learnt while images are small and steps are fast, and details later. Each new resolution, a level, is
first faded in, while images go from those of the level below, doubled, to the new ones:

    image = (1 - alpha) * doubled(old image) + alpha * new image,   alpha = images of this level so far / fade images

The discriminator's input side blends in the same way, and so do the real images that it is shown. Then the level is
trained as it is, until the next. The loss is that of WGAN-GP, with one update of each player in turn, and a drift term:

    discriminator:  min  mean(D(G(z))) - mean(D(x)) + 10 mean((|grad D(x^)| - 1)^2) + 0.001 mean(D(x)^2)
    generator:      min  -mean(D(G(z)))
"""
import dataclasses
import re
from typing import Literal, Optional

import tensorflow as tf

from tf2gan.errors import UserError
from tf2gan.gans import noise_options
from tf2gan.gans.noise_to_image import NoiseToImage, mean_logs
from tf2gan.networks import progressive
from tf2gan.networks.progressive import ProgressiveDiscriminator, ProgressiveGenerator


@dataclasses.dataclass(frozen=True)
class Config(noise_options.Config):
    """Options of Progressive GAN."""

    dataset: str = "mnist@32"  # a tensorflow-datasets name, a built-in set, or a folder of images or of class folders
    images: Optional[int] = 19_000_000  # length of the whole training; give one of steps, images, epochs
    batch_size: int = 16  # images that the generator makes in its update, over all replicas together
    batch_sizes: Optional[str] = "256:14,512:6,1024:3"  # RESOLUTION:BATCH_SIZE of resolutions with another one
    fade_images: str = "800000"  # real images to fade a resolution in: one number, or RESOLUTION:NUMBER,..., or both
    stable_images: str = "800000"  # and to train it after that, before the next one; the last is trained to the end
    latent_size: int = 512  # numbers that an image is made from
    feature_base: int = 8192  # channels of a resolution's maps: 2 feature_base / resolution ...
    feature_max: int = 512  # ... and no more than this
    group_size: int = 4  # images over which the discriminator is told how much a batch varies
    loss: Literal["minimax", "non-saturating", "least-squares", "wasserstein", "hinge"] = "wasserstein"  # of both
    penalty: Optional[Literal["wgan-gp", "wgan-gp-one-sided", "dragan", "r1"]] = "wgan-gp"  # on the critic's gradient
    drift_weight: float = 0.001  # of the mean square of the logits of real images, which keeps a critic's near 0
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator
    beta_1: float = 0.0  # of Adam
    beta_2: float = 0.99  # of Adam

    @property
    def size_rule(self):
        return progressive.START, progressive.START

    @property
    def num_levels(self):
        """Resolutions from 4x4 to `image_size`."""
        return progressive.num_levels(self.image_shape[0])

    def check(self):
        super().check()
        for name in ("feature_base", "feature_max", "group_size"):
            self.check_range(name, 1)
        if self.image_size is None:
            return
        size = self.image_shape[0]
        if size & (size - 1):
            raise UserError(f"--image-size {size}: growing doubles 4x4 pixels; possible: {self._possible_sizes(size)}; "
                            "images are resized to it, or padded with black by --dataset NAME@SIZE")
        for level in range(self.num_levels):
            self.of_level(level)
            self.fade_of(level)
        self.changes()

    def _possible_sizes(self, near=None):
        below = 2 ** max(2, (near or 0).bit_length() - 1)
        return "powers of two from 4 on" + (f", the nearest: {below} and {2 * below}" if near else "")

    # The schedule.

    def of_level(self, level):
        """This config with the batch size and the image size of a level."""
        size = progressive.START * 2 ** level
        batch_size = self._by_resolution("batch_sizes", 1).get(size, self.batch_size)
        if self.half_batches and batch_size % 2:
            raise UserError(f"--batch-sizes {size}:{batch_size}: must be even for --half-batches")
        return dataclasses.replace(self, batch_size=batch_size, image_size=str(size))

    def fade_of(self, level):
        """Images over which a level is faded in."""
        return self._of("fade_images", level) if level else 0

    def length_of(self, level):
        """Images of a level that is not the last, whole steps."""
        size = self.of_level(level).images_per_step
        return max(1, -(-(self.fade_of(level) + self._of("stable_images", level)) // size)) * size

    def changes(self):
        starts = [0]
        for level in range(self.num_levels - 1):
            starts.append(starts[-1] + self.length_of(level))
        return starts

    def at(self, images_seen):
        return dataclasses.replace(self, batch_size=self.of_level(self.level_at(images_seen)).batch_size)

    def grown(self, images_seen):
        last = self.num_levels - 1
        return images_seen >= self.changes()[last] + self.fade_of(last)

    def plan(self, total_images):
        sizes = [self.of_level(level).image_shape[0] for level in range(self.num_levels)]
        grown = [f"{size}x{size} from {start} on" + (f", faded in until {start + self.fade_of(level)}" if level else "")
                 for level, (size, start) in enumerate(zip(sizes, self.changes()))]
        last = self.level_at(max(0, total_images - 1))
        early = f"; ends with {total_images}, at {sizes[last]}x{sizes[last]}" if last < self.num_levels - 1 else ""
        return f"{'; '.join(grown)}{early}"

    def level_at(self, images_seen):
        """The level that the step after so many images trains."""
        return sum(start <= images_seen for start in self.changes()) - 1

    def _of(self, field, level):
        size, values = progressive.START * 2 ** level, self._by_resolution(field, 0)
        if size not in values and None not in values:
            raise UserError(f"--{field.replace('_', '-')} {getattr(self, field)}: says nothing of {size}; needed: a "
                            f"number for it ({size}:NUMBER), or one for all others (NUMBER)")
        return values.get(size, values.get(None))

    def _by_resolution(self, field, least):
        """{resolution: number} of an option, None for all others."""
        text, found = getattr(self, field), {}
        for part in (text or "").split(",") if text else ():
            match = re.fullmatch(r"(?:([0-9]+):)?([0-9]+(?:_[0-9]+)*)", part.strip())
            size = match and match[1] and int(match[1])
            no_size = size is not None and (size < progressive.START or size & (size - 1))
            if (match is None or int(match[2]) < least or size in found or no_size
                    or (size is None and field == "batch_sizes")):
                plain = "" if field == "batch_sizes" else "NUMBER for all, "
                raise UserError(f"--{field.replace('_', '-')} {text}: {part.strip()!r} is not possible; needed: {plain}"
                                f"RESOLUTION:NUMBER with commas between, each resolution once and a power of two from "
                                f"{progressive.START} on, each number at least {least}")
            found[size] = int(match[2])
        return found


class ProGAN(NoiseToImage):
    """Both networks have all levels from the start; `phase` says how many of them a step uses."""

    Config = Config
    presets = {"progan": Config(),
               # The paper's numbers, above, are for days on GPUs; these are for an hour or two on two cores.
               "progan-mnist": Config(images=400_000, fade_images="20000", stable_images="20000", latent_size=64,
                                      feature_base=512, feature_max=64),
               # Those of the authors' published configuration.
               "progan-cifar10": Config(dataset="cifar10", images=20_000_000, fade_images="400000",
                                        stable_images="400000", latent_size=128, feature_base=4096, feature_max=128,
                                        penalty_target=750.0)}
    preset_options = {name: {"num_samples": 25} for name in presets}

    def __init__(self, config, total_images=None):
        config.check()
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for level in range(config.num_levels):
            at = config.of_level(level)
            num = at.real_batch_size // replicas
            if num > 1 and config.group_size > 1 and all(num % size for size in range(2, config.group_size + 1)):
                raise UserError(f"{num} images of {at.image_size}x{at.image_size} in a batch on a replica: cannot be "
                                f"cut into equal groups of 2 to {config.group_size}, by which the discriminator is "
                                "told how much they differ; possible: --batch-size, --batch-sizes of other numbers, or "
                                "--group-size 1, which does without")
        super().__init__(config, total_images)

    def make_generator(self, name):
        config = self.config
        return ProgressiveGenerator(self.image_shape[0], config.channels, config.feature_base, config.feature_max,
                                    config.generator_dropout, name)

    def make_discriminator(self):
        config = self.config
        return ProgressiveDiscriminator(self.image_shape[0], config.feature_base, config.feature_max, config.group_size,
                                        config.discriminator_dropout)

    # Growing. A condition of the networks is (level, alpha).

    def phase(self):
        return {**super().phase(), "level": self.config.level_at(int(self.images_seen.numpy()))}

    def phase_end(self):
        seen = int(self.images_seen.numpy())
        ends = [end for end in (super().phase_end(), *self.config.changes()) if end is not None and end > seen]
        return min(ends, default=None)

    def begin_phase(self):
        """At the start of a level the optimizers forget: they have seen nothing of its new variables."""
        if int(self.images_seen.numpy()) not in self.config.changes():
            return
        for optimizer, _ in self.optimizers:
            for variable in optimizer.variables:
                if "learning_rate" not in variable.name:
                    variable.assign(tf.zeros_like(variable))

    def alpha(self, level):
        """How far a level is faded in, float32 [] from 0 to 1, a function of the images seen."""
        fade = self.config.fade_of(level)
        if not fade:
            return tf.ones([])
        seen = self.images_seen - self.config.changes()[level]
        return tf.clip_by_value(tf.cast(seen, tf.float32) / float(fade), 0.0, 1.0)

    def stage(self, level, alpha):
        return self.config.of_level(level)

    def trained_by(self, network, level, alpha):
        return network.level_variables(level)

    def twice(self, *condition):
        return condition

    def real_images(self, images, level, alpha):
        """Images [n, *image_shape] as those of a level, as far as it is faded in."""
        for _ in range(self.config.num_levels - 1 - level):
            images = progressive.halved(images)
        if level == 0:
            return images
        return progressive.blended(progressive.doubled(progressive.halved(images)), images, alpha)

    def train_step(self, *batches, pretraining=False, level=None):
        """As the first GAN's, with images and networks of one level; None is the last."""
        level = self.config.num_levels - 1 if level is None else level
        condition = level, self.alpha(level)
        logs = mean_logs([self.update_discriminator(self.real_images(batch["images"], *condition), *condition, number=i)
                          for i, batch in enumerate(batches)])
        logs["resolution"], logs["alpha"] = tf.constant(float(progressive.START * 2 ** level)), condition[1]
        return logs if pretraining else {**logs, **self.update_generator(*condition)}

    def generate(self, latents):
        """Images [batch, *image_shape] about [-1, 1], of the level that training has come to, enlarged to full size."""
        with tf.init_scope():  # also where this is called to make a graph, which then is one of this level
            seen = int(self.images_seen.numpy())
        level = self.config.level_at(max(0, seen - 1))  # that of the last step: the next level has not begun to learn
        fading = seen < self.config.changes()[level] + self.config.fade_of(level)
        images = self.average(latents, level, self.alpha(level) if fading else None, training=False)
        for _ in range(self.config.num_levels - 1 - level):
            images = progressive.doubled(images)
        return images
