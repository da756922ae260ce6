"""The web process. It refuses to start when a mandatory setting is missing [1.2]."""

import os

import django
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_campaigns.settings")

# Before the middleware, which needs the secrets. An exception, not an exit: a web server that loads the application
# then stops instead of trying for ever.
django.setup(set_prefix=False)
from gupshup import senders  # noqa: E402 - models need the set-up above

senders.start()
application = get_wsgi_application()
