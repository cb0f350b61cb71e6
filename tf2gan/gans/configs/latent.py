"""Options of every method that generates images from latents: independent choices of how to train."""
import dataclasses
import math
from typing import Literal, Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans import losses
from tf2gan.gans.configs import base
from tf2gan.gans.configs.base import OptimizerName

Loss = Literal[tuple(losses.ADVERSARIAL)]
Penalty = Literal[tuple(losses.PENALTIES)]


@dataclasses.dataclass(frozen=True)
class Config(base.Config):
    """Options of every method that generates images from latents."""

    dataset: str = "mnist"  # a tensorflow-datasets name, a built-in set, or a folder of images or of class folders
    image_size: Optional[str] = None  # height and width in pixels, N; none: as in the data
    channels: Optional[int] = None  # image channels, 1 (grey) or 3 (colour); none: as in the data
    batch_size: int = 64  # generated images per generator update, over all replicas together
    half_batches: bool = False  # discriminator updates use half a batch of real and half a batch of generated images
    latent_size: int = 100  # numbers that an image is made from
    latent_distribution: Literal["normal", "uniform"] = "normal"  # distribution of latents, N(0, 1) or U(-1, 1)
    loss: Loss = "non-saturating"  # adversarial loss of generator and discriminator
    discriminator_loss_weight: float = 1.0  # 1: sum of the losses on real and on generated images; 0.5: their mean
    penalty: Optional[Penalty] = None  # gradient penalty on the discriminator
    penalty_weight: float = 10.0  # weight of the gradient penalty
    penalty_target: float = 1.0  # gradient norm G that the penalty ((|gradient| - G) / G)^2 asks for; not for r1, r2
    penalty_every: int = 1  # steps from one that has a penalty to the next; the penalty then weighs as many times
    drift_weight: float = 0.0  # weight of the mean squared logit of real images, which keeps a critic's logits near 0
    weight_clip: Optional[float] = None  # largest size of the discriminator's weights, which are clipped to it
    n_critic: int = 1  # discriminator updates per generator update, each on new real images
    pretrain_images: int = 0  # real images that train the discriminator before the generator's first update
    batches: Literal["separate", "joint"] = "separate"  # batches of real and generated images for the discriminator
    real_label: float = 1.0  # label of real images for the discriminator; 0.9 is one-sided label smoothing
    fake_label: float = 0.0  # label of generated images for the discriminator
    soft_labels: bool = False  # random labels instead: U(0.8, 1) for real images, U(0, 0.3) for generated ones
    label_flips: float = 0.0  # probability that an image gets the label of the other kind
    instance_noise: float = 0.0  # std of noise on all images for the discriminator, falling to 0 over training
    held_out: Optional[int] = 0  # training images kept back, to see whether the discriminator learns the others by heart
    generator_dropout: float = 0.0  # dropout rate in the generator's hidden layers
    discriminator_dropout: float = 0.0  # dropout rate in the discriminator's hidden layers
    generator_optimizer: OptimizerName = "adam"  # optimizer of the generator
    discriminator_optimizer: OptimizerName = "adam"  # optimizer of the discriminator
    generator_learning_rate: float = 2e-4  # learning rate of the generator
    discriminator_learning_rate: float = 2e-4  # learning rate of the discriminator
    beta_1: float = 0.9  # beta_1 of Adam
    beta_2: float = 0.999  # beta_2 of Adam
    epsilon: float = 1e-7  # added to the root of Adam's second moment; weights with much smaller gradients move less
    learning_rate_decay: bool = False  # decay learning rates linearly to 0 over the second half of training
    epoch_decay: Optional[float] = None  # learning rates are multiplied by this after each epoch
    freeze_discriminator: int = 0  # first convolutions of the discriminator that stay as --init-from has them
    gradient_clip: Optional[float] = None  # largest norm of each network's gradient, over all its weights

    @property
    def size_rule(self):
        """(multiple, minimum) of the image sizes that the method's networks take."""
        return 1, 1

    @property
    def real_batch_size(self):
        return self.batch_size // 2 if self.half_batches else self.batch_size

    @property
    def images_per_step(self):
        return self.n_critic * super().images_per_step

    def fitted(self, image_shape, class_names):
        height, width, channels = image_shape
        size = self.image_size
        if size is None:
            if height is None or height != width:
                what = "differ in size" if height is None else f"are of {height}x{width} pixels, not square"
                raise UserError(f"--image-size is needed, since the images of {self.dataset} {what}; "
                                f"possible: {self._possible_sizes()}")
            size = str(height)
        return dataclasses.replace(self, image_size=size, channels=self.channels or channels)

    def _possible_sizes(self, near=None):
        multiple, least = self.size_rule
        if near is None:
            return f"multiples of {multiple} from {least} on" if multiple > 1 else f"any from {least} on"
        below, above = near // multiple * multiple, -(-near // multiple) * multiple
        return (f"{self._possible_sizes()}, the nearest: "
                + " and ".join(str(size) for size in sorted({max(below, least), max(above, least)})))

    def check(self):
        super().check()
        if self.image_size is not None:
            height, width = self.image_shape
            multiple, least = self.size_rule
            if height != width:
                raise UserError(f"--image-size {self.image_size}: this method's images are square: give one number")
            if height % multiple or height < least:
                raise UserError(f"--image-size {self.image_size}: these networks cannot make it; "
                                f"possible: {self._possible_sizes(height)}")
        if self.channels not in (None, 1, 3):
            raise UserError(f"--channels {self.channels}: possible: 1, 3")
        rates = ("generator_dropout", "discriminator_dropout")
        for name, low, high in (*((name, 0, 0.99) for name in rates), ("latent_size", 1, None), ("n_critic", 1, None),
                                ("pretrain_images", 0, None), ("real_label", 0, 1), ("fake_label", 0, 1),
                                ("label_flips", 0, 1), ("instance_noise", 0, None), ("penalty_weight", 0, None),
                                ("penalty_every", 1, None), ("freeze_discriminator", 0, None),
                                ("drift_weight", 0, None),
                                ("discriminator_loss_weight", 0, None), ("generator_learning_rate", 0, None),
                                ("discriminator_learning_rate", 0, None), ("beta_1", 0, 0.9999),
                                ("beta_2", 0, 0.999999)):
            self.check_range(name, low, high)
        if self.held_out is not None:
            self.check_range("held_out", 0)
        if self.epoch_decay is not None:
            self.check_range("epoch_decay", 0, 1)
            if self.learning_rate_decay:
                raise UserError("give only one of --learning-rate-decay and --epoch-decay")
        for name in ("weight_clip", "gradient_clip", "penalty_target", "epsilon"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                or_none = ", or none" if name.endswith("clip") else ""
                raise UserError(f"{flag(name)} {value}: must be above 0 and finite{or_none}")
        if self.half_batches and self.batch_size % 2:
            raise UserError(f"--batch-size {self.batch_size}: must be even for --half-batches")
        self._check_combinations()

    def _check_combinations(self):
        if self.penalty_target != 1.0 and self.penalty in (None, "r1", "r2", "r1-r2"):
            raise UserError(f"--penalty-target {self.penalty_target}: needs a penalty that asks for a slope: "
                            "--penalty wgan-gp, wgan-gp-one-sided or dragan")
        if not losses.ADVERSARIAL[self.loss].takes_labels:
            for name, neutral in (("real_label", 1.0), ("fake_label", 0.0), ("soft_labels", False),
                                  ("label_flips", 0.0)):
                value = getattr(self, name)
                if value != neutral:
                    with_labels = [name for name, pair in losses.ADVERSARIAL.items() if pair.takes_labels]
                    raise UserError(f"{flag(name)} {value}: --loss {self.loss} has no labels; possible: "
                                    f"{neutral}, or --loss {', '.join(with_labels)}")
        if self.loss == "wasserstein" and self.penalty is None and self.weight_clip is None:
            raise UserError("--loss wasserstein needs a critic of bounded slope: give --weight-clip 0.01, or "
                            "--penalty wgan-gp")
        if self.penalty_every != 1 and self.penalty is None:
            raise UserError(f"--penalty-every {self.penalty_every}: needs a --penalty")
        if self.freeze_discriminator and self.init_from is None:
            raise UserError(f"--freeze-discriminator {self.freeze_discriminator}: needs --init-from, whose layers it "
                            "keeps")
        if self.fake_label >= self.real_label:
            raise UserError(f"--fake-label {self.fake_label}: must be below --real-label {self.real_label}")
        if self.augment == "ada" and losses.ADVERSARIAL[self.loss].boundary is None:
            with_sign = [name for name, pair in losses.ADVERSARIAL.items() if pair.boundary is not None]
            raise UserError(f"--augment ada: needs logits whose sign means real or not; those of --loss {self.loss} "
                            f"only tell which image is more real; possible: --loss {', '.join(with_sign)}; or "
                            "--augment diffaugment")
