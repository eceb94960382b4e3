"""Tests of workflows used without a service: contexts, checkpoints in memory, and reruns."""
