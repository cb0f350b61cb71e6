"""Options that every method has."""
import dataclasses
import math
import re
from typing import Literal, Optional, Tuple

from tf2gan.core.errors import UserError, flag
from tf2gan.core.options import several
from tf2gan.gans import optimizers

OptimizerName = Literal[tuple(optimizers.OPTIMIZERS)]
Augmentation = Literal["diffaugment", "ada"]
AUGMENTATIONS = ("color", "translation", "cutout")  # of DiffAugment


@dataclasses.dataclass(frozen=True)
class Config:
    """Options that every method has. None is off. A method's own Config adds fields and sets defaults."""

    dataset: str = ""  # a tensorflow-datasets name, or the path of a folder of images
    image_size: Optional[str] = "128"  # N, or HEIGHTxWIDTH
    batch_size: int = 1  # images of each kind per step, over all replicas together
    accumulate: int = 1  # batches whose gradients are added up for an update: the memory of one, the step of so many
    steps: Optional[int] = None  # length of the whole training in steps; give one of steps, images, epochs
    images: Optional[int] = None  # length of the whole training in images of each kind
    epochs: Optional[int] = None  # length of the whole training in passes over the larger part of the data
    mirror: bool = False  # flip training images horizontally at random
    seed: int = 0  # seed of weights, data order and all random numbers in training; 0,1,2: a run of each
    ema_decay: Optional[float] = 0.999  # decay per step of the averaged generator for samples and exports; none is off
    augment: Optional[Augmentation] = None  # changes to all images that are judged to be real or not
    augmentations: str = ",".join(AUGMENTATIONS)  # kinds of changes of diffaugment
    ada_target: float = 0.6  # mean of sign(D(x)) of real images above which ada changes more of them
    ada_images: int = 500_000  # real images in which ada's probability can go from 0 to 1
    init_from: Optional[str] = None  # a run or an export whose weights this one begins with, to fine-tune them

    @property
    def image_shape(self):
        """(height, width) in pixels. Raises UserError if `image_size` is not N or HEIGHTxWIDTH."""
        if not re.fullmatch(r"[0-9]+(x[0-9]+)?", self.image_size):
            raise UserError(f"--image-size {self.image_size}: must be N or HEIGHTxWIDTH, such as 128 or 96x160")
        sizes = [int(n) for n in self.image_size.split("x")]
        return (sizes * 2)[:2]

    @property
    def kinds(self) -> list:
        """The kinds of changes that `augmentations` names. Raises UserError for an unknown one."""
        return list(several("--augmentations", self.augmentations, AUGMENTATIONS))

    @property
    def real_batch_size(self) -> int:
        """Real images of each kind in one batch of training data."""
        return self.batch_size

    @property
    def images_per_step(self) -> int:
        """Real images of each kind that one step uses; the clock advances by this number."""
        return self.real_batch_size * self.accumulate

    @property
    def unlabelled_splits(self) -> Tuple[str, ...]:
        """Names of further splits of images that the method uses without their labels."""
        return ()

    paired = False  # whether it needs pairs of images: see `data.pairs`
    data_fields = ("dataset",)  # those that may be paths of folders with the data
    adapts = False  # whether it needs a source with labels and a target without: see `data.domains`
    OLDER = {}  # {option: its value in runs that began before there was this option}, where that is not the default

    # For batch sizes that change during training; see `progressive.Config`.

    def changes(self) -> list:
        """The numbers of images seen at which `at` changes, ascending; the first is 0."""
        return [0]

    def at(self, images_seen):
        """This config with the batch size that applies after `images_seen` images."""
        return self

    def plan(self, total_images) -> str:
        """Describes which image sizes a training of `total_images` goes through; empty if there is only one."""
        return ""

    def grown(self, images_seen) -> bool:
        """Whether the networks have their full size by then; earlier metric values do not predict the final ones."""
        return True

    def images_in(self, steps) -> int:
        """Images of each kind that the first `steps` steps use."""
        images = 0
        for start, end in zip(self.changes(), [*self.changes()[1:], math.inf]):
            size = self.at(start).images_per_step
            part = min(steps, (end - start) / size)
            images, steps = images + int(part) * size, steps - int(part)
        return images

    def steps_in(self, images) -> int:
        """Steps that it takes to use `images` images; the last step may use more than are left."""
        steps = 0
        for start, end in zip(self.changes(), [*self.changes()[1:], math.inf]):
            size = self.at(start).images_per_step
            steps += max(0, -(-(min(images, end) - start) // size))
        return steps

    def fitted(self, image_shape, class_names):
        """This config with open values set from the data: their (height, width, channels), and class names or None.

        Raises UserError if the method cannot use the data.
        """
        return self

    def check(self):
        """Raises UserError for invalid values; a method's Config adds its own checks."""
        if self.image_size is not None:
            self.image_shape
        for name, low, high in (("seed", 0, 2 ** 32 - 1), ("batch_size", 1, None), ("accumulate", 1, None),
                                ("ada_target", -1, 1), ("ada_images", 1, None)):
            self.check_range(name, low, high)
        if self.ema_decay is not None:
            self.check_range("ema_decay", 0, 1)
        self.kinds
        self.check_only_with("augment", "diffaugment", "augmentations")
        self.check_only_with("augment", "ada", "ada_target", "ada_images")

    def check_only_with(self, name, value, *others):
        """Raises UserError for an option of `others` that is not at its default, unless option `name` is `value`."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for other in others:
            if getattr(self, other) != defaults[other] and getattr(self, name) != value:
                raise UserError(f"{flag(other)} {getattr(self, other)}: is for {flag(name)} {value}")

    def check_range(self, name, low, high=None):
        """Raises UserError unless low <= value of the field `name` <= high."""
        value = getattr(self, name)
        if not low <= value < math.inf or (high is not None and value > high):  # refuses NaN too
            limits = f"at least {low} and finite" if high is None else f"from {low} to {high}"
            raise UserError(f"{flag(name)} {value}: must be {limits}")
