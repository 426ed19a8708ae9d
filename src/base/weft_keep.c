/* weft_keep: see weft_keep.h. */
#include "weft_keep.h"

#include <string.h>

#define SECOND UINT64_C(1000000) /* in µs */
#define AGE_MAX (UINT64_C(36500) * 86400 * SECOND)
#define BYTES_MAX (UINT64_C(1) << 60)

typedef struct {
    const char *name;
    bool age;
    uint64_t value; /* µs or bytes */
} weft_keep_unit_t;

static const weft_keep_unit_t s_units[] = {
    {"s", true, SECOND},
    {"m", true, 60 * SECOND},
    {"h", true, 3600 * SECOND},
    {"d", true, 86400 * SECOND},
    {"MB", false, UINT64_C(1000000)},
    {"GB", false, UINT64_C(1000000000)},
    {"TB", false, UINT64_C(1000000000000)},
    {"MiB", false, UINT64_C(1) << 20},
    {"GiB", false, UINT64_C(1) << 30},
    {"TiB", false, UINT64_C(1) << 40},
};

/* One number with its unit, size bytes of text. */
static weft_err_t s_part(const char *text, size_t size, const weft_keep_unit_t **unit,
                         uint64_t *value, const char **reason) {
    size_t digits = 0;
    uint64_t number = 0;
    *reason = "want a number with a unit, as 30d or 20GB";
    for (; digits < size && text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (number > BYTES_MAX / 10) return WEFT_E_ARG;
        number = number * 10 + (uint64_t) (text[digits] - '0');
    }
    if (!digits) return WEFT_E_ARG;
    *reason = "want a unit: s m h d for an age, MB GB TB MiB GiB TiB for a size";
    for (size_t i = 0; i < sizeof s_units / sizeof *s_units; i++) {
        *unit = &s_units[i];
        if (strlen((*unit)->name) != size - digits ||
            memcmp((*unit)->name, text + digits, size - digits) != 0)
            continue;
        uint64_t most = (*unit)->age ? AGE_MAX : BYTES_MAX;
        *reason = (*unit)->age ? "want an age from 1s to 36500d"
                               : "want a size from 1MB to 1000000TB";
        if (!number || number > most / (*unit)->value) return WEFT_E_ARG;
        *value = number * (*unit)->value;
        *reason = "";
        return WEFT_OK;
    }
    return WEFT_E_ARG;
}

weft_err_t weft_keep_parse(weft_keep_t *out, const char *text, const char **reason) {
    *out = (weft_keep_t){0};
    for (;;) {
        size_t size = strcspn(text, ",");
        const weft_keep_unit_t *unit;
        uint64_t value;
        weft_err_t rc = s_part(text, size, &unit, &value, reason);
        if (rc != WEFT_OK) return rc;
        uint64_t *bound = unit->age ? &out->age_us : &out->bytes;
        *reason = "want one age and one size at most";
        if (*bound) return WEFT_E_ARG;
        *bound = value;
        *reason = "";
        if (!text[size]) return WEFT_OK;
        text += size + 1;
    }
}

weft_err_t weft_keep_parse_age(uint64_t *age_us, const char *text, const char **reason) {
    const weft_keep_unit_t *unit;
    weft_err_t rc = s_part(text, strlen(text), &unit, age_us, reason);
    if (rc != WEFT_OK || unit->age) return rc;
    *reason = "want an age, as 7d";
    return WEFT_E_ARG;
}
