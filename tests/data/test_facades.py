"""Drawn label maps and house fronts: pure functions of (split, index), made of one list of parts, at any size."""
import numpy as np
import pytest

from tf2gan.data.synthetic import SyntheticFacades, facades, render_facade, render_labels

COLOURS = {colour: kind for kind, colour in facades.LABELS.items()}


def kinds(labels):
    """{kind: its mask} of a label map."""
    return {kind: (labels == colour).all(axis=-1) for colour, kind in COLOURS.items()}


@pytest.mark.parametrize("draw", [render_labels, render_facade])
def test_pictures_are_functions_of_split_and_index(draw):
    first = draw("train", 3, 48)
    assert first.shape == (48, 48, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(draw("train", 3, 48), first)
    for other in (draw("train", 4, 48), draw("test", 3, 48)):
        assert (other != first).mean() > 0.1
    with pytest.raises(ValueError, match="splits are train, test"):
        draw("trainA", 0, 48)


def test_each_pixel_of_a_label_map_has_the_colour_of_a_part():
    share = dict.fromkeys(facades.LABELS, 0.0)
    for index in range(40):
        masks = kinds(render_labels("train", index, 64))
        assert sum(masks.values()).min() == sum(masks.values()).max() == 1
        assert masks["wall"].any() and masks["window"].any() and masks["door"].any()
        for kind, mask in masks.items():
            share[kind] += mask.mean() / 40
    assert min(share.values()) > 0.002, share
    assert share["wall"] > 0.2 and share["window"] > 0.08


def test_a_size_shows_the_same_parts_as_another():
    for index in range(5):
        small, large = render_labels("test", index, 64), render_labels("test", index, 256)
        agree = (large[2::4, 2::4] == small).all(axis=-1).mean()
        assert agree > 0.9, index
        small, large = (render_facade("test", index, size).astype(float) for size in (64, 256))
        assert np.abs(large.reshape(64, 4, 64, 4, 3).mean((1, 3)) - small).mean() < 12, index


def test_fronts_show_what_their_label_maps_say():
    """Glass differs from the wall around it, in the same places; and not from that of another map."""
    own, others = [], []
    for index in range(12):
        front = render_facade("train", index, 64).astype(float).mean(axis=-1)
        for found, number in ((own, index), (others, index + 1)):
            masks = kinds(render_labels("train", number, 64))
            found.append(abs(front[masks["window"]].mean() - front[masks["wall"]].mean()))
    assert np.mean(own) > 2 * np.mean(others)


def test_walls_have_many_colours():
    """The label map does not tell them: pixels of walls differ from front to front."""
    means = np.array([render_facade("train", index, 64)[kinds(render_labels("train", index, 64))["wall"]].mean(axis=0)
                      for index in range(20)])
    assert means.std(axis=0).min() > 15


def test_the_builder_keeps_pairs_in_order(tmp_path):
    builder = SyntheticFacades(data_dir=str(tmp_path), config=facades.FacadesConfig(32, 12, 3))
    builder.download_and_prepare()
    assert set(builder.info.splits) == {"trainA", "trainB", "testA", "testB"}
    for split, draw in (("trainA", render_labels), ("trainB", render_facade)):
        for index, example in enumerate(builder.as_dataset(split=split).as_numpy_iterator()):
            np.testing.assert_array_equal(example["image"], draw("train", index, 32))
    assert builder.info.splits["trainA"].num_examples == 12 and builder.info.splits["testB"].num_examples == 3
