"""Does the work of tools/interpolate.py: latents on a path, and their images as a picture or an animation."""
import io
import pathlib
import zipfile

import numpy as np

from tf2gan.core import animation, files, images, progress, savedmodel
from tf2gan.core.errors import UserError, printable
from tf2gan.data import pipeline
from tf2gan.latent_space import directions, generators, interpolation, projection, walk_options
from tf2gan.metrics.saved_features import folder_hash
from tf2gan.models import classification, translation
from tf2gan.runs.record import check_outside_data
from tf2gan.runs.restore import load_gan

LEAST = 128  # pixels of the shorter side to which images are enlarged
MOST_PIXELS = 10 ** 9  # of all images together; several copies are held in memory


def run(options, default_module):
    """Does what `options`, checked walk_options.Options, say; returns a message for the user, a list of lines.

    Raises UserError for what cannot be read or written, before any work where possible.
    """
    _check_targets(options)
    image = None if options.project is None else images.read_image(options.project)
    given = None if options.latents is None else _read_latents(options.latents)
    if given is not None:
        options.check_stops(len(given))
    classifier = (None if options.classifier is None
                  else classification.Classifier.from_savedmodel(options.classifier))
    generator = _generator(options, default_module)
    if given is not None and given.shape[1] != generator.latent_size:
        raise UserError(f"{printable(options.latents)}: latents of size {given.shape[1]}; those of "
                        f"{generator.name} have {generator.latent_size}")

    _check_memory(options, generator, len(options.stops if given is None else given))
    told, direction = [], None
    if options.direction is not None:
        direction = directions.load(options.direction, generator)
    elif options.save_direction is not None:
        direction = _new_direction(options, generator, classifier)
        directions.save(options.save_direction, direction)
        told.append(f"direction {direction.meaning} written to {options.save_direction}")
        if options.target is None:
            return told

    found = None
    if image is not None:
        if image.shape[:2] != generator.image_size:
            sizes = ["x".join(map(str, size)) for size in (image.shape[:2], generator.image_size)]
            told.append(f"{printable(options.project)} of {sizes[0]} pixels resized to cover {sizes[1]}")
        found = _project(options, generator, image)
        told.append(f"mean absolute error of the image of the latent found, in [0, 1]: {found.error:.4f}")
    if options.kind == "project":
        path, shown = _descent(options, generator, image, found)
    else:
        if found is not None:
            stops, names = found.latent[np.newaxis], ["found"]
        elif given is not None:
            stops, names = given, [str(number) for number in range(len(given))]
        else:
            stops = np.concatenate([generator.latents(1, seed) for seed in options.stops])
            names = [str(seed) for seed in options.stops]
        if options.kind == "walk":
            path, shown = _walk(options, generator, stops, names)
        elif options.kind == "corners":
            path, shown = _corners(options, generator, stops)
        else:
            path, shown = _along(options, generator, stops, names, direction)
    return [*told, *_write(options, path, shown)]


def _check_memory(options, generator, num_stops):
    """Raises UserError for more pixels than fit in memory."""
    if options.target is None:
        return
    height, width = generator.image_size
    scale = options.scale or max(1, -(-LEAST // min(height, width)))
    pixels = options.num_images(1 if options.project is not None else num_stops) * height * width * scale ** 2
    if pixels > MOST_PIXELS:
        raise UserError(f"{pixels / 1e9:.1f} thousand million pixels: at most {MOST_PIXELS / 1e9:g} are possible; give "
                        "a smaller --scale, or fewer --frames")


# Input.

def _check_targets(options):
    targets = [pathlib.Path(path) for path in (options.target, options.save_direction, options.save_latents)
               if path is not None]
    for index, target in enumerate(targets):
        if target.absolute() in [other.absolute() for other in targets[:index]]:
            raise UserError(f"{printable(target)} is to be two things; give each a file of its own")
    if options.target is not None and not options.animated:
        # Not every build of Pillow writes every format.
        images.encode_image(np.zeros([1, 1, 3], np.uint8), options.target.suffix)
    for target in targets if options.run is not None else ():
        check_outside_data(options.run, target, "output")
    translation.check_outputs([(None, target) for target in targets], options.overwrite)


def _generator(options, default_module):
    if options.picture is not None:
        picture = images.read_image(options.picture)
        if options.run is not None:
            gan = load_gan(options.run, options.checkpoint or "latest")[0]
            translator = translation.Translator.from_gan(gan)
            state = generators.hash_of(gan, [gan.translating_network(name) for name in translator.directions])
        else:
            translator = translation.Translator.from_savedmodel(options.module)
            state = folder_hash(savedmodel.find(options.module))
        return generators.of_styles(translator, state, picture, options.translate or "a2b", options.picture)
    if options.run is not None:
        gan, record = load_gan(options.run, options.checkpoint or "latest")
        return generators.from_gan(gan, f"{options.run}, {record['checkpoint']['images']} images", options.label)
    return generators.load(default_module if options.module is None else options.module, options.label)


def _read_latents(path):
    """float32 [num, latent_size] from a file as --save-latents writes it."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {printable(path)}: {getattr(error, 'strerror', None) or 'not a .npy file'}"
                        ) from error
    if not (isinstance(found, np.ndarray) and found.dtype == np.float32 and found.ndim == 2 and found.size
            and np.isfinite(found).all()):
        kind = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else "several arrays"
        raise UserError(f"{printable(path)}: needed: float32 [num, latent_size], finite; this is {kind}")
    return found


def _new_direction(options, generator, classifier):
    if classifier is None:
        return directions.of_seeds(generator, *(walk_options.seeds(name, getattr(options, name))
                                                for name in ("from_seeds", "to_seeds")))
    num = options.num or directions.NUM
    with progress.Counter("finding", 2 * num) as counter:
        return directions.of_classes(generator, classifier, options.from_class, options.to_class, num,
                                     seed=options.seed or 0, progress=counter,
                                     record=directions.classifier_record(options.classifier))


def _project(options, generator, image):
    """The projection.Projection of a picture, fitted to the generator's size."""
    starts = options.starts or projection.STARTS
    num_snapshots = options.num_frames if options.kind == "project" else 2
    with progress.Counter("descending", options.num_steps * starts) as counter:
        return projection.project(generator, _fitted(generator, image), options.num_steps, starts, options.seed or 0,
                                  num_snapshots=num_snapshots, progress=lambda num: counter(num * starts),
                                  loss=options.loss or "pixels")


def _fitted(generator, image):
    return pipeline.fitted(image, (*generator.image_size, generator.channels)).numpy()


# Paths. Each returns latents [num, latent_size], and uint8: frames [num, ...] of an animation, or a picture [...].

def _walk(options, generator, stops, names):
    frames = options.num_frames
    path = interpolation.walk(stops, frames, _way(options, generator), options.closed)
    pictures = _pictures(options, generator, path)
    if options.animated:
        return path, pictures
    # One row from each stop to the next, both included.
    num_rows = len(stops) - (not options.closed)
    rows = pictures[(frames * np.arange(num_rows)[:, np.newaxis] + np.arange(frames + 1)) % len(path)]
    titles = [f"{start} - {end}" for start, end in zip(names, [*names[1:], names[0]])][:num_rows]
    return path, images.grid(rows, row_titles=titles if num_rows > 1 else None)


def _corners(options, generator, stops):
    grid = interpolation.corners(stops, options.num_frames, _way(options, generator))
    path = grid.reshape([-1, generator.latent_size])
    pictures = _pictures(options, generator, path)
    return path, images.grid(pictures.reshape([*grid.shape[:2], *pictures.shape[1:]]))


def _along(options, generator, stops, names, direction):
    strength = 1.0 if options.strength is None else options.strength
    strengths = strength * np.arange(-options.num_frames, options.num_frames + 1) / options.num_frames
    path = np.concatenate([interpolation.along(stop, direction.vector, strengths) for stop in stops])
    pictures = _pictures(options, generator, path)
    rows = pictures.reshape([len(stops), len(strengths), *pictures.shape[1:]])
    if not options.animated:
        return path, images.grid(rows, [f"{strength:+.2g}" if strength else "0" for strength in strengths],
                                 names if len(names) > 1 else None)
    frames = np.stack([images.grid(images.squared(rows[:, column])) for column in range(len(strengths))])
    return path, np.concatenate([frames, frames[-2:0:-1]]) if options.loop else frames


def _descent(options, generator, image, found):
    target = _large(options, _fitted(generator, image)[np.newaxis])
    pictures = _pictures(options, generator, found.snapshots)
    path = found.latent[np.newaxis]
    if options.animated:
        return path, np.stack([images.grid(np.concatenate([target, picture[np.newaxis]])[np.newaxis])
                               for picture in pictures])
    titles = ["target", *(f"step {step}" for step in found.steps[:-1]), f"result: {found.steps[-1]}"]
    return path, images.grid(np.concatenate([target, pictures])[np.newaxis], titles)


def _way(options, generator):
    return interpolation.WAYS[options.mode or interpolation.USUAL[generator.latent_distribution]]


def _pictures(options, generator, path):
    with progress.Counter("generating", len(path)) as counter:
        return _large(options, generator.pictures(path, counter))


def _large(options, pictures):
    least = LEAST if options.scale is None else options.scale * min(pictures.shape[1:3])
    return images.enlarged(pictures, least)


# Output.

def _write(options, path, shown):
    """Writes the files; returns lines about them for the user."""
    told = []
    if options.animated:
        animation.write(options.target, shown, options.delay)
        told.append(f"{len(shown)} frames of {options.delay} ms written to {options.target}")
        fps = 1000 / options.delay
        if options.fps is not None and abs(fps - options.fps) > 0.005 * fps:
            told[0] += f": {fps:.3g} a second, the nearest to --fps {options.fps:g} that such a file can say"
    else:
        images.write_image(options.target, shown)
        told.append(f"{shown.shape[1]} x {shown.shape[0]} pixels written to {options.target}")
    if options.save_latents is not None:
        buffer = io.BytesIO()
        np.save(buffer, path)
        try:
            files.write_atomically(options.save_latents, buffer.getvalue())
        except OSError as error:
            raise UserError(f"cannot write {printable(options.save_latents)}: {error.strerror}") from error
        told.append(f"{len(path)} latent{'s' * (len(path) > 1)} written to {options.save_latents}")
    return told
