"""What the functions of this app announce; `receivers` turns it into nudges. Sent after the commit."""

from django.dispatch import Signal

launched = Signal()  # campaign_id: its messages are to be written
work_waits = Signal()  # sender_id: something may leave now
