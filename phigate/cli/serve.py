"""``phigate serve``: the gateway itself."""

from __future__ import annotations

from pathlib import Path

import click

from phigate.errors import OperatorError

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("phigate.yaml"),
    show_default=True,
    help="Where this gateway stands; `phigate init FOLDER` writes one.",
)
_DEV = click.option("--dev", is_flag=True, help="Accept the development signature on the policies; loopback only.")


@click.command()
@_CONFIG
@_DEV
def serve(config: Path, *, dev: bool) -> None:
    """Serve the gateway until it is told to stop."""
    from phigate.app.server import serve as run
    from phigate.app.settings import load

    try:
        run(load(config), config, dev=dev)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None


@click.command(hidden=True)
@_CONFIG
@_DEV
@click.option("--fd", type=int, required=True, help="The inherited listening socket.")
def serve_worker(config: Path, *, dev: bool, fd: int) -> None:
    """Serve as one of several workers; started by `serve`."""
    from phigate.app.server import serve_worker as run
    from phigate.app.settings import load

    try:
        run(load(config), dev=dev, fd=fd)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
