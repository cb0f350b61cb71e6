"""Counts the floating-point operations of a graph: those of convolutions and matrix products, which are nearly all.

A multiplication and an addition count as two. Products with padding count, as in the usual formula; the zeros that a
transposed convolution puts between its inputs do not, since they are never multiplied.
"""
import math

CALLS = {"PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",), "While": ("body",), "StatelessWhile": ("body",),
         "If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
CONVOLUTIONS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "DepthwiseConv2dNative",
                "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter")
PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")


def count(graph) -> int:
    """The operations of one run of a tf.Graph, including those of the functions that it calls.

    The body of a loop counts once; of two branches the larger one counts. Raises ValueError for an unknown shape.
    """
    total = 0
    for op in graph.get_operations():
        if op.type in CALLS:
            total += max(count(graph._get_function(op.get_attr(name).name).graph) for name in CALLS[op.type])
        else:
            total += of_op(op)
    return total


def of_op(op) -> int:
    """The operations of one tf.Operation; 0 if it is neither a convolution nor a matrix product."""
    if op.type in CONVOLUTIONS:
        filters = {"Input": lambda: op.inputs[1], "Filter": lambda: op.outputs[0]}
        kind = op.type.partition("Backprop")[2]
        kernel = _shape(op, filters.get(kind, filters["Input"])())
        # Each element of a convolution's output, or of the output's gradient, takes one window of its inputs.
        out = _shape(op, op.inputs[2] if kind else op.outputs[0])
        batch, pixels = out[0], _pixels(op, out)
        return 2 * math.prod(kernel) * batch * pixels
    if op.type in PRODUCTS:
        transposed = "transpose_a" if op.type == "MatMul" else "adj_x"
        inner = _shape(op, op.inputs[0])[-2 if op.get_attr(transposed) else -1]
        return 2 * inner * math.prod(_shape(op, op.outputs[0]))
    return 0


def _pixels(op, shape):
    return math.prod(shape[2:] if op.get_attr("data_format") == b"NCHW" else shape[1:3])


def _shape(op, tensor):
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{op.type} {op.name}: the shape {tensor.shape} of {tensor.name} is not known")
    return tensor.shape.as_list()
