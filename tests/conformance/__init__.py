"""The conformance suite, held against the journals there are, and against wrong ones."""
