"""What people read about an address that is not called."""

from __future__ import annotations

from django.utils.translation import gettext as _

from hooks.reaching import Refused


def refusal(refused: Refused) -> str:
    """Why an address cannot be taken, and what to give instead."""
    return {
        "not a web address": _("This is no web address. Give one such as https://example.com/hook."),
        "an address with a password": _("Leave user name and password out of the address: the signature is the proof."),
        "not https": _("Give an address that begins with https://."),
        "an address inside our own network": _(
            "This address leads into the network of this server. Give a public one, or allow the network with "
            "HOOKS_ALLOWED_NETWORKS."
        ),
    }[str(refused)]
