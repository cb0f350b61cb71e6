"""The pool against a model of it: a Python list in which every image is told by its number."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.gans.image_pool import ImagePool
from tf2gan.training.devices import make_strategy
from tf2gan.training.options import Options

SHAPE = (2, 3, 2)


def numbered(numbers):
    """Images that differ in every pixel, so that a mix of two is neither."""
    pixels = np.arange(np.prod(SHAPE)).reshape(SHAPE) / 100
    return np.stack([number + pixels for number in numbers]).astype(np.float32)


def numbers_of(images):
    """The inverse of `numbered`; fails for anything that is not one of its images."""
    images = np.asarray(images)
    numbers = images[:, 0, 0, 0].round().astype(int)
    np.testing.assert_array_equal(images, numbered(numbers))
    return numbers.tolist()


def contents(pool, replica=0):
    count = int(pool.count_of_replicas[replica])
    return numbers_of(pool.images_of_replicas[replica][:count]) if count else []


class Model:
    """What the pool must hold. The draws are the pool's own: `follow` takes them from what was shown, if allowed."""

    def __init__(self, size):
        self.size, self.held, self.swaps = size, [], []

    def follow(self, new, shown):
        before = list(self.held)
        for image, seen in zip(new, shown):
            if len(self.held) < self.size:
                assert seen == image, "until it is full, every image is handed back as it is"
                self.held.append(image)
                continue
            self.swaps.append(seen != image)
            if seen != image:
                assert seen in before, "swapped for one of the history, not of this very batch"
                before.remove(seen)  # a slot serves one image of a batch only
                self.held[self.held.index(seen)] = image


@pytest.mark.parametrize("size, batch", [(1, 1), (5, 2), (4, 4)])
def test_follows_its_model(size, batch):
    pool, model = ImagePool(size, SHAPE), Model(size)
    query = tf.function(pool.query)
    for step in range(40):
        new = list(range(1 + step * batch, 1 + (step + 1) * batch))
        shown = numbers_of(query(numbered(new), fold(0, tf.constant(step))))
        model.follow(new, shown)
        assert contents(pool) == model.held
    assert 0 < sum(model.swaps) < len(model.swaps)


def test_swaps_half_of_the_images_from_every_slot():
    size, num_queries = 4, 600
    pool = ImagePool(size, SHAPE)

    @tf.function
    def query_all():
        shown = tf.TensorArray(tf.float32, num_queries, element_shape=[1, *SHAPE])
        for step in tf.range(num_queries):
            image = tf.fill([1, *SHAPE], tf.cast(step, tf.float32))
            shown = shown.write(step, pool.query(image, fold(0, step)))
        return shown.concat()[:, 0, 0, 0]

    held, slots = list(range(size)), []
    for step, shown in enumerate(query_all().numpy().astype(int).tolist()):
        if shown != step:
            slots.append(held.index(shown))
            held[slots[-1]] = step
    tries = num_queries - size
    assert abs(len(slots) - tries / 2) < 5 * np.sqrt(tries / 4)
    counts = np.bincount(slots, minlength=size)
    assert np.all(abs(counts - len(slots) / size) < 5 * np.sqrt(len(slots) / size * (1 - 1 / size)))


def test_images_of_a_batch_are_swapped_independently():
    pool = ImagePool(2, SHAPE)
    pool.query(numbered([1, 2]), fold(0, "fill"))
    query, patterns = tf.function(pool.query), set()
    for step in range(40):
        new = [3 + 2 * step, 4 + 2 * step]
        shown = numbers_of(query(numbered(new), fold(0, tf.constant(step))))
        patterns.add(tuple(a != b for a, b in zip(new, shown)))
    assert len(patterns) == 4


def test_is_a_function_of_its_seed():
    def shown(name):
        pool = ImagePool(3, SHAPE)
        query = tf.function(pool.query)
        return [numbers_of(query(numbered([1 + i]), fold(0, name, tf.constant(i))))[0] for i in range(20)]

    assert shown("a") == shown("a") != shown("b")


def test_no_gradient_passes():
    for size in (0, 3):
        pool, images = ImagePool(size, SHAPE), tf.Variable(numbered([1, 2]))
        with tf.GradientTape() as tape:
            shown = pool.query(images, fold(0, "a")) * 2.0
        assert tape.gradient(shown, images) is None


def test_size_0_hands_back_what_it_gets():
    pool = ImagePool(0, SHAPE)
    for new in ([1, 2, 3], [4, 5, 6]):
        assert numbers_of(pool.query(numbered(new), fold(0, "a"))) == new
    assert not pool.variables
    pool.copy_first_replica(1)


def test_a_batch_must_fit():
    pool = ImagePool(2, SHAPE)
    with pytest.raises(ValueError, match="pool of 2 images cannot take a batch of 3"):
        pool.query(numbered([1, 2, 3]), fold(0, "a"))
    unknown = tf.TensorSpec([None, *SHAPE], tf.float32)
    with pytest.raises(ValueError, match="batch of None"):
        tf.function(pool.query).get_concrete_function(unknown, tf.TensorSpec([2], tf.int64))


# Checkpoints, on one replica and on several.

def made_on(replicas, size=3):
    strategy = make_strategy(Options(replicas=replicas))
    with strategy.scope():
        return strategy, ImagePool(size, SHAPE)


def run(strategy, pool, first, num_steps):
    """Queries of one image a replica and step: [step][replica] numbers shown. Replica r counts from first + 1000 r."""
    @tf.function
    def query(images, step):
        def one(image):
            return pool.query(image, fold(0, step, tf.distribute.get_replica_context().replica_id_in_sync_group))

        return strategy.run(one, args=(images,))

    shown = []
    for step in range(first, first + num_steps):
        images = strategy.experimental_distribute_values_from_function(
            lambda context, step=step: numbered([step + 1000 * context.replica_id_in_sync_group]))
        shown.append([numbers_of(v)[0] for v in strategy.experimental_local_results(query(images, tf.constant(step)))])
    return shown


def state(pool):
    return [contents(pool, replica) for replica in range(len(pool.count_of_replicas))]


@pytest.mark.parametrize("replicas", [1, 2])
def test_goes_on_from_a_checkpoint(replicas, tmp_path):
    strategy, pool = made_on(replicas)
    run(strategy, pool, 1, 2)
    half_full = tf.train.Checkpoint(pool=pool).write(str(tmp_path / "half"))
    run(strategy, pool, 3, 10)
    full, later = state(pool), tf.train.Checkpoint(pool=pool).write(str(tmp_path / "full"))
    shown = run(strategy, pool, 13, 10)
    assert any(image < 13 for step in shown for image in step if image < 1000), "else nothing came from the history"

    for path, expected in ((half_full, [[1 + 1000 * r, 2 + 1000 * r] for r in range(replicas)]), (later, full)):
        strategy, again = made_on(replicas)
        tf.train.Checkpoint(pool=again).read(path).assert_consumed()
        again.copy_first_replica(replicas)
        assert state(again) == expected
    assert run(strategy, again, 13, 10) == shown


def test_replicas_have_histories_of_their_own():
    strategy, pool = made_on(2)
    shown = run(strategy, pool, 1, 30)
    for replica, held in enumerate(state(pool)):
        model = Model(3)
        for step, images in enumerate(shown, start=1):
            model.follow([step + 1000 * replica], [images[replica]])
        assert held == model.held
    first, second = ([image % 1000 for image in held] for held in state(pool))
    assert first != second, "replicas must throw dice of their own"


def test_a_checkpoint_of_two_replicas_restores_on_one(tmp_path):
    strategy, pool = made_on(2)
    run(strategy, pool, 1, 8)
    path = tf.train.Checkpoint(pool=pool).write(str(tmp_path / "state"))
    _, single = made_on(1)
    tf.train.Checkpoint(pool=single).read(path).assert_existing_objects_matched().expect_partial()
    single.copy_first_replica(2)
    assert state(single) == state(pool)[:1]


def test_a_checkpoint_of_one_replica_restores_on_two(tmp_path):
    strategy, single = made_on(1)
    run(strategy, single, 1, 8)
    path = tf.train.Checkpoint(pool=single).write(str(tmp_path / "state"))
    strategy, pool = made_on(2)
    tf.train.Checkpoint(pool=pool).read(path).expect_partial()
    pool.copy_first_replica(1)
    assert state(pool) == state(single) * 2
    run(strategy, pool, 9, 20)  # and from there each goes its own way
    assert state(pool)[0] != state(pool)[1]
