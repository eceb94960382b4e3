"""What is measured, and beside what. Measurements, not tests: no time is ever asserted."""
