"""The usual way to build this, to compare with: a DRF view that saves a row, and one Celery task for each message."""
