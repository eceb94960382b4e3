"""Tests of drawings: of workflows, and of what their runs did."""
