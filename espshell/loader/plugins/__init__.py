"""Handlers of ours in the flasher stub, and putting them there."""
