"""The status registers of a flash chip: read, explained and changed."""
