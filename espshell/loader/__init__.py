"""Talking to whichever loader is running: a chip's ROM or a flasher stub."""
