"""HTTP: parse a request, call the service, present the result. No other package speaks HTTP."""
