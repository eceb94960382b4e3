"""Tests of the language: events, steps, retry policies, resources, and how steps and events fit."""
