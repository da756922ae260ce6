#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it uses, and starts, the embedded servers of `.data/`."""

import os
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
NEEDS_NO_DATABASE = {"gupshup_simulator", "help", "--help", "--version", "makemessages", "compilemessages"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_campaigns.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command not in NEEDS_NO_DATABASE:
        from whatsapp_campaigns.local import ensure_running

        ensure_running(BASE_DIR)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
