"""Templates and senders, under /api/."""

from django.urls import path

from gupshup import views

urlpatterns = [
    path("templates", views.Templates.as_view(), name="templates"),
    path("templates/sync", views.SyncTemplates.as_view(), name="sync-templates"),
    path("templates/<id:pk>", views.OneTemplate.as_view(), name="template"),
    path("senders", views.Senders.as_view(), name="senders"),
    path("senders/<id:pk>", views.OneSender.as_view(), name="sender"),
]
