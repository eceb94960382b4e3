"""The service over HTTP, asked as a client would ask it."""
