"""The Inception network of 2015 that defines Inception score, FID and KID: the frozen graph, or a hub module.

Both hold the weights of download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz. Images are prepared
here in the same way as by that graph's first nodes: resized to 299x299 as in TensorFlow 1 (bilinear, output pixel i
reads the input at i * size / 299, no antialiasing, corners not aligned), then (x - 128) / 128. Features are `pool_3`.
Probabilities are the softmax over all 1008 outputs of the last layer, without its bias, as in the published code of
Salimans et al. (2016). With them, CIFAR-10's training images have an Inception score of 11.24 +- 0.10.
"""
import hashlib
import os
import pathlib
import tarfile

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tf2gan.core import downloads, quiet, savedmodel
from tf2gan.core.errors import UserError, printable
from tf2gan.metrics.saved_features import check_images, folder_hash, with_channels

HANDLE = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"  # of TF-GAN; images [batch, 299, 299, 3] in [-1, 1]
GRAPHS = ("classify_image_graph_def.pb", "inceptionv1_for_inception_score.pb")  # that of 2015, TF-GAN's copy
SIZE = 299
_BATCH = 50  # images per call of the network, 2 GB of memory at 299x299; independent of the caller's batch size
_POOL, _LOGITS, _INPUT, _MATMUL = "pool_3", "logits", "Mul", "softmax/logits/MatMul"
_INSTEAD = ("possible: inception:PATH of a local copy (the hub module's folder, or inception-2015-12-05.tgz), "
            "TFHUB_CACHE_DIR where the hub module is, --extractor classifier")


class Inception:
    """The network as an extractor. `name` is inception-2015-12-05-HASH for a frozen graph, else inception-hub-HASH."""

    def __init__(self, where=None):
        """`where`: as `check` takes it. Raises UserError if it is not available, or is not this network."""
        where = HANDLE if where is None else where
        kind, path = check(where)
        path = downloads.hub_folder(where, _INSTEAD) if kind == "handle" else path
        try:
            if kind == "graph":
                graph = _graph_bytes(path)
                self._run, self.hash, label = _frozen(graph, path), hashlib.sha256(graph).hexdigest(), "2015-12-05"
            else:
                folder = savedmodel.find(path)
                self._run, self.hash, label = _module(folder), folder_hash(folder), "hub"
            with quiet.captured():  # TensorFlow warns again at the first run
                features, logits = self._run(np.zeros([1, 1, 1, 3], np.uint8))
        except (tf.errors.OpError, ValueError, TypeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{printable(where)} does not run as the Inception of 2015: {reason}") from error
        self.name, self.num_features = f"inception-{label}-{self.hash[:8]}", features.shape[1]
        self.info = {"features": _POOL, "resize": f"bilinear, TensorFlow 1 (align_corners=False, "
                     f"half_pixel_centers=False), to {SIZE}x{SIZE}", "scaling": "(x - 128) / 128",
                     "channels": "3, grey repeated", "num_classes": logits.shape[1]}

    def __call__(self, images):
        """Runs the network on images uint8 [n, height, width, 1 or 3], n > 0. Raises ValueError for other images.

        Returns {"features": float32 [n, 2048], "probabilities": float32 [n, 1008]}.
        """
        check_images(images)
        parts = [self._run(images[i:i + _BATCH]) for i in range(0, len(images), _BATCH)]
        features, logits = (np.concatenate(part).astype(np.float32) for part in zip(*parts))
        return {"features": features, "probabilities": tf.nn.softmax(logits).numpy()}


def check(where=None):
    """Raises UserError if the network is not available, without loading it.

    Args:
        where: path of a frozen graph (a .pb, the .tgz that it is published in, or the folder unpacked from that), path
            of a hub module (a SavedModel), or a module's handle, https://...; None is TF-GAN's handle. A handle is
            looked up first in TFHUB_CACHE_DIR, where tensorflow-hub keeps its downloads.

    Returns ("graph", pathlib.Path), ("module", pathlib.Path) or ("handle", None).
    """
    where = HANDLE if where is None else where
    if downloads.is_handle(where):
        downloads.check_hub(where, _INSTEAD)
        return "handle", None
    path = pathlib.Path(where).expanduser()
    if not os.path.lexists(path):
        raise UserError(f"inception:{printable(where)}: does not exist; {_INSTEAD}")
    if path.is_file():
        return "graph", path
    frozen = [path / name for name in GRAPHS if (path / name).is_file()]
    if frozen:
        return "graph", frozen[0]
    try:
        return "module", savedmodel.find(path)
    except UserError as error:
        raise UserError(f"{error}, nor {GRAPHS[0]}; {_INSTEAD}") from error


def _graph_bytes(path):
    """The serialized GraphDef from a file, or from the archive that it is published in."""
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    if member.isfile() and os.path.basename(member.name) in GRAPHS:
                        return archive.extractfile(member).read()
            raise UserError(f"{printable(path)} holds neither {' nor '.join(GRAPHS)}; a hub module is to be unpacked")
        return path.read_bytes()
    except (OSError, tarfile.TarError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot read {printable(path)}: {reason}") from error


def _prepared(images):
    """uint8 [n, h, w, 1 or 3] -> the network's input, as the module docstring describes it."""
    images = tf.raw_ops.ResizeBilinear(images=tf.cast(images, tf.float32), size=[SIZE, SIZE], align_corners=False,
                                       half_pixel_centers=False)
    return (images - 128.0) / 128.0


def _frozen(graph_bytes, path):
    """A function from images to pool_3 and logits, computed by the frozen graph."""
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(graph_bytes)
    except DecodeError as error:
        raise UserError(f"{printable(path)} is not a frozen graph, or not complete") from error
    nodes = {node.name: node for node in graph_def.node}
    last = _LOGITS if _LOGITS in nodes else _MATMUL
    lacking = [name for name in (_INPUT, _POOL, last) if name not in nodes]
    if lacking:
        raise UserError(f"{printable(path)} is not the Inception of 2015: it has no {', '.join(lacking)}")
    fetched = _LOGITS if last == _LOGITS else nodes[_MATMUL].input[1]  # else the last layer's weights
    with quiet.captured(), tf.Graph().as_default() as graph:  # TensorFlow warns about the graph's age
        images = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3])
        pool, fetched = tf.graph_util.import_graph_def(
            graph_def, {f"{_INPUT}:0": _prepared(images)}, [f"{_POOL}:0", f"{fetched.split(':')[0]}:0"], name="")
        pool = tf.reshape(pool, [tf.shape(images)[0], -1])
        # The graph of 2015 reshapes to a batch of one after pool_3, so its own logits are useless for larger batches.
        logits = fetched if last == _LOGITS else pool @ fetched
        logits = tf.reshape(logits, [tf.shape(images)[0], -1])
    # A session, not tf.function: only graphs with an old GraphDef version allow the batch normalization op of 2015.
    session = tf.compat.v1.Session(graph=graph)
    return lambda pictures: session.run([pool, logits], {images: np.broadcast_to(pictures, (*pictures.shape[:3], 3))})


def _module(folder):
    """A function from images to pool_3 and logits, computed by the SavedModel of a hub."""
    loaded = savedmodel.load(folder)
    functions = [loaded] if callable(loaded) else [
        function for function in loaded.signatures.values() if {_POOL, _LOGITS} <= set(function.structured_outputs)
        and len(function.structured_input_signature[1]) == 1]
    if not functions:
        raise UserError(f"{printable(folder)} is not the Inception of 2015: it can neither be called nor has it a "
                        f"signature with the outputs {_POOL} and {_LOGITS}")

    def run(pictures):
        images = _prepared(with_channels(tf.constant(pictures), 3))
        outputs = functions[0](images)
        if not isinstance(outputs, dict) or not {_POOL, _LOGITS} <= set(outputs):
            raise ValueError(f"its outputs are not {_POOL} and {_LOGITS}")
        return [tf.reshape(outputs[name], [len(pictures), -1]).numpy() for name in (_POOL, _LOGITS)]

    return run
