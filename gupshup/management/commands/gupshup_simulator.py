"""`manage.py gupshup_simulator`: a local Gupshup; needs no database and no settings. See docs/simulator.md."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gupshup.simulator import cli


class Command(BaseCommand):
    help = "Run a local Gupshup: HTTP API, webhooks, people and ledger."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(cli.run(argparse.Namespace(**options)))
