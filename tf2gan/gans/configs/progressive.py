"""Options and presets of Progressive GAN, and its schedule: which resolution is trained when, with which batch size."""
import dataclasses
import re
from typing import Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import latent
from tf2gan.gans.configs.latent import Loss, Penalty

START = 4  # pixels of level 0


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of Progressive GAN."""

    dataset: str = "mnist@32"  # a tensorflow-datasets name, a built-in set, or a folder of images or of class folders
    images: Optional[int] = 19_000_000  # length of the whole training in images; give one of steps, images, epochs
    batch_size: int = 16  # generated images per generator update, over all replicas together
    batch_sizes: Optional[str] = "256:14,512:6,1024:3"  # exceptions to batch_size: RESOLUTION:BATCH_SIZE,...
    fade_images: str = "800000"  # real images while a resolution is faded in: NUMBER or RESOLUTION:NUMBER,... or both
    stable_images: str = "800000"  # real images after fading in, before the next resolution; the last trains to the end
    latent_size: int = 512  # numbers that an image is made from
    feature_base: int = 8192  # a resolution's feature maps have 2 * feature_base / resolution channels ...
    feature_max: int = 512  # ... but at most this number
    group_size: int = 4  # images over which the discriminator gets the standard deviation
    loss: Loss = "wasserstein"  # adversarial loss of generator and critic
    penalty: Optional[Penalty] = "wgan-gp"  # gradient penalty on the critic
    drift_weight: float = 0.001  # weight of the mean squared logit of real images, which keeps a critic's logits near 0
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator
    beta_1: float = 0.0  # beta_1 of Adam
    beta_2: float = 0.99  # beta_2 of Adam

    @property
    def size_rule(self):
        return START, START

    @property
    def num_levels(self):
        """The number of resolutions from 4x4 to `image_size`."""
        return self.image_shape[0].bit_length() - START.bit_length() + 1

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
        size = START * 2 ** level
        batch_size = self._by_resolution("batch_sizes", 1).get(size, self.batch_size)
        if self.half_batches and batch_size % 2:
            raise UserError(f"--batch-sizes {size}:{batch_size}: must be even for --half-batches")
        return dataclasses.replace(self, batch_size=batch_size, image_size=str(size))

    def fade_of(self, level):
        """Images over which a level is faded in."""
        return self._of("fade_images", level) if level else 0

    def length_of(self, level):
        """Images that train a level (not the last), rounded up to whole steps."""
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
        """The level that the step after `images_seen` images trains."""
        return sum(start <= images_seen for start in self.changes()) - 1

    def _of(self, field, level):
        size, values = START * 2 ** level, self._by_resolution(field, 0)
        if size not in values and None not in values:
            raise UserError(f"{flag(field)} {getattr(self, field)}: says nothing of {size}; needed: a "
                            f"number for it ({size}:NUMBER), or one for all others (NUMBER)")
        return values.get(size, values.get(None))

    def _by_resolution(self, field, least):
        """{resolution: number} of an option; the key None is for all others."""
        text, found = getattr(self, field), {}
        for part in (text or "").split(",") if text else ():
            match = re.fullmatch(r"(?:([0-9]+):)?([0-9]+(?:_[0-9]+)*)", part.strip())
            size = match and match[1] and int(match[1])
            no_size = size is not None and (size < START or size & (size - 1))
            if (match is None or int(match[2]) < least or size in found or no_size
                    or (size is None and field == "batch_sizes")):
                plain = "" if field == "batch_sizes" else "NUMBER for all, "
                raise UserError(f"{flag(field)} {text}: {part.strip()!r} is not possible; needed: {plain}"
                                f"RESOLUTION:NUMBER with commas between, each resolution once and a power of two from "
                                f"{START} on, each number at least {least}")
            found[size] = int(match[2])
        return found


PRESETS = {"progan": Config(),
           # The defaults above are the paper's, for days on GPUs; these are for an hour or two on two cores.
           "progan-mnist": Config(images=400_000, fade_images="20000", stable_images="20000", latent_size=64,
                                  feature_base=512, feature_max=64),
           # As in the authors' published configuration.
           "progan-cifar10": Config(dataset="cifar10", images=20_000_000, fade_images="400000",
                                    stable_images="400000", latent_size=128, feature_base=4096, feature_max=128,
                                    penalty_target=750.0)}

PRESET_OPTIONS = {name: {"num_samples": 25} for name in PRESETS}
