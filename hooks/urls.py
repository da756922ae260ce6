"""Outgoing webhooks, under /api/."""

from django.urls import path

from hooks import views

urlpatterns = [
    path("webhook-endpoints", views.Endpoints.as_view(), name="endpoints"),
    path("webhook-endpoints/<id:pk>", views.OneEndpoint.as_view(), name="endpoint"),
    path("webhook-endpoints/<id:pk>/secret", views.RotateSecret.as_view(), name="endpoint-secret"),
    path("webhook-endpoints/<id:pk>/trial", views.Trial.as_view(), name="endpoint-trial"),
    path("webhook-deliveries", views.Deliveries.as_view(), name="deliveries"),
    path("webhook-deliveries/<id:pk>", views.OneDelivery.as_view(), name="delivery"),
    path("webhook-deliveries/<id:pk>/redeliver", views.Redeliver.as_view(), name="delivery-redeliver"),
]
