"""Resources: what steps are given besides events and context."""
