"""The Adam of one operation is Keras's."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans.fused_adam import FusedAdam


def networks(strategy, schedule, epsilon=1e-7):
    """Pairs of a network and its optimizer: ours, then Keras's, from the same weights."""
    pairs = []
    for kind in (FusedAdam, tf.keras.optimizers.Adam):
        with strategy.scope():
            rate = tf.keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5) if schedule else 0.02
            network, optimizer = tf.keras.layers.Dense(7), kind(rate, beta_1=0.5, beta_2=0.9, epsilon=epsilon)
            network.build([None, 5])
            optimizer.build(network.trainable_variables)
        if pairs:
            network.set_weights(pairs[0][0].get_weights())
        pairs.append((network, optimizer))
    return pairs


def states(optimizer):
    """Its moments and counters, by the end of their names."""
    return [variable.numpy() for variable in optimizer.variables]


@pytest.mark.parametrize("schedule, epsilon", ((False, 1e-7), (True, 1e-7), (False, 0.03)))
@pytest.mark.parametrize("replicas", (1, 2))
def test_same_steps_and_state_as_keras(replicas, schedule, epsilon):
    tf.keras.utils.set_random_seed(3)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)],
                                              cross_device_ops=tf.distribute.ReductionToOneDevice())
    pairs = networks(strategy, schedule, epsilon)
    begin = pairs[0][0].get_weights()
    inputs = tf.random.normal([6, 5])

    @tf.function
    def step():
        def replica_step():
            for network, optimizer in pairs:
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(network(inputs) - 1.0)) / replicas
                variables = network.trainable_variables
                optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

        strategy.run(replica_step)

    for _ in range(5):
        step()
    (ours, ours_state), (keras, keras_state) = [(n.get_weights(), states(o)) for n, o in pairs]
    assert len(ours_state) == len(keras_state)
    for found, expected in zip(ours + ours_state, keras + keras_state):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(ours[0] - begin[0]).max() > 0.01
    assert int(pairs[0][1].iterations.numpy()) == 5


def test_first_step_is_the_learning_rate():
    """Kingma and Ba 2014, sec. 2.1: without noise |step| is the learning rate."""
    variable = tf.Variable([1.0, -2.0, 3.0])
    optimizer = FusedAdam(0.1)
    optimizer.build([variable])
    optimizer.apply_gradients([(tf.constant([5.0, -4.0, 0.0]), variable)])
    np.testing.assert_allclose(variable.numpy(), [0.9, -1.9, 3.0], atol=1e-5)


def test_rows_of_an_embedding():
    """Gradients of a few rows take Keras's own way."""
    found = []
    for kind in (FusedAdam, tf.keras.optimizers.Adam):
        table = tf.Variable(tf.reshape(tf.range(12.0), [4, 3]))
        optimizer = kind(0.1)
        optimizer.build([table])
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(tf.gather(table, [1, 3, 1])))
            gradient = tape.gradient(loss, table)
            assert isinstance(gradient, tf.IndexedSlices)
            optimizer.apply_gradients([(gradient, table)])
        found.append(table.numpy())
    np.testing.assert_array_equal(*found)
    assert (found[0][1] < [3, 4, 5]).all() and (found[0][0] == [0, 1, 2]).all()
