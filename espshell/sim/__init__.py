"""A chip in a box: bytes in, bytes out, by pyserial's URL handlers or on a pty or TCP port.

    models    what the simulated chips are, as data
    url       ``sim://esp32c3?flash=4M`` to a ``Setup``
    memory    RAM, ROM and registers;  efuse  what is burnt
    nor, spi  the flash and its controller;  parts, sfdp  flash parts as data;  status, guard
              their registers, and what those protect;  access  how loaders use all that
    chip      all of it together
    program   what may run on it;  receiver  how its bytes become frames
    rom       the ROM loader: frames to replies
    download  what a host puts into RAM;  stub_image, stub, habits, handler  what may be found there
    fault     what goes wrong, by rule
    line      bytes on their way from the chip to the host
    life      starting, crashing, and which program runs;  agenda  what is to happen when
    wire      chip, cable and reset lines against a clock
    counters  what tests count
    protocol_sim, serve    the two faces: virtual time in one process, real time for other programs

Nothing here is shared with the host side but the codec and the tables of chips: a simulator built
from the code that it examines would prove nothing.
"""
