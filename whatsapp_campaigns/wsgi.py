"""The web process. It refuses to start when a mandatory setting is missing [1.2]."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_campaigns.settings")
application = get_wsgi_application()
