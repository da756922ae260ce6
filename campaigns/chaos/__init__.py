"""Chaos: whole campaigns while processes are killed and frozen, PostgreSQL crashes and the provider misbehaves.

A harness beside the product, which imports nothing of it: crash points are wrapped around the engine's functions from
outside, in processes that this package forks. What it proves, and how to read a failure: docs/chaos.md.
"""
