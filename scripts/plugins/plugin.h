/* A handler of the flasher stub's plugin table (version 2), in the C of all three architectures.

   The interface is Espressif's (esp-flasher-stub, docs/plugin-system.md, Apache-2.0 or MIT). A
   handler has `.text` alone: no variables; constants lie beside the code, as words, because the
   IRAM of an Xtensa core takes 32-bit accesses only.

   Every payload ends with a word that makes the sum of the opcode and all its words 0: requests
   have no checksum of their own, and a flipped bit must not read, write or call anything else. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BAD_SIZE 0xC0
#define BAD_CHECKSUM 0xC1
#define FRAME_WORDS 256

struct transport {
    const uint8_t *(*poll)(size_t *size, bool *error);
    void (*release)(void);
    bool (*send)(const void *data, size_t size);
};

struct context {
    uint8_t command, direction;
    uint16_t size;
    uint32_t checksum;
    const uint32_t *data;
    const struct transport *transport;
};

struct response {
    uint32_t value;
    uint8_t data[64];
    uint16_t size;
    int (*after)(const struct context *);
};

/* A word that the host fills in when it uploads a handler: the address of a function in the ROM.
   The number is the function's place in ROM of scripts/plugins/build.py. */
#define ROM(name, number)                                                                          \
    extern const uint32_t name __attribute__((visibility("hidden")));                              \
    __asm__(".section .rodata\n.balign 4\n" #name ": .word 0xF00D0000 + " #number "\n.text")

typedef int (*read_flash_t)(uint32_t offset, uint32_t *buffer, int32_t size);
typedef int (*deflate_init_t)(void *state, void *put, void *user, int flags);
typedef int (*deflate_t)(void *state, const void *in, size_t *in_size, void *out, size_t *out_size,
                         int flush);

static inline __attribute__((always_inline)) bool is_whole(uint32_t command, const uint32_t *data,
                                                           uint32_t words)
{
    while (words--)
        command += *data++;
    return command == 0;
}

/* CRC-32 of IEEE 802.3, four bits at a time: 16 words of table, 10 instructions a byte. */
static const uint32_t crc_table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static inline __attribute__((always_inline)) uint32_t crc_word(uint32_t crc, uint32_t word)
{
    crc ^= word;
    for (int nibble = 0; nibble < 8; nibble++)
        crc = crc >> 4 ^ crc_table[crc & 15];
    return crc;
}
