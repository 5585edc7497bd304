"""A chip in a box: bytes in, bytes out, by pyserial's URL handlers or on a pty or TCP port.

    models    what the simulated chips are, as data
    url       ``sim://esp32c3?flash=4M`` to a ``Setup``
    memory    RAM, ROM and registers;  efuse  what is burnt
    nor, spi  the flash and its controller;  parts  flash parts, as data;  status, guard
              their registers, and what those protect;  access  how loaders use all that
    chip      all of it together
    program   what may run on it, and its answer to a frame;  receiver  how bytes become frames
    rom       the ROM loader;  stub, stub_variant  the flasher stub, in two variants
    stub_image, handler  finding a stub in RAM, and executing code that a host has put there
    boot      resets, boots and crashes, which program runs, and what will happen when
    fault     what goes wrong, by rule
    line      bytes on their way from the chip to the host, and cables
    wire      chip, cable and reset lines against a clock
    protocol_sim   virtual time in one process, for pyserial
    serve, clients, rfc2217  real time, for other programs: on a pty, a TCP port, by RFC 2217

Nothing here is shared with the host side but the codec and the tables of chips: a simulator built
from the code that it examines would prove nothing.
"""
