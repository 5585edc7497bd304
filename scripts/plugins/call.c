/* Call a function with eight arguments. Payload: address, arguments, check. The value is what it
   returns. */
#include "plugin.h"

typedef uint32_t (*function_t)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t,
                               uint32_t, uint32_t);

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 10))
        return BAD_CHECKSUM;
    response->value = ((function_t)data[0])(data[1], data[2], data[3], data[4], data[5], data[6],
                                            data[7], data[8]);
    return 0;
}
