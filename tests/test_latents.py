"""Ways from one latent to another: where they begin, end and pass."""
import numpy as np
import pytest

from tf2gan.latents import lerp, slerp

FRACTIONS = np.linspace(0, 1, 9)


def normal(size, seed):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def angles(path):
    """Between neighbours, in radians."""
    unit = path.astype(np.float64) / np.linalg.norm(path, axis=1, keepdims=True)
    return np.arccos(np.clip((unit[1:] * unit[:-1]).sum(axis=1), -1, 1))


@pytest.mark.parametrize("way", [lerp, slerp])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_ends_are_exact_and_every_fraction_stands_alone(way, size):
    start, end = normal(size, 0), normal(size, 1)
    path = way(start, end, FRACTIONS)
    assert path.dtype == np.float32 and path.shape == (9, size)
    np.testing.assert_array_equal(path[0], start)
    np.testing.assert_array_equal(path[-1], end)
    np.testing.assert_array_equal(way(start, end, [FRACTIONS[3]])[0], path[3])
    np.testing.assert_allclose(way(end, start, FRACTIONS)[::-1], path, atol=1e-6)


def test_lerp_is_straight_and_stays_in_the_cube():
    np.testing.assert_allclose(lerp([1.0, -3.0], [3.0, 1.0], [0.25, 0.5]), [[1.5, -2.0], [2.0, -1.0]])
    start, end = np.sign(normal(100, 0)), np.sign(normal(100, 1))
    assert np.abs(lerp(start, end, FRACTIONS)).max() <= 1


def test_slerp_of_a_right_angle_is_the_circle():
    path = slerp([2.0, 0.0], [0.0, 2.0], FRACTIONS)
    np.testing.assert_allclose(path, 2 * np.stack([np.cos(FRACTIONS * np.pi / 2), np.sin(FRACTIONS * np.pi / 2)], 1),
                               atol=1e-7)


def test_slerp_of_one_length_is_shoemakes():
    start, end = normal(64, 0), normal(64, 1)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    angle = np.arccos(np.dot(start, end) / np.linalg.norm(start) ** 2)
    t = FRACTIONS[:, np.newaxis]
    np.testing.assert_allclose(slerp(start, end, FRACTIONS),
                               (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle), atol=1e-5)


def test_slerp_keeps_the_rate_of_turning_and_of_the_length():
    path = slerp(normal(100, 0), 3 * normal(100, 1), FRACTIONS)
    lengths = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(np.diff(lengths), np.diff(lengths).mean(), rtol=1e-3)
    np.testing.assert_allclose(angles(path), angles(path).mean(), rtol=1e-3)
    straight = lerp(path[0], path[-1], [0.5])
    assert np.linalg.norm(straight) < 0.85 * lengths[4]


@pytest.mark.parametrize("nudge", [0.0, 1e-7, 1e-3])
def test_nearly_parallel_and_opposite_vectors_turn_in_a_plane(nudge):
    start = normal(100, 0)
    parallel = slerp(start, 2 * (start + nudge * normal(100, 1)), FRACTIONS)
    np.testing.assert_allclose(parallel, start * (1 + FRACTIONS[:, np.newaxis]), atol=10 * nudge + 1e-5)
    opposite = slerp(start, -2 * (start + nudge * normal(100, 1)), FRACTIONS)
    np.testing.assert_allclose(angles(opposite), np.pi / 8, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(opposite, axis=1), np.linalg.norm(start) * (1 + FRACTIONS), rtol=2e-3)
    np.testing.assert_array_equal(opposite, slerp(start, -2 * (start + nudge * normal(100, 1)), FRACTIONS))


def test_where_there_is_no_arc_slerp_is_straight():
    np.testing.assert_array_equal(slerp(np.zeros(3), [2.0, 4.0, 0.0], [0.5]), [[1, 2, 0]])
    np.testing.assert_array_equal(slerp(np.zeros(3), np.zeros(3), [0.5]), np.zeros([1, 3]))
    np.testing.assert_array_equal(slerp([-1.0], [3.0], [0.5]), [[1]])


@pytest.mark.parametrize("way", [lerp, slerp])
def test_other_shapes_and_fractions_are_refused(way):
    for start, end in (([1.0], [1.0, 2.0]), ([[1.0]], [[2.0]]), ([], [])):
        with pytest.raises(ValueError, match="same size"):
            way(start, end, [0.5])
    for fractions in ([-0.1], [1.1], [np.nan], 0.5):
        with pytest.raises(ValueError, match="fractions"):
            way([1.0], [2.0], fractions)
