"""What a study costs before it is run: hours, disk and memory of every target."""
