"""The webhook's secret stands in its address: no log line may carry it, whoever writes the line (Django logs paths)."""

from __future__ import annotations

import logging
import re

_ADDRESS = re.compile(r"(webhooks/gupshup/)[^\s?\"']+")
_TOKEN = re.compile(r"([?&]token=)[^\s&\"']+")


class HideSecrets(logging.Filter):
    """Masks what follows the webhook's address, in the message as it would be written."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        masked = _TOKEN.sub(r"\1***", _ADDRESS.sub(r"\1***", said))
        if masked != said:
            record.msg, record.args = masked, None
        return True
