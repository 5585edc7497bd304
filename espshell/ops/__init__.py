"""The verbs.  Each returns a frozen value or raises; none prints, asks or exits.

A finding that one dislikes is a value whose ``ok`` is False; only "could not find out" is an error.
"""
