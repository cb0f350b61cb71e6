"""CyCADA: its stages, what learns in each, and its losses from the networks alone."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.data import domains
from tf2gan.gans import GANS
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan, compile_steps
from tf2gan.training.options import Options

METHOD = GANS["cycada"]
SMALL = {"target": "x", "generator_filters": 2, "discriminator_filters": 2, "classifier_filters": 2, "num_blocks": 1,
         "batch_size": 4, "augment": None, "identity_weight": 0.0, "steps": 9, "source_steps": 2, "translation_steps": 3, "pixels_steps": 2, "classes": 3}
STAGES = ("source", "translation", "pixels", "features")
NETWORKS = {"source": {"classifier_source_only"}, "pixels": {"classifier_pixels"},
            "translation": {"generator_xy", "generator_yx", "discriminator_x", "discriminator_y"},
            "features": {"classifier_model", "feature_discriminator"}}


def make(replicas=1, **changes):
    config = dataclasses.replace(METHOD.Config(), **{**SMALL, **changes})
    config.check()
    strategy = make_strategy(Options(replicas=replicas))
    return build_gan(METHOD, config, 9 * config.batch_size, strategy), strategy


def batch(num=4, seed=0, target_labels=False):
    draw = np.random.default_rng(seed)
    found = {name: draw.uniform(-1, 1, [num, 32, 32, 3]).astype(np.float32) for name in "xy"}
    found["labels"] = draw.integers(0, 3, [num])
    return {**found, "target_labels": draw.integers(0, 3, [num])} if target_labels else found


def tensors(values):
    return {name: tf.constant(value) for name, value in values.items()}


def weights(gan):
    return {name: [np.copy(v) for v in network.variables] for name, (network, _) in gan.networks.items()}


def moved(before, after):
    return {name for name in before if any(np.abs(a - b).max() > 0 for a, b in zip(before[name], after[name]))}


def cross_entropy(logits, labels):
    logits = np.asarray(logits, np.float64)
    return float(np.mean(np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(labels)), labels]))


@pytest.mark.parametrize("stage", STAGES)
def test_only_its_own_networks_learn_in_a_stage(stage):
    gan, _ = make(optimizer="sgd", learning_rate=0.01, learning_rate_decay=False)
    before = weights(gan)
    logs = gan.train_step(tensors(batch()), stage=stage)
    assert moved(before, weights(gan)) == NETWORKS[stage]
    assert all(np.isfinite(float(value)) for value in logs.values())


def test_target_labels_teach_a_network_of_their_own():
    gan, _ = make(target_labels=True)
    before = weights(gan)
    gan.train_step(tensors(batch(target_labels=True)), stage="source")
    assert moved(before, weights(gan)) == {"classifier_source_only", "classifier_target_labels"}
    gan.images_seen.assign(36)
    assert set(gan.classifiers) == {"model", "pixels", "source_only", "target_labels"}


def test_stages_follow_each_other():
    gan, strategy = make()
    assert gan.config.starts() == {"source": 0, "translation": 8, "pixels": 20, "features": 28}
    found, ends = [], []
    for step in range(9):
        gan.images_seen.assign(4 * step)
        found.append(gan.phase()["stage"])
        ends.append(gan.phase_end())
    assert found == ["source"] * 2 + ["translation"] * 3 + ["pixels"] * 2 + ["features"] * 2
    assert ends == [8] * 2 + [20] * 3 + [28] * 2 + [None] * 2


def test_a_classifier_begins_as_that_of_the_stage_before_and_only_then():
    gan, _ = make()
    for stage, mine, before in (("pixels", "pixels", "source_only"), ("features", "model", "pixels")):
        start = gan.config.starts()[stage]
        for kind in (gan.trained, gan.averaged):
            for i, variable in enumerate(kind[before].variables):
                variable.assign(tf.fill(variable.shape, float(i + len(stage))))
        for seen, same in ((start - 4, False), (start + 4, False), (start, True)):
            gan.images_seen.assign(seen)
            gan.begin_phase()
            for kind in (gan.trained, gan.averaged):
                pairs = list(zip(kind[mine].variables, kind[before].variables))
                assert all(np.array_equal(a, b) for a, b in pairs) == same


def test_translations_answer_to_the_classifier_of_the_source():
    gan, _ = make(task_weight=0.7, semantic_weight=1.9, pool_size=0)
    for variable in gan.averaged["source_only"].variables:
        variable.assign(np.random.default_rng(3).normal(0, 0.3, variable.shape))
    values = batch()
    loss, (logs, fake_x, fake_y) = gan.generators_loss(values["x"], values["y"], values["labels"])
    plain, _ = super(METHOD, gan).generators_loss(values["x"], values["y"])
    reader = gan.averaged["source_only"]
    task = cross_entropy(reader(fake_y), values["labels"])
    semantic = cross_entropy(reader(fake_x), np.argmax(reader(values["y"]), -1))
    assert float(logs["task"]) == pytest.approx(task, rel=1e-4)
    assert float(logs["semantic"]) == pytest.approx(semantic, rel=1e-4)
    assert float(loss) == pytest.approx(float(plain) + 0.7 * task + 1.9 * semantic, rel=1e-4)


def test_features_of_the_target_are_to_look_like_those_of_translations():
    gan, _ = make(shift=0, classifier_dropout=0.0, feature_weight=0.3)
    values = batch()
    translated = gan.average_xy(values["x"])
    judge, model, before = gan.feature_discriminator, gan.trained["model"], gan.trained["pixels"]
    real, fake = (np.asarray(judge(each)) for each in (before.features(translated), model.features(values["y"])))
    expected = np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(fake)))
    task = cross_entropy(model(translated), values["labels"])
    logs = gan.feature_step(tensors(values))
    assert float(logs["feature_discriminator_loss"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["model_loss"]) == pytest.approx(task, rel=1e-4)


def test_without_the_weight_of_features_labels_alone_teach():
    """The judge's gradient reaches the classifier, as much as its weight says."""
    found = {}
    for weight in (0.0, 1.0):
        gan, _ = make(shift=0, classifier_dropout=0.0, feature_weight=weight, feature_learning_rate=0.0)
        caught = {}

        def minimize(loss_fn, optimizer, variables, clip_norm=None, caught=caught):
            with tf.GradientTape() as tape:
                loss, kept = loss_fn()
            caught[len(variables)] = tape.gradient(loss, variables)
            return loss, kept

        gan.minimize = minimize
        gan.feature_step(tensors(batch()))
        found[weight] = max(caught.items(), key=lambda item: item[0])[1]
    assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(found[0.0][:1], found[1.0][:1]))


def test_the_furthest_stage_classifies():
    gan, _ = make()
    for number, name in enumerate(("source_only", "pixels", "model")):
        network = gan.averaged[name]
        network.to_logits.bias.assign(10.0 * np.eye(3)[number])
    names = {0: ["model"], 1: ["model", "source_only"], 2: ["model", "source_only", "pixels"]}
    for seen, label in ((0, 0), (8, 0), (20, 0), (21, 1), (28, 1), (29, 2)):
        gan.images_seen.assign(seen)
        assert list(gan.classifiers) == names[label]
        found = gan.classify(batch()["x"]).numpy()
        np.testing.assert_array_equal(found.argmax(-1), [label] * 4)
        np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert gan.classify(batch()["x"], "pixels").numpy().argmax() % 3 == 1


@pytest.mark.parametrize("stage", STAGES)
def test_replicas_make_the_same_update(stage, tmp_path):
    results, start = {}, None
    for replicas in (1, 2):
        gan, strategy = make(replicas, optimizer="sgd", learning_rate=1e-2, learning_rate_decay=False, batch_size=4,
                             classifier_dropout=0.0)
        if start is None:
            start = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "start"))
        tf.train.Checkpoint(gan=gan).read(start)
        before = weights(gan)
        data = tf.data.Dataset.from_tensor_slices(batch()).batch(4, drop_remainder=True)
        compile_steps(gan, strategy, {"stage": stage})(iter(strategy.experimental_distribute_dataset(data)),
                                                       tf.constant(1))
        results[replicas] = weights(gan)
    assert moved(before, results[2]) == NETWORKS[stage]
    for name in results[1]:
        for one, two in zip(results[1][name], results[2][name]):
            np.testing.assert_allclose(two, one, atol=2e-5, err_msg=name)  # Adam's first step makes rounding visible


@pytest.mark.parametrize("changes, words", [
    ({"target": None}, "--target is needed"), ({"steps": 7}, "--steps 7: the stages before the last take 7 steps"),
    ({"steps": None, "images": 28}, "--images 28: the stages before the last take 7 steps"),
    ({"init_from": "x"}, "--init-from x"), ({"target": np.zeros(3)}, "target: ndarray; needed"),
    ({"epochs": 3, "steps": None}, "--epochs 3: the stages are counted in steps"),
    ({"source_steps": 0}, "--source-steps 0"), ({"semantic_weight": -1.0}, "--semantic-weight -1.0"),
    ({"classifier_dropout": 1.0}, "--classifier-dropout 1.0"), ({"image_size": "20"}, "--image-size 20"),
    ({"feature_weight": float("nan")}, "--feature-weight nan")])
def test_bad_options(changes, words):
    with pytest.raises(UserError) as caught:
        dataclasses.replace(METHOD.Config(), **{**SMALL, **changes}).check()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def split_of(folder, classes, level=0):
    from PIL import Image
    for number, name in enumerate(classes):
        for i in range(3):
            path = folder / "train" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full([32, 32, 3], level + 20 * number + i, np.uint8)).save(path)
    return str(folder)


def test_labels_of_the_target_are_left_out_or_brought_into_order(tmp_path):
    source, target = split_of(tmp_path / "s", "abc"), split_of(tmp_path / "t", ("b", "c", "a"), 100)
    config = dataclasses.replace(METHOD.Config(), dataset=source, target=target)
    found = domains.load_domains(config)
    assert list(found) == ["trainA", "testA", "trainB", "testB"]
    assert found["trainA"].class_names == ("a", "b", "c") and found["trainB"].class_names is None
    assert list(next(iter(found["trainB"].records.map(found["trainB"].decode)))) == ["image"]
    labelled = domains.load_domains(dataclasses.replace(config, target_labels=True))["trainB"]
    assert labelled.class_names == ("a", "b", "c")
    other = split_of(tmp_path / "o", "xyz")
    with pytest.raises(UserError, match="--target-labels: .* has the classes x, y, z; needed: those of .*: a, b, c"):
        domains.load_domains(dataclasses.replace(config, target=other, target_labels=True))
    domains.load_domains(dataclasses.replace(config, target=other))
    with pytest.raises(UserError, match="has no labels, which the source needs"):
        config.fitted((32, 32, 3), None)




@pytest.mark.parametrize("stage", STAGES)
def test_averages_stay_as_they_are_where_nothing_learns(stage):
    gan, _ = make()
    gan.images_seen.assign(gan.config.starts()[stage])
    gan.begin_phase()
    for target, source in zip(gan.averaged_variables, gan.averaged_from):
        target.assign(source)
        source.assign(source + tf.ones_like(source))
    before = [np.copy(variable) for variable in gan.averaged_variables]
    gan.end_step(4)
    moved_ones = {id(variable) for variable, old in zip(gan.averaged_variables, before)
                  if np.abs(np.asarray(variable) - old).max() > 0}
    expected = {"source": [gan.averaged["source_only"]], "translation": [gan.average_xy, gan.average_yx],
                "pixels": [gan.averaged["pixels"]], "features": [gan.averaged["model"]]}[stage]
    assert moved_ones == {id(variable) for network in expected for variable in network.variables}


def test_the_players_rates_are_0_at_the_end_of_their_stage():
    gan, _ = make()
    assert gan.decay_images() == gan.config.starts()["pixels"] == 20
