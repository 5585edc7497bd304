/* One request, then frames: memory, flash, or the CRC-32 of each sector of flash.

   Payload: address or offset, size (multiples of 4), kind, check. Memory and flash come in frames
   of 1 KiB, and behind them the CRC-32 of everything; sums come 64 a frame. Where the ROM cannot
   read the flash the stream ends there, with a CRC-32 that is wrong. */
#include "plugin.h"

enum { FLASH, SECTORS, MEMORY };

ROM(read_flash, 1);

static int run(const struct context *context)
{
    uint32_t at = context->data[0], left = context->data[1], kind = context->data[2];
    uint32_t crc = 0xFFFFFFFF, count = 0, block[FRAME_WORDS], sums[64];
    bool (*send)(const void *, size_t) = context->transport->send;

    while (left) {
        uint32_t size = left < sizeof block ? left : sizeof block;
        if (kind == MEMORY) {
            for (uint32_t i = 0; i < size / 4; i++)
                block[i] = ((const volatile uint32_t *)at)[i];
        } else if (((read_flash_t)read_flash)(at, block, size)) {
            crc = 0;
            break;
        }
        for (uint32_t i = 0; i < size / 4; i++)
            crc = crc_word(crc, block[i]);
        at += size;
        left -= size;
        if (kind != SECTORS) {
            send(block, size);
        } else if (at % 4096 == 0 || !left) {
            sums[count++] = ~crc;
            crc = 0xFFFFFFFF;
            if (count == 64 || !left) {
                send(sums, count * 4);
                count = 0;
            }
        }
    }
    if (kind != SECTORS) {
        crc = ~crc;
        send(&crc, 4);
    }
    return 0;
}

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 4))
        return BAD_CHECKSUM;
    response->after = run;
    return 0;
}
