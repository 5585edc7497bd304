"""Files that firmware comes in."""
