"""SGAN: a classifier from few labels, with a GAN's help (Odena 2016, 1606.01583; Salimans et al. 2016, 1606.03498).

The discriminator has a logit l_k for each of K classes, and two readings of them. Softmax gives the class of a real
image; D(x) = Z(x) / (Z(x) + 1), with Z = sum exp l_k, whether an image is real at all (Salimans et al., sec. 5).
Labelled images (x, y) teach the first, unlabelled ones x and generated ones G(z) the second:

    D:  min  -mean(log p(y | x)) - mean(log D(x)) - mean(log(1 - D(G(z))))
    G:  min  -mean(log D(G(z)))                     (adversarial), or
        min  |mean f(x) - mean f(G(z))|^2           (sec. 3.1: feature matching, f a hidden layer of D)

D is the product; G is there to teach it.
"""
import dataclasses
from typing import Literal, Optional

import tensorflow as tf

from tf2gan import layers, losses
from tf2gan.errors import UserError
from tf2gan.gans import noise_options
from tf2gan.gans.noise_to_image import NoiseToImage, mean_logs
from tf2gan.networks.conditional import ConditionalGenerator
from tf2gan.networks.semi_supervised import DenseClassifier, SoftplusGenerator, StridedClassifier
from tf2gan.networks.svhn import HouseNumberDiscriminator, TransposedGenerator


@dataclasses.dataclass(frozen=True)
class Config(noise_options.Config):
    """Options of the semi-supervised GAN."""

    batch_size: int = 32  # images of each kind in a step: labelled, unlabelled, generated
    steps: Optional[int] = 8_000  # length of the whole training; give one of steps, images, epochs
    num_labels: Optional[int] = 100  # training images whose labels are used, of all classes alike; none: all labels
    label_seed: Optional[int] = None  # which ones; none: as --seed
    exclude_labelled: bool = False  # labelled images are not among the unlabelled ones
    more_unlabelled: Optional[str] = None  # a split of more images whose labels are not used, such as extra
    baseline: bool = False  # also train the same network on the labelled images alone, to compare
    fully_supervised: bool = False  # also train the same network on all labels of the training images, to compare
    generator: Literal["dense", "strided", "transposed"] = "strided"  # its network
    discriminator: Literal["dense", "strided", "house-numbers"] = "strided"  # its network, which classifies
    classes: Optional[int] = None  # how many; none: as the data have
    fake_class: bool = False  # a logit of "fake" beside those of the classes; the same function up to a constant
    generator_objective: Literal["adversarial", "l1-features", "squared-features"] = "adversarial"  # by --loss
    updates: Literal["joint", "separate"] = "joint"  # the discriminator learns of labels and of fakes in one update
    labelled_loss_weight: float = 1.0  # of the loss on labelled images, in a joint update
    labelled_shift: int = 2  # pixels that labelled images are moved at random by at most, both ways
    generator_filters: Optional[int] = None  # channels before the image; none: 64 for strided, 32 for transposed
    discriminator_filters: Optional[int] = None  # of the first convolution; none: 32 for strided, 64 for house-numbers
    discriminator_normalization: Optional[Literal["batch", "layer", "weight"]] = "batch"  # dense: weight or none
    discriminator_dropout: float = 0.5  # rate in the discriminator's hidden layers (strided, house-numbers)
    discriminator_noise: float = 0.5  # deviation of noise before each of the discriminator's layers (dense)
    classifier_ema_decay: Optional[float] = 0.9999  # per step, of the averaged discriminator, which classifies
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator
    learning_rate_decay: bool = True  # linear decay to 0 over the second half of training
    beta_1: float = 0.5  # of Adam

    @property
    def size_rule(self):
        generator, discriminator = GENERATORS[self.generator], DISCRIMINATORS[self.discriminator]
        return generator.size_multiple, max(generator.size_minimum, discriminator.size_minimum)

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
        if self.image_size is not None:  # what comes in at an edge is mirrored, and there is no more of it
            self.check_range("labelled_shift", 0, self.image_shape[0])
        if self.label_seed is not None:
            self.check_range("label_seed", 0, 2 ** 32 - 1)
        if self.classifier_ema_decay is not None:
            self.check_range("classifier_ema_decay", 0, 1)
        if (self.more_unlabelled or "").startswith("train"):
            raise UserError(f"--more-unlabelled {self.more_unlabelled}: needed: another split than those of training")
        if self.discriminator == "dense" and self.discriminator_normalization not in ("weight", None):
            raise UserError(f"--discriminator dense: cannot have --discriminator-normalization "
                            f"{self.discriminator_normalization}; possible: weight, none")
        for player in ("generator", "discriminator"):
            filters = getattr(self, f"{player}_filters")
            if getattr(self, player) == "dense" and filters is not None:
                raise UserError(f"--{player}-filters {filters}: --{player} dense has none")


GENERATORS = {"dense": SoftplusGenerator, "strided": ConditionalGenerator, "transposed": TransposedGenerator}
DISCRIMINATORS = {"dense": DenseClassifier, "strided": StridedClassifier, "house-numbers": HouseNumberDiscriminator}


class SGAN(NoiseToImage):
    """The discriminator is the classifier; `baseline` and `fully_supervised` are the same network without a GAN."""

    Config = Config
    presets = {
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
    preset_options = {name: {"sample_every": 1000, "num_samples": 25} for name in presets}

    def make_generator(self, name):
        config = self.config
        if config.generator == "dense":
            return SoftplusGenerator(self.image_shape, dropout=config.generator_dropout, name=name)
        if config.generator == "strided":
            return ConditionalGenerator(self.image_shape, config.latent_size, None, config.generator_filters or 64,
                                        config.generator_dropout, name)
        return TransposedGenerator(self.image_shape, config.generator_filters or 32, config.generator_dropout, name)

    def make_discriminator(self, name="discriminator"):
        config = self.config
        num_logits = config.classes + config.fake_class
        if config.discriminator == "dense":
            return DenseClassifier(num_logits, noise=config.discriminator_noise,
                                   weight_norm=config.discriminator_normalization == "weight", name=name)
        filters = config.discriminator_filters or {"strided": 32, "house-numbers": 64}[config.discriminator]
        return DISCRIMINATORS[config.discriminator](
            filters=filters, num_logits=num_logits, dropout=config.discriminator_dropout,
            normalization=config.discriminator_normalization, name=name)

    def make_more(self):
        self.compared, pairs = {}, []  # {name: (network, its optimizer)}
        for name in ("baseline", "fully_supervised"):
            if getattr(self.config, name):
                network, optimizer = self._built_classifier(name), self.optimizer_of("discriminator")
                self.compared[name] = (network, optimizer)
                pairs.append((optimizer, network.trainable_variables))
        decay = self.config.classifier_ema_decay
        self.classifiers = {name: self.average_of(network, lambda: self._built_classifier("average"), decay)
                            for name, network in (("model", self.discriminator),
                                                  *((name, network) for name, (network, _) in self.compared.items()))}
        return pairs

    def _built_classifier(self, name):
        network = self.make_discriminator(name)
        network(tf.zeros([1, *self.image_shape]))
        return network

    @property
    def networks(self):
        image = [tf.zeros([1, *self.image_shape])]
        return {**super().networks, **{name: (network, image) for name, (network, _) in self.compared.items()}}

    def batch_spec(self, batch_size):
        images = super().batch_spec(batch_size)["images"]
        labels = tf.TensorSpec(images.shape[:1], tf.int64)
        spec = {"images": images, "labelled_images": images, "labels": labels}
        if self.config.fully_supervised:
            spec.update(supervised_images=images, supervised_labels=labels)
        return spec

    # The updates.

    def train_step(self, *batches, pretraining=False):
        """`batches`: what `batch_spec` says; "images" have no labels, "labelled_images" have "labels"."""
        logs = []
        for i, batch in enumerate(batches):
            def labelled_loss(batch=batch, number=i):
                return self.labelled_loss(self.discriminator, batch["labelled_images"], batch["labels"], number)

            if self.config.updates == "joint":
                logs.append(self.update_discriminator(batch["images"], number=i, extra_loss=labelled_loss))
            else:
                _, of_labels = self.minimize(labelled_loss, self.discriminator_optimizer,
                                             self.discriminator.trainable_variables, self.config.gradient_clip)
                logs.append({**of_labels, **self.update_discriminator(batch["images"], number=i)})
            logs[-1].update(self._update_compared(batch, i))
        logs = mean_logs(logs)
        return logs if pretraining else {**logs, **self.update_generator(batches[-1]["images"])}

    def labelled_loss(self, network, images, labels, number, purpose="labelled"):
        """(-mean(log p(y | x)), what to log) of a network, from images [n, *image_shape] and labels int [n]."""
        most = self.config.labelled_shift
        if most:
            offsets = (2 * most + 1) * self.draw("uniform", [images.shape[0], 2], f"{purpose}_shift{number}")
            images = layers.shifted(images, most, tf.transpose(tf.cast(offsets, tf.int32)))
        logits = network(images, training=True, seed=self.seed_for(f"{purpose}{number}"))
        logits = losses.class_logits(logits, self.config.classes)
        loss = losses.class_cross_entropy(logits, labels)
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32))
        joint = purpose == "labelled" and self.config.updates == "joint"  # beside no other loss a weight means nothing
        weight = self.config.labelled_loss_weight if joint else 1.0
        return weight * loss, {f"{purpose}_loss": loss, f"{purpose}_accuracy": right}

    def _update_compared(self, batch, number):
        logs = {}
        for name, (network, optimizer) in self.compared.items():
            kind = ("labelled_images", "labels") if name == "baseline" else ("supervised_images", "supervised_labels")

            def loss_fn(name=name, network=network, kind=kind):
                return self.labelled_loss(network, *(batch[part] for part in kind), number, name)

            _, found = self.minimize(loss_fn, optimizer, network.trainable_variables, self.config.gradient_clip)
            logs.update(found)
        return logs

    def update_generator(self, real):
        if self.config.generator_objective == "adversarial":
            return super().update_generator()
        latents = self.training_latents(self.config.batch_size // self.num_replicas, "generator_latents")
        real_features = self._mean_features(self.with_noise(real, "matched"), "matched")
        loss_of = (losses.mean_absolute_error if self.config.generator_objective == "l1-features"
                   else losses.mean_squared_error)

        def loss_fn():
            fake = self.generator(latents, training=True, seed=self.seed_for("generator_dropout"))
            return loss_of(self._mean_features(self.with_noise(fake, "generator"), "generator"), real_features), None

        loss, _ = self.minimize(loss_fn, self.generator_optimizer, self.generator.trainable_variables,
                                self.config.gradient_clip)
        return {"generator_loss": loss}

    def _mean_features(self, images, purpose):
        """The mean of the features of all replicas' images, float32 [num_features]."""
        features = self.discriminator.features(images, training=True, seed=self.seed_for(f"dropout_{purpose}"))
        mean = tf.reduce_mean(tf.cast(features, tf.float32), axis=0)
        if self.num_replicas > 1:
            mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, mean)
        return mean

    def judge(self, images, training=False, seed=None):
        """Logits [n, 1] of images' being real, read off those of the classes."""
        return losses.real_logits(self.discriminator(images, training=training, seed=seed), self.config.classes)

    def _zero_loss(self):
        """A generator that matches features learns from a discriminator that is never wrong."""
        return super()._zero_loss() if self.config.generator_objective == "adversarial" else None

    # Using it.

    def classify(self, images, which="model"):
        """Probabilities of the classes, float32 [n, classes], from images [n, *image_shape] in [-1, 1].

        `which`: "model", or "baseline" or "fully_supervised" where these are trained. By the averaged weights.
        """
        logits = losses.class_logits(self.classifiers[which](images, training=False), self.config.classes)
        return tf.nn.softmax(tf.cast(logits, tf.float32))
