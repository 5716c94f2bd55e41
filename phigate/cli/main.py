"""The command ``phigate``: groups are imported only when called, so that every command starts quickly."""

from __future__ import annotations

import importlib

import click

# name -> (module, attribute, one line for --help; empty: hidden)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "cost": ("phigate.cli.cost", "cost", "say what models used and cost, in the house and outside"),
    "demo": ("phigate.cli.demo", "demo", "show the whole road on this machine, with stand-ins for the models"),
    "detect": ("phigate.cli.detect", "detect", "find PHI in texts, show it, score the detector on annotated notes"),
    "glass": ("phigate.cli.glass", "glass", "list the calls for break-glass, and review them"),
    "init": ("phigate.cli.init", "init", "write a site's own settings and policies into a folder"),
    "keys": ("phigate.cli.keys", "keys", "make, list and revoke the keys of apps"),
    "ledger": ("phigate.cli.ledger", "ledger", "read the audit ledger, check it, hand out evidence"),
    "models": ("phigate.cli.models", "models", "choose, plan, serve and check models inside the house"),
    "policy": ("phigate.cli.policy", "policy", "check, test, explain, compare, replay and sign policies"),
    "serve": ("phigate.cli.serve", "serve", "serve the gateway"),
    "serve-worker": ("phigate.cli.serve", "serve_worker", ""),
    "witness": ("phigate.cli.witness", "witness", "vouch for the heads of ledgers, from a host of its own"),
}


class LazyGroup(click.Group):
    """A group whose members live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the table without importing a module."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items() if row[2]])


@click.command(cls=LazyGroup)
@click.version_option(package_name="phigate")
def main() -> None:
    """Stand between hospital apps and language models, so that nothing identifiable leaves."""
