"""Networks and memory as text, for --dry-run."""
import math
import re

import tensorflow as tf


def layers(network, inputs) -> str:
    """A table of the layers in call order: name, kind, output shape for one example, parameters.

    `inputs`: the network's input tensors, for one example.
    """
    rows = []

    def watch(layer):
        inner = layer.call

        def call(*args, **kwargs):
            outputs = inner(*args, **kwargs)
            rows.append((layer.name, type(layer).__name__, "x".join(map(str, outputs.shape[1:])), layer.count_params()))
            return outputs

        layer.call = call
        return layer

    watched = [watch(layer) for layer in _leaves(network)]
    try:
        network(*inputs)  # subclassed models know their inner shapes only during a call
    finally:
        for layer in watched:
            del layer.call
    called = {row[0] for row in rows}
    # For example the output layers that a growing network has for other image sizes.
    rows += [(layer.name, type(layer).__name__, "not in this call", layer.count_params()) for layer in _leaves(network)
             if layer.name not in called and layer.count_params()]
    widths = [max(map(len, column)) for column in list(zip(*rows))[:2]]
    lines = [f"  {name:{widths[0]}}  {kind:{widths[1]}}  {shape:>16}  {count:>11,}"
             for name, kind, shape, count in rows]
    return "\n".join([f"{network.name} ({type(network).__name__}): {network.count_params():,} parameters", *lines])


def _leaves(layer):
    """The layers that make up a layer or network: those without inner layers, or with weights of their own beside them.
    """
    inner = [part for part in layer._flatten_layers(recursive=False, include_self=False)]
    if len(layer.variables) > sum(len(part.variables) for part in inner) or not inner:
        return [layer]
    return [leaf for part in inner for leaf in _leaves(part)]


def memory(gan, strategy) -> str:
    """Estimates the memory that training needs on each device: variables, gradients, and activations of one step."""
    megabytes = 2 ** 20

    def size(variables):
        return sum(math.prod(variable.shape) * 4 for variable in variables)

    parts = [network for network, _ in gan.networks.values()] + [average for average, _ in gan.averages]
    tracked = {id(v): v for part in parts for v in part.variables}  # with Keras 3, tf.Module.variables lacks these
    others = [v for v in gan.variables if id(v) not in tracked and v.device in ("", gan.images_seen.device)]
    variables = size([*tracked.values(), *others]) + sum(size(optimizer.variables) for optimizer, _ in gan.optimizers)
    gradients = max(size(group) for _, group in gan.optimizers)
    last = gan.config.at(gan.config.changes()[-1])  # a step of a network that has grown to its full size
    batch = gan.batch_spec(last.batch_size // gan.num_replicas)
    step = tf.function(lambda *batches: strategy.run(gan.part_of_step, args=batches), autograph=False)
    graph = step.get_concrete_function(*[batch] * gan.batches_per_step).graph
    # A forward value stays until its gradient is computed; backward values are freed as they are used up.
    kept = ("Conv2D", "Conv2DBackpropInput", "MatMul", "LeakyRelu", "Relu", "Tanh", "AddV2", "Mul", "ConcatV2",
            "ResizeNearestNeighbor", "MirrorPad", "SquaredDifference", "Sub", "AvgPool")
    activations = sum(output.dtype.size * math.prod(output.shape)
                      for operation in graph.get_operations() for output in operation.outputs
                      if operation.type in kept and "gradient_tape" not in operation.name
                      and (operation.type != "AddV2" or operation.inputs[1].shape.rank != 1)  # not for adding a bias
                      and not re.search("replica_[1-9]|update_[1-9]", operation.name)  # first device only
                      and output.shape.is_fully_defined())
    total = variables + gradients + activations
    return (f"memory for each device, estimated: {total / megabytes:,.0f} MiB (weights, averages, optimizers and pools "
            f"{variables / megabytes:,.0f}, gradients {gradients / megabytes:,.0f}, activations "
            f"{activations / megabytes:,.0f}), and what TensorFlow itself takes")
