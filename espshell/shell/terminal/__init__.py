"""What a person at a terminal sees and types: prompt, completion, live views."""
