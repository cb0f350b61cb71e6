"""How long a training is, and whether its data fill its batches."""
from tf2gan.core.errors import UserError
from tf2gan.runs import run_folder

_LARGE, _USUAL = 128, 64  # pixels a side: from where a size that nobody typed is worth a word, and what it could be
_MANY_EPOCHS = 2000


def total_images(config, splits) -> int:
    """Planned length in images of each kind, rounded up to whole steps; `splits` are the training splits."""
    if config.steps:
        return config.images_in(config.steps)
    return config.images_in(config.steps_in(config.images or config.epochs * epoch_images(splits)))


def epoch_images(splits) -> int:
    """Images in one pass over the larger of the training splits."""
    return run_folder.epoch_images({name: split.num_examples for name, split in splits.items()})


def check_data(config, splits, replicas):
    """Raises UserError if a batch cannot be filled, or cannot be shared equally by the replicas."""
    smallest = min((s for name, s in splits.items() if name.startswith("train")), key=lambda s: s.num_examples)
    for at in map(config.at, config.changes()):
        size = f"--batch-size {at.batch_size}" if at == config else f"a batch size of {at.batch_size} (--batch-sizes)"
        if at.real_batch_size > smallest.num_examples:
            raise UserError(f"{size}: larger than {smallest.name}, which has {smallest.num_examples} images")
        if at.batch_size % replicas or at.real_batch_size % replicas:
            raise UserError(f"{size}: cannot be shared equally by {replicas} replicas")


def announcement(config, asked, splits, total) -> list:
    """Lines for the user before a training: what the data are, how long it is, and what perhaps was not meant.

    `asked`: the Config before it was fitted to the data; None for a resumed run, whose warnings have been given.
    """
    height, width = config.image_shape
    epochs = total / epoch_images(splits)
    steps = config.steps_in(total)
    of_target = ("trainB", "testB") if config.adapts else ()
    lines = [f"data: {config.target if name in of_target else config.dataset}: {name}: {split.about}"
             for name, split in splits.items()]
    parts = f" in {config.accumulate} parts of {config.batch_size}" if config.accumulate > 1 else ""
    lines.append(f"training: {width}x{height} pixels, batch size {config.batch_size * config.accumulate}{parts}, {steps} "
                 f"step{'s' * (steps != 1)}, {total} images of each kind, {epochs:.{2 if epochs < 100 else 0}f} epochs")
    if asked is None:
        return lines
    if asked.image_size is None and height * width > _LARGE ** 2:
        share = height * width / _USUAL ** 2
        lines.append(f"warning: the images are made as large as the data, {width}x{height}; --image-size {_USUAL} "
                     f"makes a step about {share:.0f} times faster")
    if epochs > _MANY_EPOCHS:
        lines.append(f"warning: {epochs:.0f} passes over {epoch_images(splits)} images: a discriminator learns them by "
                     "heart long before; --epochs, --images or --steps sets the length")
    return lines


def growth(config, total) -> str:
    """A line about when networks grow, after a line break; empty for networks that do not grow."""
    plan = config.plan(total)
    return f"\ngrowth, in images: {plan}" if plan else ""
