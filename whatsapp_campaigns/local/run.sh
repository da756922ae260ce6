# Finds a Python (3.11 or newer) and hands over to bootstrap.py. Sourced by bin/demo and bin/test with `root`
# (the clone) and `kind` set. Plain POSIX sh: nothing but a Python or uv is expected of the machine.

# An empty environment has no PATH; the shell has a default of its own, and Python finds itself by it.
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH

usable() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }
newer() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info)' >/dev/null 2>&1; }

# The names come in this order: what the person calls python3 first, then the tested versions, then whatever is newer.
find_python() {
    for python in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable "$python"; then return 0; fi
    done
    if uv --version >/dev/null 2>&1; then
        python=$(uv python find --no-project '>=3.11,<3.14' 2>/dev/null) && usable "$python" && return 0
        echo "Installation de Python 3.13 par uv, dans son propre dossier (hors de ce clone)…" >&2
        echo "  uv installs Python 3.13 in its own folder (outside this clone)…" >&2
        uv python install --quiet 3.13 >&2 && python=$(uv python find --no-project 3.13 2>/dev/null) \
            && usable "$python" && return 0
    fi
    for python in python3 python3.14; do
        if newer "$python"; then return 0; fi
    done
    return 1
}

if ! find_python; then
    found=$(python3 --version 2>/dev/null || echo "aucun / none")
    echo "Il faut Python 3.11 ou plus récent (trouvé : $found). Installez-le, ou installez uv, puis relancez." >&2
    echo "  Python 3.11 or newer is needed (found: $found). Install it, or install uv, then start again." >&2
    exit 1
fi
exec "$python" -I "$root/whatsapp_campaigns/local/bootstrap.py" "$kind" "$@"
