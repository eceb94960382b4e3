"""Workflows used as a library, without a service."""
