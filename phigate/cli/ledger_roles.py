"""``phigate ledger roles``: divide the rights in a PostgreSQL ledger, once, as its administrator."""

from __future__ import annotations

import click

from phigate.errors import PhigateError


@click.command()
@click.option("--database", required=True, help="postgresql+psycopg://ADMIN@HOST/NAME, who may create roles.")
@click.option("--owner", default="phigate_owner", show_default=True, help="Owns the tables; nobody logs in as it.")
@click.option("--writer", default="phigate_writer", show_default=True, help="May add; for the gateway's login.")
@click.option("--auditor", default="phigate_auditor", show_default=True, help="May read.")
def roles(database: str, owner: str, writer: str, auditor: str) -> None:
    """Bring the schema up to date and divide the rights, so that the gateway can add and change nothing.

    Then make the gateway's login a member: GRANT phigate_writer TO gateway. Safe to repeat; repeat it after an upgrade.
    """
    from phigate.store.roles import Roles, divide_rights

    try:
        watched = divide_rights(database, Roles(owner, writer, auditor))
    except PhigateError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"tables belong to {owner}; now GRANT {writer} TO the gateway's login, {auditor} TO who only reads")
    if not watched:
        click.echo("changes of the schema are not written down: that takes a superuser; the monitor looks at triggers")
