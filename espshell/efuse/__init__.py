"""eFuses: where they are read, what they are called and what they mean. Read-only, no I/O."""
