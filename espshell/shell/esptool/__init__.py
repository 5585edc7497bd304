"""esptool's command line in front of our verbs: its old spellings, global options and settings.

The commands themselves are declared in ``shell.commands.esptool`` and beside our own verbs; this
package turns a whole line of esptool's into one of ours.
"""
