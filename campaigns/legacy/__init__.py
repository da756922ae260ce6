"""Bringing the old system's data over: its PostgreSQL, or CSV dumps of its tables. Its history and figures stay."""
