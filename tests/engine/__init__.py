"""The engine: tests of one room in a folder of its name, and tests that cross rooms beside them."""
