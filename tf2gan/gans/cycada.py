"""CyCADA: labels carried from one domain to another (Hoffman et al. 2017, arXiv 1711.03213).

The source x has labels l, the target y has none. Four stages, each of which needs what the one before made:

    source       f_S:  min  -mean(log f_S(l | x))
    translation  CycleGAN, whose generators also
                 min  -mean(log f_S(l | G_xy(x)))                        (task: a translation keeps its label)
                      -mean(log f_S(argmax f_S(y) | G_yx(y)))            (semantic consistency, in the other direction)
    pixels       f_P:  min  -mean(log f_P(l | G_xy(x)))                  f_P begins as f_S
    features     D:    min  -mean(log D(h_P(G_xy(x)))) - mean(log(1 - D(h_T(y))))
                 f_T:  min  -mean(log f_T(l | G_xy(x))) - w mean(log D(h_T(y)))      f_T begins as f_P

h are the features that a classifier f decides by. f_S does not learn in the second stage, nor do the generators in the
last two. f_T is the result; the translation is a means to it.
"""
import tensorflow as tf

from tf2gan.gans import losses
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.cycada import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.cyclegan import CycleGAN
from tf2gan.networks import layers
from tf2gan.networks.mlp import VectorDiscriminator
from tf2gan.networks.semi_supervised import StridedClassifier

# {name of a classifier in evaluations: the stages in which it learns}; the last is for comparison, as long as f_P.
LEARNS_IN = {"source_only": ("source",), "pixels": ("pixels",), "model": ("features",),
             "target_labels": ("source", "pixels")}


class CyCADA(CycleGAN):
    """CycleGAN from a source with labels to a target without, and a classifier of each stage that has one."""

    Config = Config
    abilities = Abilities(classifies=True)
    presets, preset_options = PRESETS, PRESET_OPTIONS
    splits = ("train",)  # of the source, and of the target
    takes_networks = ()

    def make_more(self):
        config = self.config
        names = [name for name in LEARNS_IN if name != "target_labels" or config.target_labels]
        self.trained = {name: self._new_classifier(f"classifier_{name}") for name in names}
        self.averaged = {
            name: self.average_of(network, lambda name=name: self._new_classifier(f"average_{name}"), config.ema_decay)
            for name, network in self.trained.items()}
        self.present = "source"  # the stage, since `begin_phase`
        self._example_features = tf.zeros_like(self.trained["model"].features(self.example()))
        self.feature_discriminator = VectorDiscriminator(256, name="feature_discriminator")
        self.feature_discriminator(self._example_features)
        rates = {name: config.classifier_learning_rate for name in names}
        rates["model"] = config.feature_learning_rate
        self.classifier_optimizers = {name: self.make_optimizer("adam", rate) for name, rate in rates.items()}
        self.feature_optimizer = self.make_optimizer("adam", config.feature_learning_rate, config.beta_1)
        return [*((self.classifier_optimizers[name], network.trainable_variables)
                  for name, network in self.trained.items()),
                (self.feature_optimizer, self.feature_discriminator.trainable_variables)]

    def _new_classifier(self, name):
        # Layer normalization: what is read in an image depends on no other image, nor on the domain of those before.
        network = StridedClassifier(self.config.classes, self.config.classifier_filters, self.config.classifier_dropout,
                                    "layer", name=name)
        network(self.example())
        return network

    @property
    def networks(self):
        image = [self.example()]
        return {**super().networks, **{network.name: (network, image) for network in self.trained.values()},
                "feature_discriminator": (self.feature_discriminator, [self._example_features])}

    def batch_spec(self, batch_size):
        labels = tf.TensorSpec([batch_size], tf.int64)
        spec = {**super().batch_spec(batch_size), "labels": labels}
        return {**spec, "target_labels": labels} if self.config.target_labels else spec

    # The stages.

    def stage(self, images_seen=None) -> str:
        """The stage of the step that follows after `images_seen` images; None: of the next step."""
        if images_seen is None:
            images_seen = self._seen()
        return [stage for stage, start in self.config.starts().items() if start <= images_seen][-1]

    def reached(self) -> str:
        """The stage of the last step."""
        return self.stage(max(0, self._seen() - 1))

    def _seen(self):
        with tf.init_scope():  # also where a graph is traced
            return int(self.images_seen.numpy())

    def phase(self):
        return {"stage": self.stage()}

    def decay_images(self):
        """The rates of CycleGAN's players fall to 0 by the end of their stage."""
        return self.config.starts()["pixels"]

    def moving_averages(self):
        """Those of the networks of this stage: the others do not learn, and their averages stay as they are."""
        stage = self.present
        learn = [self.averaged[name] for name, stages in LEARNS_IN.items() if stage in stages and name in self.averaged]
        learn += [self.average_xy, self.average_yx] if stage == "translation" else []
        ours = {id(variable) for network in learn for variable in network.variables}
        return [moving for moving in super().moving_averages() if id(moving[0]) in ours]

    def phase_end(self):
        seen = int(self.images_seen.numpy())
        return min((start for start in self.config.starts().values() if start > seen), default=None)

    def begin_phase(self):
        """A classifier begins as that of the stage before; resumed at this very step, it does so again."""
        self.present = self.stage()
        before = {"pixels": "source_only", "features": "pixels"}
        stage, starts = self.present, self.config.starts()
        if stage in before and int(self.images_seen.numpy()) == starts[stage]:
            mine = next(name for name, stages in LEARNS_IN.items() if stages == (stage,))
            for kind in (self.trained, self.averaged):
                for target, source in zip(kind[mine].variables, kind[before[stage]].variables):
                    target.assign(source)

    def train_step(self, batch, stage="translation"):
        """One step of a stage; returns {name: scalar} to log.

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1], and "labels", int64 [batch], of x.
        """
        if stage == "translation":
            return super().train_step(batch)
        if stage == "features":
            return self.feature_step(batch)
        if stage == "source":
            logs = self.label_step("source_only", batch["x"], batch["labels"])
        else:
            logs = self.label_step("pixels", self.as_target(batch["x"]), batch["labels"])
        if self.config.target_labels:
            logs.update(self.label_step("target_labels", batch["y"], batch["target_labels"]))
        return logs

    def as_target(self, images):
        """Source images, translated by the averaged generator, which does not learn any more."""
        return tf.stop_gradient(self.average_xy(images, training=False))

    def label_step(self, name, images, labels):
        """One update of a classifier by cross-entropy."""
        network = self.trained[name]
        images = self._shifted(images, name)

        def loss_fn():
            logits = network(images, training=True, seed=self.seed_for(name))
            right = tf.reduce_mean(tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32))
            return losses.class_cross_entropy(logits, labels), right

        loss, right = self.minimize(loss_fn, self.classifier_optimizers[name], network.trainable_variables)
        return {f"{name}_loss": loss, f"{name}_accuracy": right}

    def _shifted(self, images, purpose):
        most = self.config.shift
        if not most:
            return images
        offsets = (2 * most + 1) * self.draw("uniform", [images.shape[0], 2], f"{purpose}_shift")
        return layers.shifted(images, most, tf.transpose(tf.cast(offsets, tf.int32)))

    def generators_loss(self, real_x, real_y, labels, target_labels=None):
        """CycleGAN's, and what translations say to the classifier of the source, which does not learn here.

        `target_labels` are not used.
        """
        loss, (logs, fake_x, fake_y) = super().generators_loss(real_x, real_y)
        reader, config = self.averaged["source_only"], self.config
        if config.task_weight:
            logs["task"] = losses.class_cross_entropy(reader(fake_y, training=False), labels)
            loss += config.task_weight * logs["task"]
        if config.semantic_weight:
            read = tf.argmax(reader(real_y, training=False), axis=-1)
            logs["semantic"] = losses.class_cross_entropy(reader(fake_x, training=False), read)
            loss += config.semantic_weight * logs["semantic"]
        return loss, (logs, fake_x, fake_y)

    def feature_step(self, batch):
        """One update of the judge of features, then one of the classifier, which tries to make them alike."""
        network, judge = self.trained["model"], self.feature_discriminator
        translated = self._shifted(self.as_target(batch["x"]), "model")
        target = self._shifted(batch["y"], "target")
        theirs = self.trained["pixels"].features(translated, training=False)
        ours = network.features(target, training=True)

        def judge_loss():
            real, fake = judge(tf.cast(theirs, tf.float32)), judge(tf.stop_gradient(tf.cast(ours, tf.float32)))
            told = tf.reduce_mean(tf.cast(tf.concat([real > 0, fake <= 0], axis=0), tf.float32))
            return losses.minimax_discriminator(real, fake), told

        def classifier_loss():
            features = tf.cast(network.features(target, training=True), tf.float32)
            fooled = losses.non_saturating_generator(judge(features))
            logits = network(translated, training=True, seed=self.seed_for("model"))
            task = losses.class_cross_entropy(logits, batch["labels"])
            return task + self.config.feature_weight * fooled, (task, fooled)

        judge_value, told = self.minimize(judge_loss, self.feature_optimizer, judge.trainable_variables)
        _, (task, fooled) = self.minimize(classifier_loss, self.classifier_optimizers["model"],
                                          network.trainable_variables)
        return {"model_loss": task, "feature_loss": fooled, "feature_discriminator_loss": judge_value,
                "feature_accuracy": told}

    # Use.

    @property
    def classifiers(self):
        """{name in evaluations: network} of the stages that the training has reached; "model": of the last of them."""
        names = {"source": ["source_only"], "translation": ["source_only"], "pixels": ["source_only", "pixels"]}.get(
            self.reached(), ["source_only", "pixels", "model"])
        more = ["target_labels"] if self.config.target_labels else []
        return {"model": self.averaged[names[-1]], **{name: self.averaged[name] for name in [*names[:-1], *more]}}

    def classify(self, images, which="model"):
        """Probabilities of the classes, float32 [batch, classes], of images [batch, height, width, 3] in [-1, 1].

        `which`: one of `classifiers`.
        """
        return tf.nn.softmax(tf.cast(self.classifiers[which](images, training=False), tf.float32))

    def diagnose(self, history):
        return super().diagnose([line for line in history if "adversarial_xy" in line])
