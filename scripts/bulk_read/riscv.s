# Copy up to 16 words of memory into the reply: a handler for the plugin table of the flasher stub
# (version 2), RISC-V. The bytes stand in espshell/loader/bulk.py; scripts/assemble prints them.
#
# a0 command, a1 payload (address, count of words), a2 its size, a3 the reply: value (u32) at 0,
# data (64 bytes) at 4, size of data (u16) at 68. Returns 0 in a0: done. The value is the address
# plus all words: it shows a bit that flips in the request or in the reply, and whose reply it is.
.option rvc
.globl handler
handler:
    lw      t0, 0(a1)
    lw      t1, 4(a1)
    mv      a5, t0
    addi    t2, a3, 4
    slli    t3, t1, 2
    sh      t3, 68(a3)
1:  beqz    t1, 2f
    lw      t4, 0(t0)
    sw      t4, 0(t2)
    add     a5, a5, t4
    addi    t0, t0, 4
    addi    t2, t2, 4
    addi    t1, t1, -1
    j       1b
2:  sw      a5, 0(a3)
    li      a0, 0
    ret
    .balign 4
