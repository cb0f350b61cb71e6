"""Networks that users bring: any Keras model of the right shapes can replace a method's own."""
import contextlib
import inspect
import re
import types

import tensorflow as tf

from tf2gan.core.errors import UserError


class OwnNetwork(tf.keras.Model):
    """Gives a user's network the interface of the built-in ones.

    The network gets latents or images; where a method has labels, a list of these and the labels. The dropout seed of
    the built-in networks is not passed on: Keras's layers have their own random state, which no checkpoint holds. With
    such layers a run can be resumed, but not bit for bit.
    """

    def __init__(self, network, name, size_rule=(1, 1)):
        """`size_rule`: (multiple, minimum) of the image sizes that it takes, for a network that translates images."""
        super().__init__(name=name, dtype="float32")
        self.network = network
        self.size_multiple, self.size_minimum = size_rule
        call = inspect.signature(network.call).parameters
        self._takes_training = "training" in call or any(part.kind is part.VAR_KEYWORD for part in call.values())
        _convert(network)


    def call(self, inputs, *condition, training=False, seed=None):
        options = {"training": training} if self._takes_training else {}
        return tf.cast(self.network([inputs, *condition] if condition else inputs, **options), tf.float32)


def _convert(network):
    """Lets AutoGraph convert the `call` of the user's own layers, such as an `if` that asks for a tensor.

    A training step is traced without AutoGraph, and Keras 3 never converts a layer. Keras's own layers need it not, and
    code without a source stays as it is.
    """
    for layer in network._flatten_layers():
        if type(layer).__module__.split(".")[0] in ("keras", "tf_keras", "tensorflow", "tf2gan"):
            continue
        if "call" in vars(layer):  # the user's own replacement
            continue
        with contextlib.suppress(Exception):  # AutoGraph raises several kinds for what it cannot convert
            layer.call = types.MethodType(tf.autograph.to_graph(type(layer).call), layer)


def builder(network, role):
    """Returns a function that takes a name and makes a new OwnNetwork, with weights of its own, at each call.

    Args:
        network: a tf.keras.Model, which is copied (with its weights if it is built), or a function without arguments
            that makes a new one.
        role: "generator" or "discriminator", for messages.

    Raises UserError for anything else, and for a model that Keras cannot copy.
    """
    if isinstance(network, tf.keras.Model):
        try:
            _copy(network)
        except Exception as error:  # Keras 2 and 3 raise several kinds for subclassed models without get_config
            raise UserError(f"{role}: Keras cannot copy this {type(network).__name__}, of which an averaged copy is "
                            f"needed: {_first_line(error)}; give a function that makes it, such as {role}=lambda: "
                            f"{type(network).__name__}(...)") from error
    elif not callable(network):
        raise UserError(f"{role}: {network!r} is no network; needed: a tf.keras.Model, or a function "
                        "without arguments that makes one")

    before = []  # networks that the function made; the training keeps them anyway

    def build(name, size_rule=(1, 1)):
        if isinstance(network, tf.keras.Model):
            made = _copy(network)
            if network.built:
                made.set_weights(network.get_weights())
        else:
            made = network()
            if not isinstance(made, tf.keras.Model):
                raise UserError(f"{role}: the function made a {type(made).__name__}; needed: a tf.keras.Model")
            extended = tf.distribute.get_strategy().extended
            if any(id(made) == id(other) for other in before) or not all(map(extended.variable_created_in_scope,
                                                                             _variables(made))):
                raise UserError(f"{role}: the function has to make a new network at each call; this one was made "
                                "before")
            before.append(made)
        return OwnNetwork(made, name, size_rule)

    return build


def _variables(network):
    """Those of TensorFlow: a variable of Keras 3 holds one."""
    return [getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable
            for variable in (network.variables if network.built else ())]


def _copy(network):
    if isinstance(network, tf.keras.Sequential) or getattr(network, "_is_graph_network", False) or hasattr(
            network, "_functional") or type(network).__name__ == "Functional":
        return tf.keras.models.clone_model(network)
    if type(network).get_config is tf.keras.Model.get_config:  # the default does not know the model's arguments
        raise NotImplementedError("it has no get_config of its own")
    made = type(network).from_config(network.get_config())
    if network.built:
        made.build(network.input_shape if hasattr(network, "input_shape") else None)
    return made


def check(network, inputs, shape, role):
    """Builds `network` on `inputs`, tensors for one example. Raises UserError unless its outputs have `shape` [1, ...].

    A None in `shape` allows any number.
    """
    try:
        outputs = network(*inputs)
    except UserError:
        raise
    except Exception as error:  # a user's network can raise anything
        raise UserError(f"{role}: the network cannot take {_shapes(inputs)}: {_first_line(error)}") from error
    found = outputs.shape.as_list() if hasattr(outputs.shape, "as_list") else list(outputs.shape)
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found)):
        raise UserError(f"{role}: the network makes {found} of {_shapes(inputs)}; needed: {list(shape)}")
    if not network.trainable_variables:
        raise UserError(f"{role}: the network has no weights to train")
    _check_graph(network, inputs, role)
    return network


def _check_graph(network, inputs, role):
    """Raises UserError, which names the layer, if the network cannot run in a training step."""
    @tf.autograph.experimental.do_not_convert
    def step():
        return tf.distribute.get_strategy().run(lambda: network(*inputs, training=True))

    try:
        tf.function(step).get_concrete_function()
    except Exception as error:
        found = re.findall(r"calling layer '([^']+)' \(type (\w+)\)", str(error))
        layer = "the layer {} ({})".format(*found[-1]) if found else "the network"
        raise UserError(f"{role}: {layer} cannot run in the graph of a training step: {_first_line(error)}; possible: "
                        "another layer, or one of your own. Some layers run on the newest TensorFlow (make latest)"
                        ) from error


def _shapes(inputs):
    return " and ".join(str(list(part.shape)) for part in inputs)


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Added by Keras and by AutoGraph; Keras 3 writes bold.
    told = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines if not re.match(
        "Exception encountered when calling|in user code:|File |\\w+Error: Exception encountered", line)]
    return (told or lines or [type(error).__name__])[0].split(". ")[0]  # the rest is advice
