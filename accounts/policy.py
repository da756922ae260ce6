"""What each role may do. One table; pure.

A permission is Django's "<app>.<verb>_<model>". Rows that the system owns are read-only for everybody: their admin
says so, whatever stands here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

# A super-admin holds keys, senders and users. An admin (a marketer) runs contacts and campaigns and asks for
# templates. Who is in no row may do nothing.
GRANTS: dict[str, tuple[str, ...]] = {
    "super_admin": ("*",),
    "admin": (
        "contacts.*",
        "campaigns.*",
        "gupshup.view_template",
        "gupshup.add_template",
        "gupshup.view_callback",
    ),
}


def allows(role: str, permission: str) -> bool:
    return any(fnmatchcase(permission, granted) for granted in GRANTS.get(role, ()))


def sees(role: str, app: str) -> bool:
    """Some page of the app is open to the role."""
    return any(fnmatchcase(app, granted.partition(".")[0]) for granted in GRANTS.get(role, ()))
