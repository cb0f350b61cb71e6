"""Two data sets of the same classes, to carry the labels of one, the source, to the other, the target."""
import dataclasses

from tf2gan.core.errors import UserError
from tf2gan.data import labelled, load
from tf2gan.data.held_out import TESTS
from tf2gan.data.split import NO_LABEL


def load_domains(config, data_dir=None, skip_unreadable=False) -> dict:
    """{"trainA", "testA": splits of the source, "trainB", "testB": of the target}.

    Those of the source have labels, "trainB" only with `config.target_labels`, of the same classes in the same order.
    Without images for testing, "testA" and "testB" are those of training, which are only looked at. Raises UserError
    for data that cannot be had, and for target labels that are missing or of other classes.
    """
    found = {}
    for domain, dataset in (("A", config.dataset), ("B", config.target)):
        there = load.load(dataset, ("train",), data_dir, skip_unreadable, optional=TESTS)
        test = next((name for name in TESTS[::-1] if name in there), "train")
        found.update({f"train{domain}": there["train"], f"test{domain}": there[test]})
    names = found["trainA"].class_names
    if names is not None:
        _check_labels(found["trainA"], config.dataset)
    for kind in ("trainB", "testB"):
        found[kind] = _with_labels(found[kind], names, config) if kind == "trainB" and config.target_labels else (
            without_labels(found[kind]))
    return {name: dataclasses.replace(split, name=name) for name, split in found.items()}


def _with_labels(split, names, config):
    if split.class_names is None or set(split.class_names) != set(names or ()):
        theirs = ", ".join(split.class_names or ("none",))
        raise UserError(f"--target-labels: {config.target} has the classes {theirs}; needed: those of "
                        f"{config.dataset}: {', '.join(names or ('none',))}")
    _check_labels(split, config.target)
    return split.in_order_of(names)


def _check_labels(split, where):
    lacking = int((labelled.read_labels(split, where) == NO_LABEL).sum())
    if lacking:
        raise UserError(f"dataset {where!r}: {lacking} of its {split.num_examples} images of train have no label")


def without_labels(split):
    """The split without its labels, if it has any."""
    if split.class_names is None:
        return split
    return dataclasses.replace(split, class_names=None, decode=lambda record: {"image": split.decode(record)["image"]})
