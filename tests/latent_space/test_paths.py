"""Ways from one latent to another: where they begin, end and pass; walks, grids, steps along a direction."""
import numpy as np
import pytest

from tf2gan.latent_space.interpolation import USUAL, WAYS, along, corners, hypersphere, lerp, slerp, walk

FRACTIONS = np.linspace(0, 1, 9)


def normal(size, seed):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def angles(path):
    """Between neighbours, in radians."""
    unit = path.astype(np.float64) / np.linalg.norm(path, axis=1, keepdims=True)
    return np.arccos(np.clip((unit[1:] * unit[:-1]).sum(axis=1), -1, 1))


@pytest.mark.parametrize("way", [lerp, slerp, hypersphere])
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


def test_hypersphere_is_the_straight_way_moved_out_to_lengths_that_change_linearly():
    start, end = normal(100, 0), 3 * normal(100, 1)
    path = hypersphere(start, end, FRACTIONS)
    lengths = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 9), rtol=1e-6)
    straight = lerp(start, end, FRACTIONS)
    cosines = (path * straight).sum(axis=1) / lengths / np.linalg.norm(straight, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    # Of one length, it is on the arc of slerp, at other points: a quarter of the way along the chord of a right angle
    # is at atan(1/3).
    quarter, half = hypersphere([2.0, 0.0], [0.0, 2.0], [0.25, 0.5])
    np.testing.assert_allclose(quarter, [2 * np.cos(np.arctan(1 / 3)), 2 * np.sin(np.arctan(1 / 3))], rtol=1e-6)
    np.testing.assert_allclose(half, [np.sqrt(2), np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize("end", [np.zeros(3), [-2.0, 0.0, 4.0], [2.0, 0.0, -4.0], [-1.0, 0.0, 2.0]])
def test_hypersphere_without_a_plane_is_slerp(end):
    path = hypersphere([1.0, 0.0, -2.0], end, FRACTIONS)
    np.testing.assert_array_equal(path, slerp([1.0, 0.0, -2.0], end, FRACTIONS))
    assert np.isfinite(path).all()
    np.testing.assert_allclose(np.linalg.norm(path, axis=1),
                               np.linspace(np.sqrt(5), np.linalg.norm(end), 9), rtol=1e-6)


def test_hypersphere_of_nearly_opposite_vectors_stays_on_the_sphere():
    start = normal(100, 0)
    path = hypersphere(start, -start + 1e-3 * normal(100, 1), FRACTIONS)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(start), rtol=1e-3)


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


@pytest.mark.parametrize("way", [lerp, slerp, hypersphere])
def test_other_shapes_and_fractions_are_refused(way):
    for start, end in (([1.0], [1.0, 2.0]), ([[1.0]], [[2.0]]), ([], [])):
        with pytest.raises(ValueError, match="same size"):
            way(start, end, [0.5])
    for fractions in ([-0.1], [1.1], [np.nan], 0.5):
        with pytest.raises(ValueError, match="fractions"):
            way([1.0], [2.0], fractions)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_walk_passes_each_stop_and_a_loop_leads_back(way):
    stops = np.stack([normal(5, seed) for seed in range(3)])
    path = walk(stops, 4, way)
    assert path.dtype == np.float32 and path.shape == (9, 5)
    np.testing.assert_array_equal(path[::4], stops)
    np.testing.assert_array_equal(path[5:8], way(stops[1], stops[2], [0.25, 0.5, 0.75]))
    closed = walk(stops, 4, way, loop=True)
    assert closed.shape == (12, 5)
    np.testing.assert_array_equal(closed[:9], path)
    np.testing.assert_array_equal(closed[9:], way(stops[2], stops[0], [0.25, 0.5, 0.75]))
    np.testing.assert_array_equal(walk(stops, 1, way), stops)


def test_the_ways_have_names_and_each_distribution_its_own():
    assert WAYS == {"linear": lerp, "spherical": slerp, "hypersphere": hypersphere}
    assert USUAL == {"normal": "spherical", "uniform": "linear"}


def test_a_grid_of_straight_ways_is_bilinear():
    four = np.stack([normal(6, seed) for seed in range(4)])
    grid = corners(four, 4, lerp)
    assert grid.dtype == np.float32 and grid.shape == (5, 5, 6)
    v, u = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 5), indexing="ij")
    weights = np.stack([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u], axis=-1)
    np.testing.assert_allclose(grid, weights @ four, atol=1e-6)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_grid_has_its_corners_walks_at_its_edges_and_walks_between_walks(way):
    four = np.stack([normal(6, seed) for seed in range(4)])
    grid = corners(four, 3, way)
    np.testing.assert_array_equal(grid[[0, 0, 3, 3], [0, 3, 0, 3]], four)
    thirds = np.linspace(0, 1, 4)
    np.testing.assert_array_equal(grid[0], way(four[0], four[1], thirds))
    np.testing.assert_array_equal(grid[:, 3], way(four[1], four[3], thirds))
    np.testing.assert_array_equal(grid[2], way(grid[2, 0], grid[2, 3], thirds))


def test_along_a_direction_every_strength_adds_its_share_and_none_changes_nothing():
    latent, direction = normal(7, 0), normal(7, 1)
    path = along(latent, direction, [-2.0, 0.0, 0.5])
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path[1], latent)
    np.testing.assert_allclose(path[[0, 2]], [latent - 2 * direction, latent + direction / 2], atol=1e-6)


def test_walks_grids_and_directions_of_other_numbers_are_refused():
    for stops, frames in ((np.zeros([1, 3]), 4), (np.zeros([3, 3]), 0)):
        with pytest.raises(ValueError, match="two stops or more"):
            walk(stops, frames, lerp)
    for four, steps in ((np.zeros([3, 2]), 2), (np.zeros([4, 2]), 0)):
        with pytest.raises(ValueError, match="four latents"):
            corners(four, steps, lerp)
    for latent, direction, strengths in ((np.zeros(3), np.zeros(2), [1]), (np.zeros(3), np.zeros(3), 1)):
        with pytest.raises(ValueError, match="direction"):
            along(latent, direction, strengths)
