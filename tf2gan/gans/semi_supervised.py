"""SGAN: a classifier from few labels, by a GAN's help (Odena 2016, 1606.01583; Salimans et al. 2016, 1606.03498).

The discriminator has a logit l_k for each of K classes and computes two things from them. Softmax gives the class of a
real image. D(x) = Z(x) / (Z(x) + 1), with Z = sum exp l_k, tells whether an image is real (Salimans et al., sec. 5).
Labelled images (x, y) train the first, unlabelled images x and generated images G(z) the second:

    D:  min  -mean(log p(y | x)) - mean(log D(x)) - mean(log(1 - D(G(z))))
    G:  min  -mean(log D(G(z)))                     (adversarial), or
        min  |mean f(x) - mean f(G(z))|^2           (sec. 3.1: feature matching, f a hidden layer of D)

D is the result; G only helps to train it.
"""
import tensorflow as tf

from tf2gan.gans import losses
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.semi_supervised import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN, diversity, mean_logs
from tf2gan.networks import layers
from tf2gan.networks.conditional import ConditionalGenerator
from tf2gan.networks.semi_supervised import DenseClassifier, SoftplusGenerator, StridedClassifier
from tf2gan.networks.transposed import HouseNumberDiscriminator, TransposedGenerator


class SGAN(LatentGAN):
    """The discriminator is the classifier; `baseline` and `fully_supervised` are the same network without a GAN."""

    Config = Config
    abilities = Abilities(samples=True, classifies=True)
    takes_networks = ("generator",)
    presets, preset_options = PRESETS, PRESET_OPTIONS

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
        network, filters = {"strided": (StridedClassifier, 32),
                            "house-numbers": (HouseNumberDiscriminator, 64)}[config.discriminator]
        return network(filters=config.discriminator_filters or filters, num_logits=num_logits,
                       dropout=config.discriminator_dropout, normalization=config.discriminator_normalization,
                       name=name)

    def make_networks_to_compare(self):
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

    def train_step(self, *batches, pretraining=False, penalized=True):
        """Updates of the discriminator, from labels and from generated images, then one of the generator.

        `batches`: what `batch_spec` says; "images" have no labels, "labelled_images" have "labels".
        """
        update = self.update_jointly if self.config.updates == "joint" else self.update_separately
        logs = mean_logs([{**update(batch, i, penalized), **self.update_compared(batch, i)}
                          for i, batch in enumerate(batches)])
        return logs if pretraining else {**logs, **self.update_generator(batches[-1]["images"])}

    def update_jointly(self, batch, number, penalized=True):
        """One update of the discriminator on the sum of its three losses; returns {name: scalar} to log."""
        real = self.with_known_number(batch["images"])
        fake = self.fake_images(real.shape[0], number=number)

        def loss_fn():
            of_images, logs = self.discriminator_loss(real, fake, number=number, penalized=penalized)
            of_labels, more = self.labelled_loss(self.discriminator, batch["labelled_images"], batch["labels"], number)
            return of_images + of_labels, {**more, **logs}

        return {**self.minimize_discriminator(loss_fn), **diversity(real, fake)}

    def update_separately(self, batch, number, penalized=True):
        """An update on labelled images, then one on unlabelled and generated images; returns {name: scalar} to log."""
        def labelled_loss():
            return self.labelled_loss(self.discriminator, batch["labelled_images"], batch["labels"], number)

        _, logs = self.minimize(labelled_loss, self.discriminator_optimizer, self.learning_variables(),
                                self.config.gradient_clip)
        return {**logs, **self.update_discriminator(batch["images"], number=number, penalized=penalized)}

    def labelled_loss(self, network, images, labels, number, purpose="labelled"):
        """(weighted -mean(log p(y | x)), logs) of a network, for images [n, *image_shape] and labels int [n]."""
        most = self.config.labelled_shift
        if most:
            offsets = (2 * most + 1) * self.draw("uniform", [images.shape[0], 2], f"{purpose}_shift{number}")
            images = layers.shifted(images, most, tf.transpose(tf.cast(offsets, tf.int32)))
        logits = network(images, training=True, seed=self.seed_for(f"{purpose}{number}"))
        logits = losses.class_logits(logits, self.config.classes)
        loss = losses.class_cross_entropy(logits, labels)
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32))
        joint = purpose == "labelled" and self.config.updates == "joint"  # a loss alone needs no weight
        weight = self.config.labelled_loss_weight if joint else 1.0
        return weight * loss, {f"{purpose}_loss": loss, f"{purpose}_accuracy": right}

    def update_compared(self, batch, number):
        """One update of each network trained for comparison, on its labels alone; returns {name: scalar} to log."""
        logs = {}
        for name, (network, optimizer) in self.compared.items():
            kind = ("labelled_images", "labels") if name == "baseline" else ("supervised_images", "supervised_labels")

            def loss_fn(name=name, network=network, kind=kind):
                return self.labelled_loss(network, *(batch[part] for part in kind), number, name)

            _, found = self.minimize(loss_fn, optimizer, network.trainable_variables, self.config.gradient_clip)
            logs.update(found)
        return logs

    def update_generator(self, real):
        """One update, adversarial or to match features of unlabelled images `real`; returns {name: scalar} to log."""
        if self.config.generator_objective == "adversarial":
            return super().update_generator(real=[real])
        latents = self.training_latents(self.config.batch_size // self.num_replicas, "generator_latents")
        real_features = self._mean_features(self.shown(real, "matched"), "matched")
        loss_of = (losses.mean_absolute_error if self.config.generator_objective == "l1-features"
                   else losses.mean_squared_error)

        def loss_fn():
            fake = self.generator(latents, training=True, seed=self.seed_for("generator_dropout"))
            return loss_of(self._mean_features(self.shown(fake, "generator"), "generator"), real_features), None

        loss, _ = self.minimize(loss_fn, self.generator_optimizer, self.generator.trainable_variables,
                                self.config.gradient_clip)
        return {"generator_loss": loss}

    def _mean_features(self, images, purpose):
        """The mean features of the images on all replicas, float32 [num_features]."""
        features = self.discriminator.features(images, training=True, seed=self.seed_for(f"dropout_{purpose}"))
        return self.batch_mean(tf.reduce_mean(tf.cast(features, tf.float32), axis=0))

    def judge(self, images, training=False, seed=None):
        """Logits [n, 1] that images are real, computed from the class logits."""
        return losses.real_logits(self.discriminator(images, training=training, seed=seed), self.config.classes)

    def zero_loss(self):
        """None with feature matching: that generator still learns when the discriminator is never wrong."""
        return super().zero_loss() if self.config.generator_objective == "adversarial" else None

    # Using the classifier.

    def classify(self, images, which="model"):
        """Probabilities of the classes, float32 [n, classes], from images [n, *image_shape] in [-1, 1].

        `which`: "model", or "baseline" or "fully_supervised" if these were trained. Uses the averaged weights.
        """
        logits = losses.class_logits(self.classifiers[which](images, training=False), self.config.classes)
        return tf.nn.softmax(tf.cast(logits, tf.float32))
