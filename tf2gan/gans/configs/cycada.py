"""Options and presets of CyCADA."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import cyclegan
from tf2gan.gans.configs.base import Augmentation

STAGES = ("source", "translation", "pixels", "features")  # in their order


@dataclasses.dataclass(frozen=True)
class Config(cyclegan.Cyclic):
    """Options of CyCADA."""

    dataset: str = "synthetic_house_numbers"  # the source, with labels: a tensorflow-datasets name, or class folders
    target: Optional[str] = None  # the target, whose labels are not used: a name, or a folder of images
    image_size: Optional[str] = "32"  # N, or HEIGHTxWIDTH
    batch_size: int = 32  # images of each kind per step, over all replicas together
    epochs: Optional[int] = None  # length of the whole training in passes over the larger part of the data
    steps: Optional[int] = 4000  # length of the whole training in steps: all stages; give one of steps, images
    source_steps: int = 800  # steps of the first stage: a classifier learns from labelled source images
    translation_steps: int = 2000  # of the second: CycleGAN, whose translations that classifier has to read alike
    pixels_steps: int = 700  # of the third: a classifier learns from translated source images; the rest: features
    load_scale: float = 1.0  # training images are resized to this times image_size, then cropped at random
    mirror: bool = False  # flip training images horizontally at random
    learning_rate_decay: bool = True  # decay it linearly to 0 over the second half of the translation stage
    generator_filters: Optional[int] = 16  # channels of the generator's first convolution
    num_blocks: Optional[int] = 2  # residual blocks of a generator
    discriminator: Literal["two-scale", "patchgan", "patchgan-70"] = "patchgan"  # patchgan-70 is the paper's
    discriminator_filters: int = 32  # channels of the first convolution of each discriminator
    projected_weight: float = 0.0  # weight of a second loss, by discriminators on a frozen network; 0: have none
    identity_weight: float = 2.0  # weight of the identity loss; 0 saves its computation
    augment: Optional[Augmentation] = "diffaugment"  # changes to all images that are judged to be real or not
    ema_decay: Optional[float] = 0.99  # decay per step of the averaged generators for samples and for the classifier
    task_weight: float = 1.0  # weight of the loss that a translated source image keeps its label
    semantic_weight: float = 1.0  # weight of the loss that a translated target image is read as before
    classifier_filters: int = 32  # channels of the first convolution of each classifier
    classifier_dropout: float = 0.5  # dropout rate after its last convolution
    classifier_learning_rate: float = 1e-3  # learning rate of classifiers on labelled images
    shift: int = 2  # images that are classified are randomly shifted by up to this many pixels in each direction
    feature_weight: float = 0.1  # weight of the adversarial loss of the last stage
    feature_learning_rate: float = 1e-4  # learning rate of the last stage
    target_labels: bool = False  # also train the same network on the target's labels, for comparison
    classes: Optional[int] = None  # number of classes; none: as in the data

    OLDER = {}
    generator = "resunet"  # the only one
    channels = 3
    data_fields = ("dataset", "target")
    adapts = True

    @property
    def weights(self):
        return *super().weights, "identity_weight", "task_weight", "semantic_weight"

    def fitted(self, image_shape, class_names):
        if class_names is None:
            raise UserError(f"dataset {self.dataset!r} has no labels, which the source needs; possible: a folder with "
                            "a sub folder for each class, or a set such as mnist or synthetic_digits")
        if self.classes not in (None, len(class_names)):
            raise UserError(f"--classes {self.classes}: {self.dataset} has {len(class_names)} classes")
        return dataclasses.replace(self, classes=len(class_names))

    @property
    def pretrain_images(self):
        """Images that have been seen when the game of generators and discriminators begins."""
        return self.starts()["translation"]

    def starts(self) -> dict:
        """{stage: the number of images seen at which it begins}."""
        lengths = (0, self.source_steps, self.translation_steps, self.pixels_steps)
        return {stage: self.images_in(sum(lengths[:i + 1])) for i, stage in enumerate(STAGES)}

    def check(self):
        super().check()
        if self.target is not None and not isinstance(self.target, str):
            raise UserError(f"target: {type(self.target).__name__}; needed: a data set's name, or a folder of images")
        if not self.target:
            raise UserError("--target is needed: a data set's name, or a folder of images, to which the classifier of "
                            f"{self.dataset} is to be adapted")
        if self.init_from is not None:
            raise UserError(f"--init-from {self.init_from}: each stage begins with what the one before made; possible: "
                            "none")
        if self.epochs is not None:
            raise UserError(f"--epochs {self.epochs}: the stages are counted in steps; possible: --steps")
        for name in ("source_steps", "translation_steps", "pixels_steps", "classifier_filters"):
            self.check_range(name, 1)
        for name in ("shift", "feature_weight", "feature_learning_rate", "classifier_learning_rate"):
            self.check_range(name, 0)
        self.check_range("classifier_dropout", 0, 0.99)
        needed = self.source_steps + self.translation_steps + self.pixels_steps
        name = "steps" if self.steps is not None else "images"
        length = getattr(self, name)
        if length is not None and (length if name == "steps" else self.steps_in(length)) <= needed:
            raise UserError(f"--{name} {length}: the stages before the last take {needed} steps "
                            f"({', '.join(map(flag, ('source_steps', 'translation_steps', 'pixels_steps')))}); needed: "
                            "more")


PRESETS = {"cycada": Config()}

PRESET_OPTIONS = {"cycada": {"sample_every": 1000}}
