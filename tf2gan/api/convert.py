"""Other formats of an export that exists."""
import pathlib

from tf2gan.export import formats


def convert(export, format, image_size=None, tflite_weights="float32") -> dict:
    """Adds formats to an export, as tools/export.py --from does.

    Args:
        export: the folder of a model, for its newest version, or of a version.
        format: "onnx", "tflite", "web", or several of them with commas between.
        image_size: pixels a side that translators are fixed to; None: any size.
        tflite_weights: "float32", "float16", "int8", or several of them with commas between.

    Returns {pathlib.Path of a file: its entry in the model card, with "difference", the largest one from the SavedModel
    on the inputs that it was tried on}. Raises UserError for a format that is there already, or cannot be made.
    """
    names, options = formats.parsed(format, new=False, where=export), formats.Options(image_size, tflite_weights)
    formats.check(names, options)
    folder = formats.folder_of(pathlib.Path(export), names)
    return {folder / file: entry for file, entry in formats.add(folder, names, options).items()}
