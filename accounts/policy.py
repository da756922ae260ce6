"""What each role may do. One table; pure.

A permission is Django's "<app>.<verb>_<model>". A super-admin may everything. An admin (a marketer) runs contacts and
campaigns, and reads the rest; keys, senders and users belong to the super-admin.
"""

from __future__ import annotations

MARKETER_APPS = frozenset({"contacts", "campaigns"})
MARKETER_READS = frozenset({"gupshup.view_template", "gupshup.view_callback", "gupshup.add_template"})


def allows(role: str, permission: str) -> bool:
    if role == "super_admin":
        return True
    app, _, _ = permission.partition(".")
    return app in MARKETER_APPS or permission in MARKETER_READS


def sees(role: str, app: str) -> bool:
    return role == "super_admin" or app in MARKETER_APPS or any(p.startswith(f"{app}.") for p in MARKETER_READS)
