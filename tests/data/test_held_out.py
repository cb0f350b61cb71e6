"""Training images that are kept back: how many, which, and that nothing else changes."""
import dataclasses

import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.data import held_out, pipeline
from tf2gan.data.split import Split
from tf2gan.gans import GANS
from tf2gan.training.plan import epoch_images


def split(num=100, name="train"):
    records = tf.data.Dataset.range(num)
    return Split(name, num, records, lambda record: {"image": tf.fill([4, 4, 1], tf.cast(record, tf.uint8))}, 8,
                 image_shape=(4, 4, 1), fingerprint="f")


def numbers(part):
    return [int(record) for record in part.records]


def config(**changes):
    return dataclasses.replace(GANS["gan"].Config(), image_size="4", channels=1, batch_size=8, **changes)


def test_the_parts_are_the_whole():
    whole = split()
    found = held_out.divided({"train": whole}, config(held_out=15))
    assert found.keys() == {"train", "held_out", "kept"} and found["train"] is whole
    parts = numbers(found["held_out"]), numbers(found["kept"])
    assert [len(part) for part in parts] == [15, 85] and sorted(sum(parts, [])) == list(range(100))
    assert epoch_images(found) == 85
    assert [found[name].about for name in ("held_out", "kept")] == ["15 of the images of train",
                                                                    "85 of the images of train"]
    again, other = (held_out.divided({"train": whole}, config(held_out=15, seed=seed)) for seed in (0, 1))
    assert numbers(again["held_out"]) == parts[0] != numbers(other["held_out"])
    assert found["kept"].fingerprint == again["kept"].fingerprint != other["kept"].fingerprint != whole.fingerprint


def test_training_reads_only_the_kept():
    found = held_out.divided({"train": split(40)}, config(held_out=10))
    batches = pipeline.batches(found, config(held_out=10))
    seen = {int(round(127.5 * (float(image[0, 0, 0]) + 1))) for batch in batches.take(15) for image in batch["images"]}
    assert seen == set(numbers(found["kept"]))


@pytest.mark.parametrize("num, tests, expected", [(100, (), 10), (2000, (), 50), (9, (), 0), (12, (), 1), (8, (), 0),
                                                  (100, ("test",), 0), (100, ("validation",), 0)])
def test_where_nobody_says_how_many(num, tests, expected):
    splits = {"train": split(num), **{name: split(5, name) for name in tests}}
    found = held_out.divided(splits, config(held_out=None))
    assert "test" not in found and "validation" not in found
    assert (found["held_out"].num_examples if expected else 0) == expected
    assert ("kept" in found) == bool(expected)


def test_most_methods_keep_none_back():
    assert GANS["dcgan"].Config().held_out == 0 and GANS["projected"].Config().held_out is None
    whole = split()
    assert held_out.divided({"train": whole}, config()) == {"train": whole}


@pytest.mark.parametrize("num, words", [(95, "--held-out 95: .* has 100 images, and a batch needs 8; possible: 0 to 92"),
                                        (-1, "--held-out -1: must be at least 0")])
def test_too_many(num, words):
    with pytest.raises(UserError, match=words):
        made = config(held_out=num)
        made.check()
        held_out.divided({"train": split()}, made)


def test_a_semi_supervised_gan_keeps_none_back():
    with pytest.raises(UserError, match="--held-out 5: a semi-supervised GAN uses all images"):
        dataclasses.replace(GANS["sgan"].Config(), held_out=5).check()
