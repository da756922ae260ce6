"""Gupshup, and nothing of ours: no Django, no database; credentials come as arguments."""
