"""Cost of a study before it is run: hours, disk and memory of every target."""
