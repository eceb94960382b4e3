"""Resources: objects that steps are given besides their event and context."""
