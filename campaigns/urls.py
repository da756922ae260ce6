"""Campaigns, messages and answers, under /api/."""

from django.urls import path

from campaigns import api_drafts, api_messages, views

urlpatterns = [
    path("campaigns", views.Campaigns.as_view(), name="campaigns"),
    path("campaigns/drafts", api_drafts.Drafts.as_view(), name="drafts"),
    path("campaigns/<id:pk>", views.OneCampaign.as_view(), name="campaign"),
    path("campaigns/<id:pk>/stats", views.Stats.as_view(), name="campaign-stats"),
    path("campaigns/<id:pk>/retry", views.Retry.as_view(), name="campaign-retry"),
    path("campaigns/<id:pk>/content", api_drafts.Content.as_view(), name="campaign-content"),
    path("campaigns/<id:pk>/launch", api_drafts.Launch.as_view(), name="campaign-launch"),
    path("campaigns/<id:pk>/schedule", api_drafts.Schedule.as_view(), name="campaign-schedule"),
    path("campaigns/<id:pk>/pause", api_drafts.Pause.as_view(), name="campaign-pause"),
    path("campaigns/<id:pk>/resume", api_drafts.Resume.as_view(), name="campaign-resume"),
    path("campaigns/<id:pk>/cancel", api_drafts.Cancel.as_view(), name="campaign-cancel"),
    path("campaigns/<id:pk>/audience", api_drafts.Audience.as_view(), name="campaign-audience"),
    path("campaigns/<id:pk>/problems", api_drafts.Problems.as_view(), name="campaign-problems"),
    path("campaigns/<id:pk>/figures", api_drafts.CampaignFigures.as_view(), name="campaign-figures"),
    path("campaigns/<id:pk>/events", api_drafts.CampaignEvents.as_view(), name="campaign-events"),
    path("campaigns/<id:pk>/uncertain", api_messages.Uncertain.as_view(), name="uncertain"),
    path("campaigns/<id:pk>/uncertain/resend", api_messages.ResendUncertain.as_view(), name="uncertain-resend"),
    path("campaigns/<id:pk>/uncertain/give-up", api_messages.GiveUpUncertain.as_view(), name="uncertain-give-up"),
    path("messages", api_messages.Messages.as_view(), name="messages"),
    path("messages/stats", api_messages.MessageStats.as_view(), name="message-stats"),
    path("messages/<id:pk>", api_messages.OneMessage.as_view(), name="message"),
    path("messages/<id:pk>/attempts", api_messages.MessageAttempts.as_view(), name="message-attempts"),
    path("interactions", api_messages.Interactions.as_view(), name="interactions"),
    path("interactions/<id:pk>", api_messages.OneInteraction.as_view(), name="interaction"),
]
