"""The admin of campaigns: one module for each thing a person does there."""

from campaigns.admin.campaign import CampaignAdmin as CampaignAdmin
from campaigns.admin.rows import AttemptAdmin as AttemptAdmin
from campaigns.admin.rows import EventAdmin as EventAdmin
from campaigns.admin.rows import InteractionAdmin as InteractionAdmin
from campaigns.admin.rows import MessageAdmin as MessageAdmin
