"""Every address of the product."""

from django.contrib import admin
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "whatsapp_campaigns.errors.bad_request"
handler403 = "whatsapp_campaigns.errors.forbidden"
handler404 = "whatsapp_campaigns.errors.not_found"
handler500 = "whatsapp_campaigns.errors.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("favicon.ico", RedirectView.as_view(url=staticfiles_storage.url("whatsapp_campaigns/favicon.ico"))),
    path("", include("gupshup.urls")),
    path("api/", include(("whatsapp_campaigns.api.urls", "api"))),
    path("admin/", admin.site.urls),
]
