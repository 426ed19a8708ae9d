/* fuzz_type: the grammar of types and filters, and matching, against the dullest version of each. The
 * input is a filter and a type with a space between. */
#include "fuzz.h"

#include "weft_limits.h"
#include "weft_type.h"

typedef struct {
    const char *at;
    size_t size;
} s_segment_t;

/* Cut at every dot. */
static size_t s_split(const char *text, size_t size, s_segment_t *out) {
    size_t count = 0;
    out[0] = (s_segment_t){.at = text};
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.')
            out[++count] = (s_segment_t){.at = text + i + 1};
        else
            out[count].size++;
    }
    return count + 1;
}

static bool s_name(const s_segment_t *segment) {
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (size_t i = 0; i < segment->size; i++)
        if (!segment->at[i] || !strchr(legal, segment->at[i])) return false;
    return segment->size > 0;
}

static bool s_is(const s_segment_t *segment, char c) {
    return segment->size == 1 && *segment->at == c;
}

static bool s_names(const s_segment_t *segments, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!s_name(&segments[i])) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static s_segment_t filter_segments[WEFT_TYPE_BYTES_MAX + 1],
        type_segments[WEFT_TYPE_BYTES_MAX + 1];
    const uint8_t *space = size ? memchr(data, ' ', size) : NULL;
    if (!space) return 0;
    const char *filter = (const char *) data, *type = (const char *) space + 1;
    size_t filter_size = (size_t) (space - data), type_size = size - filter_size - 1;
    weft_err_t filter_rc = weft_filter_check(filter, filter_size);
    weft_err_t type_rc = weft_type_check(type, type_size);
    WEFT_ASSERT((filter_size > WEFT_TYPE_BYTES_MAX) == (filter_rc == WEFT_E_TOO_BIG));
    WEFT_ASSERT((type_size > WEFT_TYPE_BYTES_MAX) == (type_rc == WEFT_E_TOO_BIG));
    if (filter_rc == WEFT_E_TOO_BIG || type_rc == WEFT_E_TOO_BIG) return 0;

    size_t filter_count = s_split(filter, filter_size, filter_segments);
    size_t type_count = s_split(type, type_size, type_segments);
    const s_segment_t *last = &filter_segments[filter_count - 1];
    bool one = s_is(last, '*'), rest = s_is(last, '>');
    size_t fixed = filter_count - (one || rest);
    WEFT_ASSERT((filter_rc == WEFT_OK) == s_names(filter_segments, fixed));
    WEFT_ASSERT((type_rc == WEFT_OK) == s_names(type_segments, type_count));
    if (filter_rc != WEFT_OK || type_rc != WEFT_OK) return 0;

    bool match = one ? type_count == fixed + 1 : rest ? type_count > fixed : type_count == fixed;
    for (size_t i = 0; match && i < fixed; i++)
        match = fuzz_same(filter_segments[i].at, filter_segments[i].size, type_segments[i].at,
                          type_segments[i].size);
    WEFT_ASSERT(weft_filter_match(filter, filter_size, type, type_size) == match);
    size_t topic = weft_filter_topic(filter, filter_size);
    WEFT_ASSERT(topic <= filter_size);
    if (match) WEFT_ASSERT(type_size >= topic && (!topic || memcmp(filter, type, topic) == 0));
    return 0;
}
