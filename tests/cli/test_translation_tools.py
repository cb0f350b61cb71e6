"""The methods that translate, through the tools: trained, killed, resumed, measured, exported, used."""
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

import tf2gan
from tf2gan.core import images
from tf2gan.data.synthetic import render_facade, render_labels

SMALL = ("--generator-filters", "4", "--discriminator-filters", "4", "--batch-size", "2", "--deterministic")
EVERY = ("--log-every", "2", "--checkpoint-every", "3", "--sample-every", "5")
# {name: its options}; all throw dice.
MODELS = {
    "cyclegan": ("--model", "cyclegan", "--image-size", "32", "--num-blocks", "1", "--pool-size", "3"),
    "augmented-cyclegan": ("--model", "augmented-cyclegan", "--image-size", "32", "--num-blocks", "1",
                           "--encoder-filters", "2", "--pool-size", "3", "--projected-weight", "0"),
    "pix2pix": ("--model", "pix2pix", "--image-size", "64", "--direction", "b2a"),
    "cut": ("--model", "cut", "--image-size", "32", "--num-blocks", "1", "--vector-size", "8", "--num-patches", "9",
            "--flip-equivariance"),
}
NUM = 20  # pairs, of which two are held out


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """{model: a folder that it learns from}."""
    root = tmp_path_factory.mktemp("data")
    for number in range(NUM):
        pair = [render_facade("train", number, 64), render_labels("train", number, 64)]
        images.write_image(root / "fronts" / f"{number:02d}.png", np.concatenate(pair, axis=1))
        for domain, image in zip("AB", pair):
            for kind in ("train", "test") if number < 3 else ("train",):
                images.write_image(root / "apart" / f"{kind}{domain}" / f"{number}.png", image)
    return {name: root / ("fronts" if name == "pix2pix" else "apart") for name in MODELS}


def arguments(name, data):
    return [*MODELS[name], *SMALL, *EVERY, "--dataset", data[name], "--steps", "8"]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """{model: the folder of a run without interruption}, not to be changed."""
    found = {}
    for name in MODELS:
        found[name] = tmp_path_factory.mktemp("runs") / name
        process = tool.run_here(*arguments(name, data), "--run-dir", found[name])
        assert process.returncode == 0, process.stderr
    return found


@pytest.mark.parametrize("name", MODELS)
def test_killed_and_gone_on_with(trained, data, tmp_path, name):
    folder = tmp_path / "run"
    tool.run_here_until(5, *arguments(name, data), "--run-dir", folder)
    assert tool.checkpoints(folder) == [3]
    process = tool.run_here("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, trained[name])


def test_pairs_are_measured_beside_their_baselines(trained):
    result = tf2gan.Run(trained["pix2pix"]).evaluate("kid,swd")
    text = str(result)
    for word in ("l1_b2a", "psnr_b2a", "ssim_b2a", "perceptual_b2a", "mean target", "input", "untrained"):
        assert word in text
    assert "a2b" not in text and "cycle_l1" not in text


def test_what_the_baselines_of_pairs_are(trained, data):
    from tf2gan.evaluation import translated
    from tf2gan.runs.restore import load_gan

    gan, record = load_gan(trained["pix2pix"])
    found = translated.load_data(str(data["pix2pix"]), (64, 64), record)
    source = found.images("testB")
    errors = translated.baseline_errors(found, source, "B", "A")
    fronts, labels = (np.stack([draw("train", number, 64) for number in range(NUM)]).astype(float)
                      for draw in (render_facade, render_labels))
    assert errors["input"]["l1"] == pytest.approx(np.abs(fronts[-2:] - labels[-2:]).mean() / 255, abs=1e-4)
    mean = np.rint(fronts[:-2].mean(axis=0))
    assert errors["mean_target"]["l1"] == pytest.approx(np.abs(fronts[-2:] - mean).mean() / 255, abs=1e-3)


def test_colouring_is_measured_beside_grey_and_one_colour(data):
    from tf2gan.evaluation import translated

    record = {"model": "pix2pix", "config": {"input_from": "grey"}}
    found = translated.load_data(str(data["pix2pix"]), (64, 64), record)
    source = found.images("testA")
    errors = translated.baseline_errors(found, source, "A", "B")
    (inputs, _), (targets, _) = next(source.batches()), next(found.images("testB").batches())
    (train, _) = next(found.images("trainB").batches())
    tint = train.mean(axis=(0, 1, 2)) - train.mean(axis=(0, 1, 2)) @ [0.2989, 0.587, 0.114]
    tinted = np.rint(np.clip(inputs + tint, 0, 255)).astype(np.uint8)
    for column, guesses in (("input", inputs), ("mean_color", tinted)):
        expected = translated.lab_errors(guesses, targets).mean()
        assert errors[column]["lab_l1"] == pytest.approx(expected, rel=0.01)
    assert errors["mean_color"]["lab_l1"] < errors["input"]["lab_l1"]


def check_near(pixels, others):
    """Threads add up in any order, so a value between two levels may be rounded to either."""
    assert np.abs(pixels.astype(int) - others).max() <= 1


@pytest.mark.parametrize("name", ["pix2pix", "cut"])
def test_one_direction_is_exported_and_used(trained, data, tmp_path, name):
    direction, other = {"pix2pix": ("b2a", "a2b"), "cut": ("a2b", "b2a")}[name]
    run = tf2gan.Run(trained[name])
    folder = run.export(tmp_path / "exported")
    card = json.loads((folder / "model_card.json").read_text())
    assert card["directions"] == [direction] and card["model"] == name
    assert set(tf.saved_model.load(str(folder)).signatures) >= {direction, f"{direction}_bytes"}
    model, picture = tf2gan.load(folder), render_facade("test", 0, 70)[:, :50]
    made = model.translate(picture, direction)
    assert made.shape == picture.shape and made.dtype == np.uint8
    check_near(tf2gan.load(trained[name]).translate(picture, direction), made)
    with pytest.raises(tf2gan.UserError, match=f"direction '{other}'"):
        model.translate(picture, other)
    output = tmp_path / "made.png"
    images.write_image(tmp_path / "given.png", picture)
    main = tool.main("translate")
    main(["--savedmodel", str(folder), "--direction", direction, "--input", str(tmp_path / "given.png"), "--output",
          str(output)])
    check_near(np.asarray(Image.open(output)), made)
    main(["--savedmodel", str(folder), "--input", str(tmp_path / "given.png"), "--output", str(output), "--overwrite"])
    check_near(np.asarray(Image.open(output)), made)
    check_near(model.translate(picture), made)
    line = tool.refusal(main, ["--run", str(trained[name]), "--direction", other, "--input",
                               str(tmp_path / "given.png"), "--output", str(tmp_path / "no.png")])
    assert other in line and direction in line
    assert run.report().exists()


def test_many_translations_of_a_picture(trained, tmp_path):
    given, run = tmp_path / "given.png", str(trained["augmented-cyclegan"])
    images.write_image(given, render_labels("test", 0, 70)[:, :50])
    main = tool.main("translate")
    common = ["--run", run, "--direction", "a2b", "--input", str(given)]
    main([*common, "--num", "2", "--seed", "7", "--output", str(tmp_path / "many") + "/"])
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["given-1.png", "given-2.png"]
    model = tf2gan.load(run)
    made = model.translate([images.read_image(given)] * 2, "a2b", model.styles(2, 7))
    for number, expected in enumerate(made, start=1):
        check_near(images.read_image(tmp_path / "many" / f"given-{number}.png"), expected)
    style = tmp_path / "style.png"
    images.write_image(style, render_facade("test", 3, 64))
    main([*common, "--style", str(style), "--output", str(tmp_path / "styled.png")])
    check_near(images.read_image(tmp_path / "styled.png"),
               model.translate(images.read_image(given), "a2b", model.style_of(images.read_image(style))))
    for flags, words in ((["--num", "0"], "--num 0: must be from 1"), (["--seed", "1"], "is of the styles of --num"),
                         (["--num", "2", "--style", str(style)], "one of --style and --num"),
                         (["--style", str(tmp_path / "none.png")], "none.png")):
        assert words in tool.refusal(main, [*common, *flags, "--output", str(tmp_path / "no.png")])
    plain = ["--run", str(trained["cyclegan"]), "--direction", "a2b", "--input", str(given), "--num", "2"]
    assert "no styles" in tool.refusal(main, [*plain, "--output", str(tmp_path / "no.png")])
    assert not list(tmp_path.glob("no*"))


def test_photographs_alone_teach_colouring(tmp_path):
    for number in range(NUM):
        images.write_image(tmp_path / "photos" / f"{number}.png", render_facade("train", number, 64))
    process = tool.run_here("--model", "pix2pix", "--input-from", "grey", "--dataset", tmp_path / "photos", *SMALL,
                            "--image-size", "64", "--steps", "2", "--run-dir", tmp_path / "run")
    assert process.returncode == 0, process.stderr
    assert "held out" in process.stderr + process.stdout
    model = tf2gan.load(tmp_path / "run")
    picture = render_facade("test", 0, 64)
    grey = np.repeat(np.asarray(tf.image.rgb_to_grayscale(picture)), 3, axis=-1)
    assert np.abs(model.translate(picture).astype(int) - model.translate(grey)).max() <= 2
    assert "l1_a2b" in str(tf2gan.Run(tmp_path / "run").evaluate("swd"))


def test_arrays_of_pairs(tmp_path):
    a, b = (np.stack([draw("train", number, 64) for number in range(10)]) for draw in (render_labels, render_facade))
    options = {"image_size": 64, "generator_filters": 2, "discriminator_filters": 2, "batch_size": 2}
    run = tf2gan.train("pix2pix", (a, b), steps=1, run_dir=tmp_path / "run", **options)
    run.resume((a, b), steps=2)
    assert run.metrics()[-1]["step"] == 2
    photos = tf2gan.train("pix2pix", b, input_from="edges", steps=1, run_dir=tmp_path / "edges", **options)
    assert photos.metrics()[-1]["step"] == 1


@pytest.mark.parametrize("flags, words", [
    (("--model", "augmented-cyclegan", "--identity-weight", "5"), "--identity-weight"),
    (("--model", "pix2pix", "--dataset", "mnist"), "which of its images are pairs is not known"),
    (("--model", "pix2pix", "--image-size", "100"), "--image-size 100: height and width must be powers of 2"),
    (("--model", "cut", "--generator", "unet"), "--generator unet"),
    (("--model", "cut", "--cycle-weight", "5"), "--cycle-weight"),
    (("--model", "pix2pix", "--input-from", "gray"), "--input-from gray"),
    (("--model", "pix2pix", "--direction", "ab"), "--direction ab")])
def test_bad_input_is_one_line(tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    process = tool.run_here(*flags, "--steps", "1")
    assert process.returncode == 2 and words in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())


def test_pairs_that_do_not_match_are_all_listed(data, tmp_path):
    broken = shutil.copytree(data["cyclegan"], tmp_path / "broken")
    (broken / "trainA" / "5.png").unlink()
    images.write_image(broken / "trainB" / "6.png", np.zeros([8, 9, 3], np.uint8))
    process = tool.run_here("--model", "pix2pix", "--image-size", "64", "--dataset", broken, "--steps", "1",
                            "--run-dir", tmp_path / "run")
    assert process.returncode == 2 and "trainB/5.png" in process.stderr
    assert not (tmp_path / "run").exists()
