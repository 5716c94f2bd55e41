"""``phigate policy bundles | show-bundle``: the policy of any past entry, from what the gateway kept of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phigate.cli.policy import JSON, failing, write_json
from phigate.errors import SettingsError

if TYPE_CHECKING:
    from phigate.policy.bundle import Bundle
    from phigate.store.bundles import BundleArchive

KEPT = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("phigate.yaml"),
    show_default=True,
    help="The gateway's settings; they say where the bundles are kept.",
)


def archive_of(config: Path) -> BundleArchive:
    """Return the archive of the gateway with these settings."""
    from phigate.app.settings import load
    from phigate.store.bundles import ARCHIVE, BundleArchive

    return BundleArchive(load(config).state / ARCHIVE)


def kept_bundle(config: Path, digest: str) -> Bundle:
    """Return a kept bundle by its digest, or by the first digits of it. Raises `SettingsError`."""
    archive = archive_of(config)
    wanted = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    found = [each for each in archive.digests() if each.startswith(wanted)]
    if len(found) != 1:
        count = "none" if not found else str(len(found))
        raise SettingsError(f"expected one kept bundle {wanted}, found {count}; phigate policy bundles lists them")
    return archive.read(found[0])


def known_bundles(config: Path | None, folder: Bundle | None) -> Callable[[str], Bundle | None]:
    """Return what finds the bundle of a digest: the given one, or one that the gateway of ``config`` kept."""
    archive = archive_of(config) if config is not None else None
    found: dict[str, Bundle | None] = {folder.digest: folder} if folder is not None else {}

    def known(digest: str) -> Bundle | None:
        if digest not in found:
            kept = archive is not None and digest in archive.digests()
            found[digest] = archive.read(digest) if archive is not None and kept else None
        return found[digest]

    return known


@click.command()
@KEPT
@JSON
def bundles(*, config: Path, as_json: bool) -> None:
    """List the bundles that were ever in force on this gateway. The ledger's config entries say when."""
    with failing():
        rows: list[dict[str, str]] = []
        archive = archive_of(config)
        for digest in archive.digests():
            bundle = archive.read(digest)
            regimes = ", ".join(sorted(f"{regime.id}@{regime.version}" for regime in bundle.regimes.values()))
            rows.append({"bundle": digest, "effective": f"{bundle.effective:%Y-%m-%d}", "regimes": regimes})
    if as_json:
        write_json(rows)
        return
    for row in rows:
        click.echo(f"{row['bundle']}  effective {row['effective']}  {row['regimes']}")
    if not rows:
        click.echo("no bundle was in force yet: phigate serve keeps each one")


@click.command()
@click.argument("digest")
@click.option("--file", "name", help="Print this file alone, as regimes/hipaa.yaml.")
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Write the files into a new folder.")
@KEPT
@JSON
def show_bundle(digest: str, *, name: str | None, write: Path | None, config: Path, as_json: bool) -> None:
    """Print the files of a bundle as they were in force. DIGEST is what an entry names as policy, or its beginning."""
    with failing():
        bundle = kept_bundle(config, digest)
        if name is not None and name not in bundle.files:
            raise SettingsError(f"the bundle holds no {name}; it holds {', '.join(sorted(bundle.files))}")
        files = {each: data for each, data in sorted(bundle.files.items()) if name in (None, each)}
        if write is not None:
            _write(write, bundle)
    if write is not None:
        click.echo(f"{len(bundle.files)} files of {bundle.digest} written to {write}")
    elif as_json:
        write_json({"bundle": bundle.digest, "files": {each: data.decode() for each, data in files.items()}})
    elif name is not None:
        click.echo(files[name].decode(), nl=False)
    else:
        click.echo(f"# bundle {bundle.digest}, effective {bundle.effective:%Y-%m-%d}")
        for each, data in files.items():
            click.echo(f"# ---- {each}\n{data.decode()}")


def _write(folder: Path, bundle: Bundle) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise SettingsError(f"{folder} is not empty; name a new folder, so that nothing is overwritten")
    for name, data in bundle.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
