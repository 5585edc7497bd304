/* The CRC-32 of memory in one reply. Payload: address, size (multiples of 4), check. */
#include "plugin.h"

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 3))
        return BAD_CHECKSUM;
    const volatile uint32_t *from = (const volatile uint32_t *)data[0];
    uint32_t crc = 0xFFFFFFFF;

    for (uint32_t left = data[1] / 4; left; left--)
        crc = crc_word(crc, *from++);
    response->value = ~crc;
    return 0;
}
