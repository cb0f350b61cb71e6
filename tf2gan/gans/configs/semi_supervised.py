"""Options and presets of the semi-supervised GAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import latent

Normalization = Literal["batch", "layer", "weight", "spectral"]


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of the semi-supervised GAN."""

    batch_size: int = 32  # images of each kind per step: labelled, unlabelled, generated
    steps: Optional[int] = 8_000  # length of the whole training in steps; give one of steps, images, epochs
    num_labels: Optional[int] = 100  # training images whose labels are used, equally many per class; none: all
    label_seed: Optional[int] = None  # seed that selects these images; none: as --seed
    exclude_labelled: bool = False  # do not use labelled images as unlabelled ones too
    more_unlabelled: Optional[str] = None  # a further split of images to use without labels, such as extra
    baseline: bool = False  # also train the same network on the labelled images alone, for comparison
    fully_supervised: bool = False  # also train the same network on all labels of the training images, for comparison
    generator: Literal["dense", "strided", "transposed"] = "strided"  # generator network
    discriminator: Literal["dense", "strided", "house-numbers"] = "strided"  # discriminator network, which classifies
    classes: Optional[int] = None  # number of classes; none: as in the data
    fake_class: bool = False  # a logit of "fake" beside those of the classes; equivalent up to a constant
    generator_objective: Literal["adversarial", "l1-features", "squared-features"] = "adversarial"  # generator's loss
    updates: Literal["joint", "separate"] = "joint"  # discriminator updates with labelled and with other images
    labelled_loss_weight: float = 1.0  # weight of the loss on labelled images, in a joint update
    labelled_shift: int = 2  # labelled images are randomly shifted by up to this many pixels in each direction
    generator_filters: Optional[int] = None  # generator channels before the image; none: 64, or 32 for transposed
    discriminator_filters: Optional[int] = None  # channels of its first convolution; none: 32, or 64 for house-numbers
    discriminator_normalization: Optional[Normalization] = "batch"  # dense: weight or none
    discriminator_dropout: float = 0.5  # dropout rate in the discriminator's hidden layers (strided, house-numbers)
    discriminator_noise: float = 0.5  # std of noise before each of the discriminator's layers (dense)
    classifier_ema_decay: Optional[float] = 0.9999  # decay per step of the averaged discriminator, which classifies
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator
    learning_rate_decay: bool = True  # decay learning rates linearly to 0 over the second half of training
    beta_1: float = 0.5  # beta_1 of Adam

    @property
    def size_rule(self):
        multiple, least = {"dense": (1, 1), "strided": (4, 8), "transposed": (8, 16)}[self.generator]
        return multiple, max(least, {"dense": 1, "strided": 8, "house-numbers": 24}[self.discriminator])

    @property
    def unlabelled_splits(self):
        return (self.more_unlabelled,) if self.more_unlabelled else ()

    def fitted(self, image_shape, class_names):
        if class_names is None:
            raise UserError(f"dataset {self.dataset!r} has no labels, of which a semi-supervised GAN needs some; "
                            "possible: a folder with a sub folder for each class, or a set such as mnist or "
                            "synthetic_digits")
        if self.classes not in (None, len(class_names)):
            raise UserError(f"--classes {self.classes}: {self.dataset} has {len(class_names)} classes")
        return dataclasses.replace(super().fitted(image_shape, class_names), classes=len(class_names))

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters", "num_labels", "classes"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)
        for name in ("labelled_loss_weight", "labelled_shift", "discriminator_noise"):
            self.check_range(name, 0)
        if self.image_size is not None:  # edges are filled by mirroring, which cannot reach further
            self.check_range("labelled_shift", 0, self.image_shape[0])
        if self.label_seed is not None:
            self.check_range("label_seed", 0, 2 ** 32 - 1)
        if self.classifier_ema_decay is not None:
            self.check_range("classifier_ema_decay", 0, 1)
        if self.held_out:
            raise UserError(f"--held-out {self.held_out}: a semi-supervised GAN uses all images; possible: 0")
        if (self.more_unlabelled or "").startswith("train"):
            raise UserError(f"--more-unlabelled {self.more_unlabelled}: needed: another split than those of training")
        if self.discriminator == "dense" and self.discriminator_normalization not in ("weight", None):
            raise UserError(f"--discriminator dense: cannot have --discriminator-normalization "
                            f"{self.discriminator_normalization}; possible: weight, none")
        for player in ("generator", "discriminator"):
            filters = getattr(self, f"{player}_filters")
            if getattr(self, player) == "dense" and filters is not None:
                raise UserError(f"--{player}-filters {filters}: --{player} dense has none")


PRESETS = {
    "sgan": Config(),
    "sgan-book": Config(updates="separate", labelled_shift=0, discriminator_loss_weight=0.5, beta_1=0.9,
                        learning_rate_decay=False, ema_decay=None, classifier_ema_decay=None),
    "sgan-dense": Config(generator="dense", discriminator="dense", generator_objective="squared-features",
                         discriminator_normalization="weight", labelled_shift=0, discriminator_loss_weight=0.5,
                         batch_size=100, steps=40_000, generator_learning_rate=3e-3,
                         discriminator_learning_rate=3e-3, epsilon=1e-4, latent_distribution="uniform"),
    "sgan-features": Config(dataset="svhn_cropped", num_labels=1000, generator="transposed",
                            discriminator="house-numbers", fake_class=True, generator_objective="l1-features",
                            labelled_shift=0, batch_size=128, steps=None, epochs=25,
                            generator_learning_rate=3e-4, discriminator_learning_rate=3e-4,
                            learning_rate_decay=False, epoch_decay=0.9),
}

PRESET_OPTIONS = {name: {"sample_every": 1000, "num_samples": 25} for name in PRESETS}
