/* A compressed read of flash or memory by the ROM's own tdefl: frames of a zlib stream, then the
   CRC-32 of what was read.

   Payload: address or offset, size (multiples of 4), kind as of `stream`, address of 170 KiB of
   RAM for the state of tdefl, probes, check. Where the ROM cannot read the flash the zlib stream
   ends there, and the CRC-32 is wrong. */
#include "plugin.h"

enum { FLASH, SECTORS, MEMORY };
enum { ZLIB_HEADER = 0x1000, FINISH = 4 };

ROM(read_flash, 1);
ROM(deflate_init, 2);
ROM(deflate, 3);

static int run(const struct context *context)
{
    uint32_t at = context->data[0], left = context->data[1], kind = context->data[2];
    void *state = (void *)context->data[3];
    uint32_t crc = 0xFFFFFFFF, used = 0, block[FRAME_WORDS], out[FRAME_WORDS];
    bool (*send)(const void *, size_t) = context->transport->send;
    int status = 0;

    ((deflate_init_t)deflate_init)(state, 0, 0, ZLIB_HEADER | context->data[4]);
    do {
        uint32_t size = left < sizeof block ? left : sizeof block, bad = 0;
        const uint8_t *from = (const uint8_t *)block;

        if (kind == MEMORY) {
            for (uint32_t i = 0; i < size / 4; i++)
                block[i] = ((const volatile uint32_t *)at)[i];
        } else if (size) {
            bad = ((read_flash_t)read_flash)(at, block, size);
        }
        for (uint32_t i = 0; i < size / 4; i++)
            crc = crc_word(crc, block[i]);
        at += size;
        left -= size;
        if (bad)
            left = crc = 0;
        do {
            size_t taken = size, room = sizeof out - used;
            status = ((deflate_t)deflate)(state, from, &taken, (uint8_t *)out + used, &room,
                                          left ? 0 : FINISH);
            from += taken;
            size -= taken;
            used += room;
            if (used == sizeof out) {
                send(out, used);
                used = 0;
            }
        } while (size || (!left && status == 0));
    } while (left);
    if (used)
        send(out, used);
    crc = ~crc;
    send(&crc, 4);
    return 0;
}

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 6))
        return BAD_CHECKSUM;
    response->after = run;
    return 0;
}
