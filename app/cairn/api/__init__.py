"""HTTP: parse, ask the service, present. The only room that speaks HTTP."""
