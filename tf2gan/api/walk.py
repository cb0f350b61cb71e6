"""Walks through a latent space, from Python."""
from tf2gan.core.errors import UserError
from tf2gan.core.options import typed
from tf2gan.latent_space import walks
from tf2gan.latent_space.walk_options import Options


def interpolate(output, module=None, run=None, **options) -> list:
    """Does what tools/interpolate.py does: writes a walk, a grid, steps along a direction or a picture's projection.

    Args:
        output: the file to write: .gif or .webp for an animation, .png and so on for a picture; None to write only
            `save_direction`.
        module: a generator: an export, a SavedModel, a handle; or `run`: a run folder.
        options: as the tool's flags: `seeds="1,2,3"`, `frames=30`, `mode="spherical"`, `direction=...` ...

    Returns lines about what was written. Raises UserError for invalid input.
    """
    if (module is None) == (run is None):
        raise UserError("give one of module and run")
    values = {"output": output, "module": module, "run": run, **options}
    values = {name: str(value) if name in ("output", "module", "run") and value is not None else value
              for name, value in values.items()}
    wanted = Options(**typed([Options], values))
    wanted.check()
    return walks.run(wanted, None)


