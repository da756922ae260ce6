"""Login and users, under /api/."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("auth/login", views.Login.as_view(), name="login"),
    path("auth/refresh", views.Refresh.as_view(), name="refresh"),
    path("auth/me", views.Me.as_view(), name="me"),
    path("users", views.Users.as_view(), name="users"),
    path("users/<id:pk>", views.OneUser.as_view(), name="user"),
]
