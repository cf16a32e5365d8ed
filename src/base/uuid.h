/* uuid: 16 raw bytes and their 36 characters. */
#ifndef NORN_BASE_UUID_H
#define NORN_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum { UUID_LEN = 16, UUID_TEXT_SIZE = 37 };

/* Writes "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" with a NUL. */
void uuid_text(const uint8_t raw[UUID_LEN], char text[UUID_TEXT_SIZE]);
/* Accepts both cases; false when `text` is not a UUID. */
bool uuid_parse(const char *text, uint8_t raw[UUID_LEN]);
bool uuid_is_zero(const uint8_t raw[UUID_LEN]);
/* Makes random bytes a UUID of version 4. */
void uuid_shape(uint8_t raw[UUID_LEN]);

#endif
