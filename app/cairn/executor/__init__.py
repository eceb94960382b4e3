"""The runs of this process and of others: claimed, driven, and watched."""
