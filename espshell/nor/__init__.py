"""SPI NOR flash parts: opcodes, SFDP, status registers, protected ranges and plans to change them.

Nothing here talks to a flash.  ``parts.identify`` says what a part is, ``layout`` which bits its
registers have, ``protection`` what they protect, and ``plan`` what must be sent to change them.
"""
