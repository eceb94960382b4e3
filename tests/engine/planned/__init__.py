"""The generator: plans of workflows, what runs of a plan must come to, and lives of such runs."""
