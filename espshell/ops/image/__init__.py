"""Verbs on firmware images in files and in flash."""
