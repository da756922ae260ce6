"""All settings, from the environment, then `.env`, then (without DATABASE_URL) the embedded default's `.data/env`.

Importing this module starts nothing and writes nothing. Secrets have no default: what is missing is reported by
the system checks, with a hint. `WHATSAPP_CAMPAIGNS_LOCAL=1` (set by bin/demo and bin/test) leaves `.env` unread.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _

from whatsapp_campaigns.theme import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
LOCAL = env.bool("WHATSAPP_CAMPAIGNS_LOCAL", default=False)
if not LOCAL:
    environ.Env.read_env(BASE_DIR / ".env")
if not env.str("DATABASE_URL", default=""):
    environ.Env.read_env(BASE_DIR / ".data" / "env", overwrite=True)
    LOCAL = LOCAL or (BASE_DIR / ".data" / "env").exists()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")

# -- the provider; requirement 1.1. `gupshup.checks` says what is missing.
GUPSHUP_API_KEY = env.str("GUPSHUP_API_KEY", default="")
GUPSHUP_APP_NAME = env.str("GUPSHUP_APP_NAME", default="")
GUPSHUP_PHONE_NUMBER = env.str("GUPSHUP_PHONE_NUMBER", default="")
GUPSHUP_API_URL = env.str("GUPSHUP_API_URL", default="https://api.gupshup.io/wa/api/v1")
GUPSHUP_CUSTOMER_ID = env.str("GUPSHUP_CUSTOMER_ID", default="")
GUPSHUP_APP_ID = env.str("GUPSHUP_APP_ID", default="")
GUPSHUP_WEBHOOK_SECRET = env.str("GUPSHUP_WEBHOOK_SECRET", default="")
GUPSHUP_ALLOWED_ADDRESSES = env.list("GUPSHUP_ALLOWED_ADDRESSES", default=[])
# Keys of Sender rows are encrypted with this; the first encrypts, all decrypt (rotation).
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
DEFAULT_COUNTRY = env.str("DEFAULT_COUNTRY", default="FR")  # ISO 3166 region for numbers written without a country

INSTALLED_APPS = [
    "whatsapp_campaigns",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "csp",
    "accounts",
    "contacts",
    "gupshup",
    "hooks",
    "metrics",
    "campaigns",
    "campaigns.legacy",
]

MIDDLEWARE = [
    "gupshup.webhooks.WebhookFirst",
    "csp.middleware.CSPMiddleware",  # outermost: error pages carry the header too
    "whatsapp_campaigns.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "whatsapp_campaigns.api.middleware.ApiMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.sessions.SessionLimits",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "whatsapp_campaigns.urls"
WSGI_APPLICATION = "whatsapp_campaigns.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# -- PostgreSQL only; a pool, because the workers are threads.
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default="postgresql://localhost/whatsapp_campaigns"),
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1,
    "max_size": env.int("DATABASE_POOL_SIZE", default=20),
    "timeout": 8,  # seconds to wait for a connection: Gupshup waits 10 for our answer to a callback
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLED = env.bool("AXES_ENABLED", default=True)
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"  # what Django's authenticate() is called with
AXES_CLIENT_IP_CALLABLE = "accounts.clients.address"
AXES_LOCKOUT_CALLABLE = "whatsapp_campaigns.errors.locked_out"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_AGE = 12 * 3600  # a login lasts a working day at most,
SESSION_IDLE_SECONDS = 2 * 3600  # and less when nobody clicks (accounts.sessions)

# -- languages: French first.
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="fr")  # of the command line, and of a browser that asks for neither
LANGUAGES = [("fr", _("French")), ("en", _("English"))]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = env.str("TIME_ZONE", default="Europe/Paris")
USE_I18N = True
USE_TZ = True
LOCALE_PATHS = [BASE_DIR / "whatsapp_campaigns" / "locale"]

STATIC_URL = "static/"
STATIC_ROOT = None if LOCAL else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = LOCAL or DEBUG

# -- Celery: the broker is a doorbell (docs/architecture.md). No state, no results, no countdowns.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = env.int("CELERY_WORKER_CONCURRENCY", default=8)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 100
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 35
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"socket_timeout": 5, "socket_connect_timeout": 2, "health_check_interval": 10, "visibility_timeout": 3600}
    if CELERY_BROKER_URL.startswith(("redis", "valkey"))
    else {"confirm_publish": True}
)
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = {
    "ingest": {"task": "campaigns.ingest_task", "schedule": 1.0, "options": {"expires": 5}},
    "sweep": {"task": "campaigns.sweep_task", "schedule": 5.0, "options": {"expires": 10}},
    "deliver-hooks": {"task": "hooks.deliver_task", "schedule": 2.0, "options": {"expires": 5}},
    "prune-hooks": {"task": "hooks.prune_task", "schedule": 3600.0, "options": {"expires": 3600}},
    "prune": {"task": "campaigns.prune_task", "schedule": 3600.0, "options": {"expires": 3600}},
    "sync-templates": {"task": "campaigns.sync_templates_task", "schedule": 3600.0, "options": {"expires": 3600}},
    "self-check": {"task": "campaigns.self_check_task", "schedule": 300.0, "options": {"expires": 300}},
}

# -- the API (docs/api.md): tokens for people, keys for programs, no cookies.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.Bearer", "accounts.authentication.ProgramKey"],
    "DEFAULT_PERMISSION_CLASSES": ["whatsapp_campaigns.api.permissions.Guarded"],
    "DEFAULT_PARSER_CLASSES": ["whatsapp_campaigns.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "whatsapp_campaigns.api.paging.Pages",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "whatsapp_campaigns.api.errors.handle",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "CHECK_REVOKE_TOKEN": True,  # a new password ends the tokens given before
}
SPECTACULAR_SETTINGS = {
    "TITLE": "WhatsApp campaigns",
    "VERSION": "1",
    "DESCRIPTION": "Campaigns through Gupshup, for front ends and programs. "
    "People log in at `/api/auth/login` and send "
    "`Authorization: Bearer <access>`; programs send `Authorization: Api-Key wck_…`.",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "CampaignStateEnum": "campaigns.status.CampaignStatus",
        "CampaignStatusEnum": "campaigns.oldwords.OLD_CAMPAIGN_CHOICES",
        "MessageStateEnum": "campaigns.oldwords.MESSAGE_STATE_CHOICES",
        "MessageStatusEnum": "campaigns.oldwords.OLD_MESSAGE_CHOICES",
        "AttemptStateEnum": "campaigns.status.AttemptState",
        "ImportStateEnum": "contacts.models.Import.State",
        "TemplateStatusEnum": "gupshup.models.Template.Status",
        "EndpointStateEnum": "hooks.serializers.STATE_CHOICES",
        "DeliveryStateEnum": "hooks.models.Delivery.State",
        "EventKindEnum": "hooks.models.Kind",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "persistAuthorization": False,
        "docExpansion": "list",
        "defaultModelsExpandDepth": -1,
        "filter": True,
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "whatsapp_campaigns.api.schema.complete",
    ],
}
API_ALLOWED_ORIGINS = env.list("API_ALLOWED_ORIGINS", default=[])  # of a front end on another host

# -- HTTPS and headers. HTTPS=0 only for a local trial.
HTTPS = env.bool("HTTPS", default=not LOCAL)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "whatsapp_campaigns.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)  # the proxy sets X-Forwarded-Proto and appends to -For
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # an import of 300 000 contacts is about 20 MB
# The admin theme's Alpine needs 'unsafe-eval', its charts inline styles; inline scripts stay forbidden.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"hide_secrets": {"()": "gupshup.logs.HideSecrets"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["hide_secrets"],
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}

# Values that are known to be given in the environment: `.env` wins for the sender it names (design: Start-up).
GUPSHUP_FROM_ENVIRONMENT = bool(GUPSHUP_API_KEY and GUPSHUP_APP_NAME and GUPSHUP_PHONE_NUMBER)
OLD_META_VARIABLES = [
    name
    for name in (
        "WHATSAPP_PHONE_NUMBER_ID",
        "WHATSAPP_ACCESS_TOKEN",
        "WHATSAPP_WEBHOOK_VERIFY_TOKEN",
        "WHATSAPP_API_VERSION",
    )
    if os.environ.get(name)
]

# -- the sending engine (campaigns.sending). The deadline is longer than a call can take (30 s and connecting).
SENDING_THREADS = env.int("SENDING_THREADS", default=32)
SENDING_LEASE_SECONDS = env.float("SENDING_LEASE_SECONDS", default=60)
SENDING_DEADLINE_SECONDS = env.float("SENDING_DEADLINE_SECONDS", default=60)

# -- retention, in days (campaigns.retention); 0 keeps for ever. Figures and states stay; bodies and texts go.
RETENTION_CALLBACK_DAYS = env.int("RETENTION_CALLBACK_DAYS", default=30)
RETENTION_TEXT_DAYS = env.int("RETENTION_TEXT_DAYS", default=365)
RETENTION_HOOK_DAYS = env.int("RETENTION_HOOK_DAYS", default=30)

# -- outgoing webhooks (hooks.reaching): networks beside the public internet that they may reach, by http too.
HOOKS_ALLOWED_NETWORKS = env.list("HOOKS_ALLOWED_NETWORKS", default=[])

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # who has it reads /metrics; empty: only a super-admin's API key
