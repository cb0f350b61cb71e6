"""Figures of images made from latents and of folders, recomputed from images and features; anchors, names, cache."""
import json
import os
import pathlib
import re
import shutil
import types

import numpy as np
import pytest
import shades
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.evaluation import comparison, image_sets
from tf2gan.evaluation.evaluate import evaluate_images, evaluate_run, evaluate_savedmodel
from tf2gan.export import exporter
from tf2gan.metrics import classifier, registry, similarity, sliced_wasserstein, statistics
from tf2gan.runs.record import from_record
from tf2gan.runs.restore import load_gan
from tf2gan.training.loop import build_gan

NUM, SEED = 40, 5
ALL = ",".join(registry.METRICS)
COLUMNS = ("model", "untrained", "real_train")


@pytest.fixture(scope="module", params=list(shades.RUNS))
def evaluated(request, readers, data, tmp_path_factory):
    """A run that was measured: `model`, `run`, `result`, and the `reader` that was used."""
    run = shades.RUNS[request.param](tmp_path_factory)
    result = evaluate_run(run, shades.settings(num=NUM, seed=SEED, metrics=ALL))
    return types.SimpleNamespace(model=request.param, run=run, result=result, reader=readers[-1])


@pytest.fixture(scope="module")
def gan_run(tmp_path_factory):
    return shades.gan_run(tmp_path_factory)


def untrained(model, data):
    """The GAN that a training begins with."""
    gan_class, config = from_record({"model": model, "config": {
        "dataset": str(data), "image_size": "16", "latent_size": 5, "seed": shades.SEED, "channels": 1,
        **({"num_classes": 3, "generator_filters": 2, "discriminator_filters": 2, "discriminator_condition": "projection",
            "generator_condition": "normalization"} if model == "cgan" else
           {"generator_widths": "4", "discriminator_widths": "4"})}})
    return build_gan(gan_class, config, 8, tf.distribute.get_strategy())


def by_hand(reader, real, fake):
    """{metric: value} of images beside `real`, both uint8 in their order."""
    features, probabilities = [[reader(images)[kind] for images in (real, fake)]
                               for kind in ("features", "probabilities")]
    shares = [np.bincount(part.argmax(-1), minlength=3) / len(part) for part in probabilities]
    num = min(len(real), len(fake))
    patches = [sliced_wasserstein.Descriptors((16, 16, 1), SEED).add(images[:num]).arrays() for images in (real, fake)]
    even = len(fake) // 2 * 2
    return {"fid": statistics.frechet_distance(*features),
            "kid": statistics.kernel_distance(*features, 100, num // 2, SEED)[0],
            "is": statistics.inception_score(probabilities[1], 10)[0],
            **dict(zip(("precision", "recall"), statistics.precision_recall(*features, 3))),
            **dict(zip(("density", "coverage"), statistics.density_coverage(*features, 5))),
            "swd": sliced_wasserstein.sliced_wasserstein(*patches, SEED)["swd"],
            "ms_ssim": similarity.ms_ssim(fake[0:even:2], fake[1:even:2]).mean(),
            "class_distance": np.abs(shares[0] - shares[1]).sum() / 2,
            "sure": (probabilities[1].max(-1) >= 0.9).mean()}


def sets_of(evaluated, data):
    """{column: (images, labels)}, and the reference as one of them."""
    gan, _ = load_gan(evaluated.run)
    return {"model": shades.samples(gan, NUM, SEED),
            "untrained": shades.samples(untrained(evaluated.model, data), NUM, SEED),
            "real_train": shades.drawn(data, "train", NUM, SEED),
            "reference": shades.drawn(data, "test", 10 ** 4, SEED)}


def test_every_figure_is_that_of_these_images_and_features(evaluated, data):
    sets = sets_of(evaluated, data)
    real, labels = sets["reference"]
    assert (evaluated.reader.predict(real) == labels).mean() > 0.9, "or the data are not told apart"
    for name in COLUMNS:
        found = shades.column(evaluated.result, name)
        found.pop("agreement", None)
        expected = by_hand(evaluated.reader, real, sets[name][0])
        assert found.keys() == expected.keys()
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), name
    fid = {name: shades.column(evaluated.result, name)["fid"] for name in COLUMNS}
    assert fid["real_train"] < 0.5 * min(fid["model"], fid["untrained"]) and fid["model"] != fid["untrained"]


def test_deviations_are_of_what_varies(evaluated, data):
    figures = {figure["metric"]: figure for figure in evaluated.result["figures"]}
    assert {name for name, figure in figures.items() if "deviations" in figure} == {"kid", "is", "ms_ssim"}
    fake, _ = sets_of(evaluated, data)["model"]
    pairs = similarity.ms_ssim(fake[::2], fake[1::2])
    assert figures["ms_ssim"]["deviations"]["model"] == pytest.approx(pairs.std(ddof=1) / np.sqrt(20), rel=1e-4)
    assert figures["is"]["deviations"]["model"] == pytest.approx(
        statistics.inception_score(evaluated.reader(fake)["probabilities"])[1], rel=1e-4, abs=1e-6)
    assert {name: figure["better"] for name, figure in figures.items()} == {
        **dict.fromkeys(("fid", "kid", "swd", "ms_ssim", "class_distance"), "lower"),
        **dict.fromkeys(("is", "precision", "recall", "density", "coverage"), "higher"), "sure": None,
        **({"agreement": "higher"} if evaluated.model == "cgan" else {})}


def test_names_carry_the_protocol(evaluated):
    extractor = evaluated.reader.name
    assert re.fullmatch("classifier-shades-16x16x1-[0-9a-f]{6}", extractor)
    for figure in evaluated.result["figures"]:
        of_pixels = figure["metric"] in ("swd", "ms_ssim")
        number = ("_" if "_" in figure["metric"] else "") + str(NUM)
        assert figure["name"] == f"{figure['metric']}{number}_shades-test" + ("" if of_pixels else f"_{extractor}")


def test_the_protocol_is_all_that_the_figures_depend_on(evaluated):
    protocol = dict(evaluated.result["protocol"])
    assert protocol.pop("versions").keys() >= {"tf2gan", "tensorflow", "numpy"}
    extractor = protocol.pop("extractor")
    assert (extractor["name"], extractor["hash"]) == (evaluated.reader.name, evaluated.reader.hash)
    assert extractor["accuracy"] == evaluated.reader.accuracy > 0.9
    assert protocol == {
        "source": f"run of {evaluated.model}", "images_seen": shades.IMAGES_SEEN, "dataset": "shades", "split": "test",
        "num_fake": NUM, "num_real": 22, "floor": {"split": "train", "num": 36}, "image_shape": [16, 16, 1],
        "resize": "none", "seed": SEED, "weights": "averaged",
        "kid": {"kernel": "(x.y / d + 1)^3", "subsets": 100, "subset_size": 11}, "is": {"splits": 10},
        "pr": {"neighbors": 3}, "dc": {"neighbors": 5}, "ms-ssim": {"pairs": 20},
        "swd": {"patches": "128 of 7x7 of each image and level", "directions": 512, "scaled_by": 1000, "num": 22},
        "classes": {"sure": "read with a probability of 0.9 or more"}}
    assert json.loads(json.dumps(evaluated.result)) == evaluated.result
    assert "/" not in json.dumps(evaluated.result["protocol"]).replace("x.y / d", "")


def test_classes_are_counted_and_asked_for(evaluated, data):
    classes, sets = evaluated.result["classes"], sets_of(evaluated, data)
    read = {name: evaluated.reader.predict(images) for name, (images, _) in sets.items()}
    assert classes["names"] == list(shades.LEVELS)
    assert classes["shares"] == {name: [np.mean(part == label) for label in range(3)] for name, part in read.items()}
    if evaluated.model == "gan":
        assert classes.keys() == {"names", "shares"}
        return
    assert classes["confusion"].keys() == classes["agreement"].keys() == {"model", "untrained", "reference"}
    for name, part in classes["confusion"].items():
        asked = sets[name][1]
        assert part["confusion"] == [[int(np.sum((asked == row) & (read[name] == column))) for column in range(3)]
                                     for row in range(3)]
        assert part["overall"] == pytest.approx(np.mean(asked == read[name]))
        assert classes["agreement"][name] == [np.mean(read[name][asked == label] == label) for label in range(3)]
    (agreement,) = [figure for figure in evaluated.result["figures"] if figure["metric"] == "agreement"]
    assert agreement["values"] == {name: part["overall"] for name, part in classes["confusion"].items()}


def test_figures_of_a_generator_that_errs_in_a_known_way(evaluated, monkeypatch):
    """Networks of a few steps make nothing that a classifier could read."""
    def levels(latents, labels):
        return np.where(latents[:, 0] > 0.5, (labels + 1) % 3, labels)  # N(0, 1): in 31 of 100 the next class

    def generate(self, latents, *condition):
        def draw(latents, *condition):
            labels = levels(latents, condition[0] if condition else np.where(latents[:, 1] > 1, 2, 0))
            labels = labels if self.images_seen.numpy() else 0 * labels + 1
            texture = np.random.default_rng(0).normal(0, 6, [16, 16, 1])
            pixels = np.array(list(shades.LEVELS.values()))[labels][:, None, None, None] + texture
            return (pixels / 127.5 - 1).astype(np.float32)

        return tf.numpy_function(draw, [latents, *condition], tf.float32)

    gan, _ = load_gan(evaluated.run)
    monkeypatch.setattr(type(gan), "generate", generate)
    result = evaluate_run(evaluated.run, shades.settings(num=300, metrics="classes"))
    latents, asked = gan.latents(300, 0).numpy(), np.random.default_rng(0).permutation(np.arange(300) % 3)
    classes, real = result["classes"], np.array(list(shades.NUM_TEST.values())) / 22
    if evaluated.model == "cgan":
        confusion = np.bincount(3 * asked + levels(latents, asked), minlength=9).reshape(3, 3)
        assert (confusion > 0).sum() == 6 and len(set(np.diag(confusion))) == 3
        assert classes["confusion"]["model"]["confusion"] == confusion.tolist()
        assert classes["agreement"]["model"] == (np.diag(confusion) / 100).tolist()
        assert classes["confusion"]["untrained"]["confusion"] == [[0, 100, 0]] * 3
        assert shades.column(result, "model")["agreement"] == pytest.approx(np.trace(confusion) / 300)
        assert shades.column(result, "untrained")["agreement"] == pytest.approx(1 / 3)
        assert f"{np.trace(confusion) / 300:.4f}" in result["table"]
    else:
        counts = np.bincount(levels(latents, np.where(latents[:, 1] > 1, 2, 0)), minlength=3)
        assert len(set(counts)) == 3
        assert classes["shares"]["model"] == (counts / 300).tolist()
        assert shades.column(result, "model")["class_distance"] == pytest.approx(np.abs(counts / 300 - real).sum() / 2)
        assert shades.column(result, "untrained")["class_distance"] == pytest.approx(1 - real[1])
        assert f"{counts[0] / 300:.1%}" in result["table"]


# What figures do not depend on, and what they do.

def assert_close(result, expected):
    """The same figures to what rounding of float32 in batches may move."""
    assert [figure["name"] for figure in result["figures"]] == [figure["name"] for figure in expected["figures"]]
    for figure, other in zip(result["figures"], expected["figures"]):
        assert figure["values"] == pytest.approx(other["values"], rel=1e-3, abs=1e-5), figure["metric"]


def classifiers_only(tmp_path, monkeypatch):
    """A cache of classifiers without features."""
    shutil.copytree(pathlib.Path(os.environ["TF2GAN_CACHE_DIR"]) / "classifiers", tmp_path / "classifiers")
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(classifier, "train_classifier", lambda *args: pytest.fail("trained anew"))


def test_batches_change_nothing_but_rounding(evaluated, monkeypatch, tmp_path):
    classifiers_only(tmp_path, monkeypatch)
    monkeypatch.setattr(image_sets, "batch_size", lambda shape: 7)
    result = evaluate_run(evaluated.run, shades.settings(num=NUM, seed=SEED, metrics=ALL))
    assert_close(result, evaluated.result)
    assert result["protocol"] == evaluated.result["protocol"]


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)
def test_real_images_are_read_once_for_all_evaluations(evaluated, monkeypatch, tmp_path):
    read = []
    call = classifier.Reader.__call__
    monkeypatch.setattr(classifier.Reader, "__call__", lambda self, images: read.append(len(images)) or call(
        self, images))
    classifiers_only(tmp_path, monkeypatch)

    def evaluate(**changes):
        read.clear()
        settings = shades.settings(**{"num": NUM, "seed": SEED, "metrics": ALL, **changes})
        return evaluate_run(evaluated.run, settings)

    assert evaluate() == evaluated.result and sum(read) == 2 * NUM + 22 + 36
    assert evaluate() == evaluated.result and sum(read) == 2 * NUM
    evaluate(metrics="fid")
    assert sum(read) == 2 * NUM, "whatever is measured, the same is kept"
    evaluate(num=20)  # fewer of train; all of test as before
    assert sum(read) == 2 * 20 + 20
    evaluate(seed=6)
    assert sum(read) == 2 * NUM + 22 + 36


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)
def test_raw_weights_have_other_figures_and_say_so(evaluated):
    result = evaluate_run(evaluated.run, shades.settings(num=NUM, seed=SEED, metrics="fid,ms-ssim"), weights="raw")
    assert result["protocol"]["weights"] == "raw"
    for figure, name in zip(result["figures"], (f"fid{NUM}_shades-test_{evaluated.reader.name}_raw",
                                                f"ms_ssim_{NUM}_shades-test_raw")):
        averaged = next(each for each in evaluated.result["figures"] if each["metric"] == figure["metric"])
        assert figure["name"] == name
        assert figure["values"]["model"] != pytest.approx(averaged["values"]["model"], rel=1e-3)
        for anchor in ("untrained", "real_train"):
            assert figure["values"][anchor] == averaged["values"][anchor]


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)
def test_a_checkpoint_that_is_chosen(evaluated):
    result = evaluate_run(evaluated.run, shades.settings(num=NUM, metrics="ms-ssim"),
                          checkpoint=str(shades.STEPS * shades.BATCH_SIZE))
    assert result["protocol"]["images_seen"] == shades.STEPS * shades.BATCH_SIZE
    latest = evaluate_run(evaluated.run, shades.settings(num=NUM, metrics="ms-ssim"))
    assert shades.column(result, "model") != shades.column(latest, "model")
    assert shades.column(result, "untrained") == shades.column(latest, "untrained")


@pytest.mark.parametrize("evaluated", ["gan"], indirect=True)
def test_the_untrained_anchor_is_the_network_that_the_run_began_with(evaluated, data, tmp_path):
    new = shades.train("gan", data, tmp_path / "new", "--steps", "1", "--ema-decay", "none",
                       "--generator-learning-rate", "0", "--discriminator-learning-rate", "0")
    result = evaluate_run(new, shades.settings(num=NUM, seed=SEED, metrics=ALL))
    assert shades.column(result, "model") == shades.column(result, "untrained")
    assert shades.column(result, "untrained") == shades.column(evaluated.result, "untrained")
    assert result["protocol"]["weights"] == "raw" and result["figures"][0]["name"].endswith("_raw")


# Exports.

def test_an_export_has_the_figures_of_its_run(evaluated, data, tmp_path_factory):
    if evaluated.model == "gan":
        folder = shades.gan_export(tmp_path_factory)
    else:
        gan, record = load_gan(evaluated.run)
        folder = exporter.export(gan, tmp_path_factory.mktemp("exports") / "asked", card=record)
    result = evaluate_savedmodel(folder.parent, shades.settings(num=NUM, seed=SEED, metrics=ALL), str(data))
    run = {**evaluated.result, "figures": [figure for figure in evaluated.result["figures"]
                                           if figure["metric"] in {each["metric"] for each in result["figures"]}]}
    assert_close(result, run)
    assert len(result["figures"]) >= 11
    protocol = {**evaluated.result["protocol"], "source": f"export {folder.parent.name}, version 1"}
    assert result["protocol"] == protocol


def test_an_export_whose_options_are_no_more_has_no_untrained_anchor(data, tmp_path_factory, tmp_path):
    folder = shutil.copytree(shades.gan_export(tmp_path_factory), tmp_path / "old" / "3")
    card = json.loads((folder / "model_card.json").read_text())
    card["config"]["generator_magic"] = 7
    (folder / "model_card.json").write_text(json.dumps(card))
    result = evaluate_savedmodel(folder, shades.settings(num=NUM, metrics="fid"), str(data))
    assert result["figures"][0]["values"].keys() == {"model", "real_train"}
    assert "generator-magic" in result["protocol"]["untrained"].replace("_", "-")
    assert "untrained" not in result["table"]


def test_what_is_no_export_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    for folder, words in ((tmp_path / "no", "does not exist"), (tmp_path, "no model_card.json")):
        with pytest.raises(UserError, match=words):
            evaluate_savedmodel(folder)


# Folders.

def images_of(data, folder, num):
    """A folder with the first images of each class of the test split."""
    for name in shades.LEVELS:
        for i in range(num):
            (folder / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(data / "test" / name / f"{i}.png", folder / name)
    return folder


def test_a_folder_beside_itself_is_perfect(data):
    result = evaluate_images(str(data / "test"), str(data), shades.settings())
    found, floor = shades.column(result, "model"), shades.column(result, "real_train")
    assert found["fid"] == pytest.approx(0, abs=1e-4) and floor["fid"] > 100 * found["fid"]
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["class_distance"] == 0 and "agreement" not in found
    assert result["protocol"]["source"] == "folder test" and result["protocol"]["num_fake"] == 22
    assert "weights" not in result["protocol"] and "untrained" not in result["table"]
    assert result["figures"][0]["name"].startswith("fid22_shades-test_classifier-shades-")


def test_exchanged_folders_exchange_precision_and_recall(data, tmp_path):
    """With an extractor of its own, since a classifier would learn either folder."""
    module = tf.Module()

    def features(images):  # mean, and deviation over the rows
        return {"features": tf.stack([tf.reduce_mean(images, [1, 2, 3]), tf.math.reduce_std(
            tf.reduce_mean(images, [2, 3]), axis=1)], axis=1)}

    tf.saved_model.save(module, str(tmp_path / "mean"), tf.function(features, input_signature=[
        tf.TensorSpec([None, None, None, 1], tf.float32)]).get_concrete_function())
    few = images_of(data, tmp_path / "few", 4)
    shades.write(few / "dark" / "black.png", np.zeros([16, 16], np.uint8))

    def evaluate(folder, against):
        return shades.column(evaluate_images(str(folder), str(against), shades.settings(
            metrics="fid,pr", extractor=f"savedmodel:{tmp_path / 'mean'}")), "model")

    there, back = evaluate(few, data / "train"), evaluate(data / "train", few)
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])
    assert 0 < there["precision"] < 1 and 0 < there["recall"] and there["precision"] != there["recall"]
    assert there["fid"] == pytest.approx(back["fid"])


def test_probabilities_that_an_extractor_lacks_are_missed_at_any_time(data, tmp_path):
    """Also where the features of all images lie in the cache already."""
    tf.saved_model.save(tf.Module(), str(tmp_path / "mean"), tf.function(
        lambda images: {"features": tf.reduce_mean(images, [1, 2])},
        input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32)]).get_concrete_function())
    extractor = f"savedmodel:{tmp_path / 'mean'}"
    for _ in range(2):
        with pytest.raises(UserError, match="gives no probabilities; --metrics can be fid,kid,pr,dc,swd,ms-ssim"):
            evaluate_images(str(data / "test"), str(data), shades.settings(
                metrics="is", extractor=extractor))
        evaluate_images(str(data / "test"), str(data), shades.settings(metrics="fid", extractor=extractor))


def test_classes_are_read_by_the_classifier_whatever_gives_the_features(data, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "mean"), tf.function(
        lambda images: {"features": tf.reduce_mean(images, [1, 2])},
        input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32)]).get_concrete_function())
    alone = evaluate_images(str(data / "test"), str(data), shades.settings(metrics="classes"))
    for _ in range(2):  # the second time from the cache
        both = evaluate_images(str(data / "test"), str(data), shades.settings(
            metrics="fid,classes", extractor=f"savedmodel:{tmp_path / 'mean'}"))
        fid, *classes = both["figures"]
        assert "savedmodel-mean" in fid["name"] and classes == alone["figures"]
        assert both["protocol"]["extractor"]["classes"]["name"] == alone["protocol"]["extractor"]["name"]
        assert both["classes"] == alone["classes"]


def test_data_without_labels(data, gan_run, tmp_path):
    flat = shutil.copytree(data / "train" / "dark", tmp_path / "flat")
    with pytest.raises(UserError) as caught:
        evaluate_images(str(data / "test"), str(flat), shades.settings())
    assert str(caught.value) == ("--extractor classifier: the images of flat are grey, which imagenet has not learned "
                                 "from, and have no labels to learn from; possible: --metrics swd,ms-ssim (in training "
                                 "--evaluate-metrics swd --keep-best swd), a training with --channels 3, or --extractor "
                                 "inception or savedmodel:PATH")
    result = evaluate_run(gan_run, shades.settings(metrics="swd,ms-ssim", num=12), str(flat))
    assert [figure["name"] for figure in result["figures"]] == ["swd12_flat-train", "ms_ssim_12_flat-train"]
    assert result["protocol"]["extractor"] is None and result["protocol"]["floor"] is None
    assert result["protocol"]["num_real"] == 12


def test_data_without_a_test_split(data, readers, gan_run, tmp_path):
    """The classifier is measured on a tenth that it does not learn from; the reference is train itself."""
    seen = []
    alone = shutil.copytree(data / "train", tmp_path / "alone")
    learn = classifier.train_classifier

    def train_classifier(batches, *args):
        batches = iter(batches)
        first = [next(batches) for _ in range(60)]
        seen.extend(image.tobytes() for batch in first for image in np.rint((batch["images"] + 1) * 127.5))
        return learn(first, *args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(classifier, "train_classifier", train_classifier)
        result = evaluate_run(gan_run, shades.settings(metrics="fid"), str(alone))
    assert result["figures"][0]["values"].keys() == {"model", "untrained"}
    assert result["protocol"]["split"] == "train" and result["protocol"]["floor"] is None
    assert result["figures"][0]["name"].startswith("fid36_alone-train_classifier-alone-16x16x1-")
    assert len(set(seen)) == 36 - 4
    assert readers[-1].info["identity"]["key"]["test"] == "every 10th of train in a random order"
    images, labels = shades.files(alone)
    chosen = [image.astype(np.float32).tobytes() not in seen for image in images]
    assert sum(chosen) == 4
    assert readers[-1].accuracy == np.mean(readers[-1].predict(images[chosen]) == labels[chosen])


def test_the_reference_can_be_chosen(data, gan_run):
    result = evaluate_run(gan_run, shades.settings(metrics="fid"), split="train")
    assert result["figures"][0]["name"].startswith("fid36_shades-train_")
    assert result["protocol"]["floor"] == {"split": "test", "num": 22}


@pytest.mark.parametrize("changes, words", [
    ({"num": 9}, "--metrics is: needs at least 10 images, samples has 9"),
    ({"num": 5, "metrics": "fid,dc"}, "--metrics dc: needs at least 6 images, samples has 5"),
    ({"num": 3, "metrics": "pr"}, "--metrics pr: needs at least 4 images, samples has 3"),
    ({"num": 3, "metrics": "ms-ssim"}, "--metrics ms-ssim: needs at least 4 images, samples has 3")])
def test_too_few_images(gan_run, changes, words):
    with pytest.raises(UserError) as caught:
        evaluate_run(gan_run, shades.settings(**changes))
    assert str(caught.value) == words


def test_too_few_real_images(data, gan_run, tmp_path):
    images_of(data, tmp_path / "few", 1)
    with pytest.raises(UserError, match="--metrics ms-ssim: needs at least 4 images, few train has 3"):
        evaluate_run(gan_run, shades.settings(metrics="ms-ssim"), str(tmp_path / "few"))


def test_images_too_small_for_a_metric(data, readers):
    chosen = comparison.chosen(shades.settings(), (10, 40, 1))
    assert "swd" not in chosen and "ms-ssim" not in chosen and "fid" in chosen
    assert "ms-ssim" in comparison.chosen(shades.settings(), (16, 16, 1))
    assert comparison.chosen(shades.settings(metrics="swd,ms-ssim"), (16, 16, 1)) == ("swd", "ms-ssim")
    for metric, size in (("swd", (15, 15)), ("ms-ssim", (10, 40))):
        with pytest.raises(UserError, match=f"--metrics {metric}: images of {size[0]}x{size[1]} are too small for it"):
            evaluate_images(str(data / "test"), str(data), shades.settings(metrics=metric), size)


def test_what_can_be_measured_depends_on_the_extractor():
    def names(extractor):
        return comparison.chosen(shades.settings(extractor=extractor), (32, 32, 3))

    assert names("classifier") == ("fid", "kid", "is", "pr", "dc", "ms-ssim", "classes")
    assert names("inception") == names("imagenet") == names(None) == names("classifier")
    assert set(names("classifier")) - set(names("savedmodel:x")) == {"is"}
    unlabelled = comparison.chosen(shades.settings(extractor=None), (32, 32, 3), labelled=False)
    assert set(names(None)) - set(unlabelled) == {"classes"}
    assert comparison.chosen(shades.settings(metrics="swd, FID,swd"), (32, 32, 3)) == ("swd", "fid")


# What has changed since training.

@pytest.mark.parametrize("change", ["renamed", "added", "no classes"])
def test_other_data_than_in_training_are_refused(data, tmp_path, change, monkeypatch):
    changed = shutil.copytree(data, tmp_path / "changed")
    run = shades.train("gan", changed, tmp_path / "run", "--steps", "1")
    for split in (changed / "train", changed / "test"):
        if change == "renamed":  # and so in another order
            (split / "dark").rename(split / "night")
        elif change == "added":
            shutil.copytree(split / "dark", split / "extra")
        else:
            shutil.move(split / "dark" / "0.png", split / "0.png")
            for name in shades.LEVELS:
                shutil.rmtree(split / name)
    monkeypatch.setattr(classifier, "train_classifier", lambda *args: pytest.fail("has begun to work"))
    with pytest.raises(UserError, match="changed") as caught:
        evaluate_run(run, shades.settings())
    assert "\n" not in str(caught.value)
    assert not (run / "evaluation.json").exists()


def test_split_and_nearest_are_not_for_translations(tmp_path_factory, tmp_path):
    run = shades.cyclegan_run(tmp_path_factory)
    with pytest.raises(UserError, match="--split: translations are measured on testA and testB"):
        evaluate_run(run, split="test")
    with pytest.raises(UserError, match="--nearest: is for images made from latents"):
        evaluate_run(run, nearest=str(tmp_path))
