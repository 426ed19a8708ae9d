/* fuzz_ack: acknowledgements, and the texts of UUIDs in their topics. */
#include "fuzz.h"

#include "weft_record.h"

static void s_uuid(const uint8_t *data, size_t size) {
    char text[65], canonical[33];
    weft_uuid_t uuid, again;
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, length);
    text[length] = '\0';
    if (!weft_uuid_parse(&uuid, text)) return;
    weft_uuid_text(canonical, uuid.bytes);
    WEFT_ASSERT(weft_uuid_parse(&again, canonical));
    WEFT_ASSERT(memcmp(&uuid, &again, sizeof uuid) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weft_ack_t ack, again;
    weft_buf_t w;
    if (size) s_uuid(data, size);
    if (weft_ack_decode(data, size, &ack) != WEFT_OK) return 0;
    weft_buf_init(&w);
    weft_ack_encode(&w, &ack);
    WEFT_ASSERT(weft_buf_ok(&w) && w.size <= size);
    WEFT_ASSERT(weft_ack_decode(w.data, w.size, &again) == WEFT_OK);
    WEFT_ASSERT(ack.source_seq == again.source_seq && ack.position == again.position);
    WEFT_ASSERT(ack.origin_chain == again.origin_chain);
    weft_buf_free(&w);
    return 0;
}
