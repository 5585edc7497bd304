"""Types of arguments: how each is parsed, completed and resolved."""
