"""A local Gupshup: the provider's HTTP, webhooks, people and ledger in a process of its own.

Standard library only, and nothing of this project: not even `gupshup.api`, because a mistake made
once must not hide behind the same mistake made twice. Run it with `python -m gupshup.simulator` or
`manage.py gupshup_simulator`; `docs/simulator.md` tells how to test an integration with it.
"""
