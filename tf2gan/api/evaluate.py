"""Evaluates sets of images and exports against real images."""
from tf2gan.api.run import Evaluation
from tf2gan.api.session import dataset_name
from tf2gan.evaluation.comparison import Settings
from tf2gan.evaluation.evaluate import evaluate_images, evaluate_savedmodel


def evaluate(images, against, metrics=None, extractor=None, num=None, seed=0, image_size=None, split=None,
             data_dir=None, nearest=None, skip_unreadable=False, show_progress=False) -> Evaluation:
    """Metric values of a set of images against real ones; prints as a table.

    Args:
        images: np.uint8 [n, height, width, 1 or 3] (or floats from 0 to 1), a tf.data.Dataset, a folder, or an export
            savedmodels/NAME.
        against: the real images: arrays in the same way, as (images, labels) if there are labels; a folder; or the name
            of a data set.
        metrics: comma-separated names, such as "fid,kid"; None: all that are quick.
        image_size: (height, width) to which both are resized; None: unchanged.
        others: as the flags of the same names of tools/evaluate.py.

    Raises UserError for what cannot be measured.
    """
    settings = Settings(metrics, extractor, num, seed, show_progress)
    settings.check()
    against = dataset_name(against)
    return Evaluation(evaluate_images(dataset_name(images), against, settings, image_size, split, data_dir,
                                      skip_unreadable, nearest))


def evaluate_export(path, against=None, metrics=None, extractor=None, num=None, seed=0, split=None,
                    data_dir=None, nearest=None, show_progress=False) -> Evaluation:
    """Metric values of an export; `against` None: its training data set. Other arguments as for `evaluate`."""
    settings = Settings(metrics, extractor, num, seed, show_progress)
    settings.check()
    against = None if against is None else dataset_name(against)
    return Evaluation(evaluate_savedmodel(path, settings, against, split, data_dir, nearest))
