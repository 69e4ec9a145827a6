"""Functional tests, stand-ins, load and quality gates for Quart services, ending in one verdict."""

__version__ = "0.1.0"
