"""Categories, contacts and imports, under /api/."""

from django.urls import path

from contacts import views

urlpatterns = [
    path("categories", views.Categories.as_view(), name="categories"),
    path("categories/<id:pk>", views.OneCategory.as_view(), name="category"),
    path("categories/<id:pk>/contacts", views.CategoryContacts.as_view(), name="category-contacts"),
    path("categories/<id:pk>/contacts/<id:contact_id>", views.CategoryContact.as_view(), name="category-contact"),
    path("contacts", views.Contacts.as_view(), name="contacts"),
    path("contacts/import", views.ImportContacts.as_view(), name="import-contacts"),
    path("contacts/<id:pk>", views.OneContact.as_view(), name="contact"),
    path("contacts/<id:pk>/profile", views.Profile.as_view(), name="contact-profile"),
    path("contacts/<id:pk>/opt-out", views.OptOut.as_view(), name="contact-opt-out"),
    path("contacts/<id:pk>/opt-in", views.OptIn.as_view(), name="contact-opt-in"),
    path("imports", views.Imports.as_view(), name="imports"),
    path("imports/<id:pk>", views.OneImport.as_view(), name="import"),
    path("imports/<id:pk>/rejected", views.RejectedRows.as_view(), name="import-rejected"),
]
