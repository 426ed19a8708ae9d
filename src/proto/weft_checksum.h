/* weft_checksum: the hashes that chain the log together (docs/protocol.md, Checksums).
 * All are XXH3, 64 bits, seed 0; numbers enter as 8 bytes, little-endian. */
#ifndef WEFT_CHECKSUM_H
#define WEFT_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of any bytes: of a type's name and of an event's bytes. */
uint64_t weft_hash(const void *bytes, size_t size);
/* Row checksum: over position, stored_us, hash of the type, hash of the event. */
uint64_t weft_checksum_row(uint64_t position, int64_t stored_us, uint64_t type_hash,
                           uint64_t event_hash);
/* Chain of the log after a row with this checksum. The chain at position 0 is 0. */
uint64_t weft_checksum_chain(uint64_t previous_chain, uint64_t row_checksum);
/* Chain of one origin after one more of its events. The chain at sequence 0 is 0. */
uint64_t weft_checksum_origin(uint64_t previous_chain, uint64_t type_hash, uint64_t event_hash);

#endif
