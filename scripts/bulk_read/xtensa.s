# Copy up to 16 words of memory into the reply: a handler for the plugin table of the flasher stub
# (version 2), Xtensa with register windows. The bytes stand in espshell/loader/bulk.py;
# scripts/assemble prints them. The assembler is that of the ESP8266, which has no windows: entry
# and retw.n are written as bytes.
#
# a2 command, a3 payload (address, count of words), a4 its size, a5 the reply: value (u32) at 0,
# data (64 bytes) at 4, size of data (u16) at 68. Returns 0 in a2: done. The value
# is the address plus all words, as in riscv.s.
    .global handler
    .align 4
handler:
    .byte   0x36, 0x41, 0x00        # entry a1, 32
    l32i    a6, a3, 0
    l32i    a7, a3, 4
    mov     a11, a6
    addi    a8, a5, 4
    slli    a9, a7, 2
    s16i    a9, a5, 68
    beqz    a7, 2f
1:  l32i    a10, a6, 0
    s32i    a10, a8, 0
    add     a11, a11, a10
    addi    a6, a6, 4
    addi    a8, a8, 4
    addi    a7, a7, -1
    bnez    a7, 1b
2:  s32i    a11, a5, 0
    movi    a2, 0
    .byte   0x1d, 0xf0              # retw.n
    .byte   0, 0, 0                 # whole words
