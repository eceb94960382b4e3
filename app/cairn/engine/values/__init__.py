"""Values as JSON and back, exactly."""
