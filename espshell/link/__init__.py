"""The only floor that owns a port and a clock: opening, framing, reset lines, traces."""
