"""The command line: one style for all subcommands. Heavy imports wait until a command runs."""

import argparse
import io
import os
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leffa import __version__, doctor
from leffa.batch import command as batch
from leffa.batch import splits
from leffa.config import Garment, Hem, Sleeve, Task
from leffa.errors import LeffaError
from leffa.explain import FLOW_PICTURES
from leffa.files import MARK, check_outputs, in_words, write_json
from leffa.metrics import command as metrics
from leffa.run import speed
from leffa.run.placement import Memory, Needs
from leffa.run.settings import Settings, as_options, quickest
from leffa.synthetic import command as synthetic
from leffa.training import command as training
from leffa.weights import downloads
from leffa.weights.models import Model, find

if TYPE_CHECKING:
    from PIL import Image

    from leffa.engine import Engine
    from leffa.run.result import Result

EXIT_BAD_INPUT = 2
EXIT_NOT_READ = 141  # as a shell tells of SIGPIPE
TRY_ON_EXAMPLES = (
    "leffa tryon person.jpg shirt.jpg -o result.png --garment upper\n"
    "leffa tryon person.jpg dress.jpg -o result.png --garment dress --steps 20 --seed 7 --flow flow/"
)
POSE_EXAMPLES = (
    "leffa pose me.jpg pose.jpg -o result.png\nleffa pose me.jpg pose.jpg -o result.png --seed 3 --flow flow/"
)
MASK_EXAMPLES = (
    "leffa mask person.jpg --garment upper --reference shirt.jpg -o mask.png\n"
    "leffa mask person.jpg --garment dress --hem knee --sleeve none -o mask.png"
)
APP_EXAMPLES = "leffa app\nleffa app --port 8000 --host 0.0.0.0"
INPUTS = ("person", "reference", "pose", "garment", "mask")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status. Bad input is one sentence on stderr, never a trace."""
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # a file's name may have what the terminal's encoding has not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
        sys.stdout.flush()
    except LeffaError as error:
        print(f"leffa: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:  # whoever read along has seen enough, as in `leffa doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return EXIT_NOT_READ
    except OSError as error:
        where = f"{error.filename!r}: " if error.filename else ""
        print(f"leffa: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("leffa: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leffa", description="Put a garment on a photographed person, or a person into another pose."
    )
    parser.add_argument("--version", action="version", version=f"leffa {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, summary, examples, run, add_arguments in (
        ("tryon", "put the garment of a picture on a person", TRY_ON_EXAMPLES, _try_on, _add_try_on),
        ("pose", "show a person in the pose of another picture", POSE_EXAMPLES, _pose, _add_pose),
        ("mask", "write the mask that try-on would repaint", MASK_EXAMPLES, _mask, _add_mask),
        ("train", "train the two UNets", training.EXAMPLES, training.run, training.add_arguments),
        (
            "train-vae", "train a small VAE", training.VAE_EXAMPLES, training.run_vae,
            training.add_vae_arguments,
        ),
        (
            "train-composition", "train a network that makes a picture of the flow",
            training.COMPOSITION_EXAMPLES, training.run_composition, training.add_composition_arguments,
        ),
        ("synth", synthetic.SUMMARY, synthetic.EXAMPLES, synthetic.run, synthetic.add_arguments),
        (
            "evaluate", "figures of results, or of a model", metrics.EXAMPLES, metrics.run,
            metrics.add_arguments,
        ),
        ("batch", batch.SUMMARY, batch.EXAMPLES, batch.run, batch.add_arguments),
        ("generate", splits.SUMMARY, splits.EXAMPLES, splits.run, splits.add_arguments),
        (
            "download", "fetch the published weights", downloads.EXAMPLES, downloads.run,
            downloads.add_arguments,
        ),
        ("doctor", doctor.SUMMARY, doctor.EXAMPLES, doctor.run, doctor.add_arguments),
        ("app", "start the app in the browser", APP_EXAMPLES, _app, _add_app),
    ):  # fmt: skip
        add_arguments(_command(commands, name, summary, examples, run))
    return parser


def _command(commands, name: str, summary: str, examples: str, run) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def _add_try_on(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    mask = "what to repaint, white on black, or opaque on transparent, at the photo's size"
    add("person", metavar="PERSON", help="photo of the person")
    add("reference", metavar="GARMENT", help="photo of the garment, on a plain ground if possible")
    _add_garment(parser)
    add("--mask", metavar="FILE", help=mask)
    add("--invert-mask", action="store_true", help="repaint what is black in --mask instead")
    _add_painting(parser)


def _add_pose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REFERENCE", help="photo of the person whose look is kept")
    parser.add_argument("pose", metavar="POSE", help="picture of anybody in the wanted pose")
    _add_painting(parser)


def _add_mask(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    reference = "picture of the garment: tells its kind, and whether the mask has room for it"
    add("person", metavar="PERSON", help="photo of the person")
    _add_garment(parser)
    add("--reference", metavar="GARMENT", help=reference)
    add("--sleeve", choices=[one.value for one in Sleeve], help="how far the mask follows the arms")
    add("--hem", choices=[one.value for one in Hem], help="how far down the mask reaches")
    add("-o", "--output", metavar="MASK", required=True, help="where to write it")
    _add_force(parser)
    _add_who(parser)


def _add_app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port (default: 7860 or the next free one)")


def _add_garment(parser: argparse.ArgumentParser) -> None:
    kind = "its kind (default: as its outline tells, which is then said)"
    parser.add_argument("--garment", choices=[one.value for one in Garment], help=kind)


def _add_painting(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    output = "where to write the result; the settings go beside it, as OUT with the ending .json"
    pace = (
        "fewer steps, the reference read once, guidance in part of the run only (docs/speed.md); the bundled "
        "model is as quick in each (default: quality, the exact way)"
    )
    size = (
        "what to paint at: 1024x768, 768x576 or 512x384 with the published weights; smaller is faster, which "
        "a machine without a graphics card needs (default: the model's own)"
    )
    compose = "keep the photo's own pixels and lay the garment by its flow (default: the model's)"
    memory = "how sparingly to use the device's memory (default: what fits)"
    modes = ["auto", *(mode.value for mode in Memory)]
    add("-o", "--output", metavar="OUT", required=True, help=output)
    _add_force(parser)
    add("--pace", choices=["fast", "balanced", "quality"], help=pace)
    add("--size", type=synthetic.parse_size, metavar="HxW", help=size)
    add("--steps", type=int, help="sampling steps (default: the pace's, else the model's)")
    add("--guidance", type=float, help="how strongly to follow the reference (default: the model's)")
    add("--guidance-rescale", type=float, help="0 = off (default: the model's)")
    add("--seed", type=int, default=-1, help="-1 draws one and reports it (default: %(default)s)")
    add("--reuse-reference", action="store_true", help="read the reference once: faster")
    add("--compose", action=argparse.BooleanOptionalAction, default=None, help=compose)
    add("--no-detail", dest="compose", action="store_false", help="another name of --no-compose")
    add("--model", help="weights to use (default: the best present)")
    add("--device", default="auto", help="cpu, cuda, mps (default: the best present)")
    add("--memory", default="auto", choices=modes, help=memory)
    _add_who(parser)
    add("--flow", metavar="DIR", help="also write pictures of the attention flow into this folder")


def _add_who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--who", type=int, default=0, metavar="N", help="which person, 0 = the largest")


def _add_force(parser: argparse.ArgumentParser) -> None:
    force = "write over files that leffa has not written; never over what the command reads"
    parser.add_argument("--force", action="store_true", help=force)


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        steps=options.steps,
        guidance_scale=options.guidance,
        guidance_rescale=options.guidance_rescale,
        seed=options.seed,
        reuse_reference=options.reuse_reference,
        compose=options.compose,
        pace=options.pace,
        size=options.size,
    )


def _warn_of_long_runs(engine: "Engine", model: Model, settings: Settings) -> None:
    """Say how long it will take, and what would be quicker, where there is no graphics card."""
    machine, used = engine.pipelines.machine(), settings.resolved(model)
    quick = quickest(model).resolved(model)
    if machine.kind != "cpu" or not model.smaller or used.size == quick.size:
        return
    placement = engine.pipelines.placement(model)
    operations, needs = speed.measure(machine, placement.dtype), Needs.of(model.folder, used.size)
    long, short = (
        speed.duration_text(speed.seconds(model, one, placement, needs, operations)) for one in (used, quick)
    )
    print(
        f"There is no graphics card: this picture takes about {long}, one with {as_options(quickest(model))} "
        f"about {short}.",
        file=sys.stderr,
    )


def _engine(*asked: Any) -> "Engine":
    """Only once all that is asked was looked at: torch and its kin take seconds to load.

    Their threads sleep while they wait. Spinning, they take the cores that others need: on a busy machine
    three times the processor time, and longer.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from leffa.engine import Engine

    return Engine(*asked)


def _try_on(options: argparse.Namespace) -> None:
    from leffa.images import load_image
    from leffa.preprocess.given_mask import read_mask

    output = _checked_output(options, options.person, options.reference, options.mask)
    settings = _settings(options)
    model = find(Task.TRY_ON, options.model, options.garment and Garment(options.garment))
    settings.resolved(model)
    person, reference = load_image(options.person), load_image(options.reference)
    mask = read_mask(options.mask, invert=options.invert_mask) if options.mask else None
    engine = _engine(options.device, options.memory)
    _warn_of_long_runs(engine, model, settings)
    with _Bar() as bar:
        prepared = engine.prepare(person, options.who)
        result = engine.try_on(
            prepared, reference, options.garment, mask, settings, options.model, progress=bar
        )
    _write(result, output, options)


def _pose(options: argparse.Namespace) -> None:
    from leffa.images import load_image

    output = _checked_output(options, options.reference, options.pose)
    settings = _settings(options)
    model = find(Task.POSE_TRANSFER, options.model)
    settings.resolved(model)
    reference, pose = load_image(options.reference), load_image(options.pose)
    engine = _engine(options.device, options.memory)
    _warn_of_long_runs(engine, model, settings)
    with _Bar() as bar:
        result = engine.pose_transfer(
            engine.prepare(reference, options.who), pose, settings, options.model, progress=bar
        )
    _write(result, output, options)


def _mask(options: argparse.Namespace) -> None:
    from PIL import Image

    from leffa.images import check_output, load_image, save_atomically
    from leffa.preprocess.offline.masks import MaskOptions

    output = check_output(options.output)
    check_outputs([output], [options.person, options.reference], options.force)
    person, shot = load_image(options.person), load_image(options.reference) if options.reference else None
    wishes = MaskOptions(sleeve=options.sleeve, hem=options.hem)
    engine = _engine()
    prepared = engine.prepare(person, options.who)
    garment, told = engine.advise(prepared, options.garment, shot, wishes)
    mask = engine.mask(prepared, garment, wishes)
    save_atomically(Image.fromarray(mask), output)
    _tell([*prepared.notes, *map(str, told)], f"{output}: {100 * (mask > 0).mean():.0f} % of the picture")


def _app(options: argparse.Namespace) -> None:
    """Become ``python -m demo``: the app stands on the library, which starts it and never imports it."""
    if find_spec("demo") is None:
        raise LeffaError("the app is not installed here: pip install -e . in a checkout brings it")
    arguments = ["--host", options.host]
    if options.port is not None:
        arguments += ["--port", str(options.port)]
    os.execv(sys.executable, [sys.executable, "-m", "demo", *arguments])


def _checked_output(options: argparse.Namespace, *inputs: str | None) -> Path:
    """Where the result goes. Raises FileError unless everything that comes of the run may be written."""
    from leffa.images import check_output

    output = check_output(options.output)
    flow = [Path(options.flow) / f"{name}.png" for name in FLOW_PICTURES] if options.flow else []
    check_outputs([output, output.with_suffix(".json"), *flow], inputs, options.force)
    return output


def _write(result: "Result", output: Path, options: argparse.Namespace) -> None:
    """The picture, beside it the settings it was made with, and the flow's pictures."""
    from leffa.images import save_atomically

    save_atomically(result.images[0], output, is_made=True)
    given = {name: getattr(options, name, None) for name in INPUTS}
    if result.garment is not None:
        given["garment"] = result.garment.value
    record = {
        "software": f"{MARK} {__version__}",
        "task": result.task.value,
        "model": result.model,
        **asdict(result.settings),
        "inputs": {name: value for name, value in given.items() if value is not None},
    }
    write_json(output.with_suffix(".json"), record, indent=2)
    if options.flow:
        folder = Path(options.flow)
        with in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
        from leffa.explain.views import flow_pictures

        for name, picture in flow_pictures(result).items():
            save_atomically(picture, folder / f"{name}.png")
    used = result.settings
    _tell(result.notes, f"{output}: seed {used.seed}, {used.steps} steps, model {result.model}")


def _tell(notes: list[str], last: str) -> None:
    for note in notes:
        print(note, file=sys.stderr)
    print(last)


class _Bar:
    """Progress of a run as a bar on stderr."""

    previews = False

    def __enter__(self) -> "_Bar":
        from tqdm import tqdm

        self._bar = tqdm(total=100, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", file=sys.stderr)
        return self

    def __call__(self, share: float, what: str, preview: "Image.Image | None") -> None:
        self._bar.set_description_str(what)
        self._bar.update(round(100 * share) - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()


if __name__ == "__main__":
    sys.exit(main())
