"""Networks that users bring: any Keras model of the right shapes in place of a method's own."""
import inspect

import tensorflow as tf

from tf2gan.core.errors import UserError


class OwnNetwork(tf.keras.Model):
    """A user's network, called as the project's own: [latents or images, and labels where a method has them].

    The seed that the project's networks draw dropout from is not handed on: layers of Keras keep dice of their own,
    whose state no checkpoint holds. With such layers a resumed run goes on, but not bit for bit.
    """

    def __init__(self, network, name, size_rule=(1, 1)):
        """`size_rule`: (multiple, minimum) of the sizes that it takes, for one that translates images."""
        super().__init__(name=name, dtype="float32")
        self.network = network
        self.size_multiple, self.size_minimum = size_rule
        call = inspect.signature(network.call).parameters
        self._takes_training = "training" in call or any(part.kind is part.VAR_KEYWORD for part in call.values())

    def call(self, inputs, *condition, training=False, seed=None):
        options = {"training": training} if self._takes_training else {}
        return tf.cast(self.network([inputs, *condition] if condition else inputs, **options), tf.float32)


def builder(network, role):
    """A function of a name that makes an OwnNetwork, a new one with weights of its own at each call.

    Args:
        network: a tf.keras.Model, which is copied, with its weights if it is built; or a function without arguments
            that makes a new one.
        role: "generator" or "discriminator", for messages.

    Raises UserError for anything else, and for a model that Keras cannot copy.
    """
    if isinstance(network, tf.keras.Model):
        try:
            _copy(network)
        except Exception as error:  # of Keras 2 and 3 for subclassed models without get_config: several kinds
            raise UserError(f"{role}: Keras cannot copy this {type(network).__name__}, of which an averaged copy is "
                            f"needed: {_first_line(error)}; give a function that makes it, such as {role}=lambda: "
                            f"{type(network).__name__}(...)") from error
    elif not callable(network):
        raise UserError(f"{role}: {network!r} is no network; needed: a tf.keras.Model, or a function "
                        "without arguments that makes one")

    def build(name, size_rule=(1, 1)):
        if isinstance(network, tf.keras.Model):
            made = _copy(network)
            if network.built:
                made.set_weights(network.get_weights())
        else:
            made = network()
            if not isinstance(made, tf.keras.Model):
                raise UserError(f"{role}: the function made a {type(made).__name__}; needed: a tf.keras.Model")
        return OwnNetwork(made, name, size_rule)

    return build


def _copy(network):
    if isinstance(network, tf.keras.Sequential) or getattr(network, "_is_graph_network", False) or hasattr(
            network, "_functional") or type(network).__name__ == "Functional":
        return tf.keras.models.clone_model(network)
    if type(network).get_config is tf.keras.Model.get_config:  # which knows nothing of its arguments
        raise NotImplementedError("it has no get_config of its own")
    made = type(network).from_config(network.get_config())
    if network.built:
        made.build(network.input_shape if hasattr(network, "input_shape") else None)
    return made


def check(network, inputs, shape, role):
    """Builds `network` on `inputs`, tensors for one example. Raises UserError unless it gives float `shape` [1, ...].

    A None in `shape` may be any number.
    """
    try:
        outputs = network(*inputs)
    except UserError:
        raise
    except Exception as error:  # a network is anybody's code
        raise UserError(f"{role}: the network cannot take {_shapes(inputs)}: {_first_line(error)}") from error
    found = outputs.shape.as_list() if hasattr(outputs.shape, "as_list") else list(outputs.shape)
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found)):
        raise UserError(f"{role}: the network makes {found} of {_shapes(inputs)}; needed: {list(shape)}")
    if not network.trainable_variables:
        raise UserError(f"{role}: the network has no weights to train")
    return network


def _shapes(inputs):
    return " and ".join(str(list(part.shape)) for part in inputs)


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception encountered when calling")]  # Keras's frame
    return (told or lines or [type(error).__name__])[0]
