/* weft_time: see weft_time.h. */
#include "weft_time.h"

#include "weft_options.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)

void weft_time_text(char out[WEFT_TIME_BYTES], int64_t us, unsigned digits) {
    time_t seconds = (time_t) (us / SECOND_US);
    unsigned fraction = (unsigned) (us % SECOND_US);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    size_t used = strftime(out, WEFT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (digits == 3) fraction /= 1000;
    snprintf(out + used, WEFT_TIME_BYTES - used, ".%0*uZ", (int) digits, fraction);
}

/* Exactly that many digits. */
static bool s_digits(const char **at, unsigned count, int *out) {
    int value = 0;
    for (unsigned i = 0; i < count; i++, ++*at) {
        if (**at < '0' || **at > '9') return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool s_char(const char **at, const char *any_of) {
    if (!**at || !strchr(any_of, **at)) return false;
    ++*at;
    return true;
}

/* "Z", "+01:00" or "-0130" at the end. */
static bool s_offset(const char **at, int *minutes) {
    int hour, minute;
    *minutes = 0;
    if (s_char(at, "Zz")) return !**at;
    int sign = **at == '-' ? -1 : 1;
    if (!s_char(at, "+-") || !s_digits(at, 2, &hour)) return false;
    s_char(at, ":");
    if (!s_digits(at, 2, &minute) || hour > 23 || minute > 59) return false;
    *minutes = sign * (hour * 60 + minute);
    return !**at;
}

static int64_t s_fraction(const char **at) {
    int64_t us = 0, unit = SECOND_US / 10;
    if (!s_char(at, ".")) return 0;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10) us += (**at - '0') * unit;
    return us;
}

bool weft_time_parse(const char *text, int64_t *us) {
    struct tm tm = {0}, check;
    const char *at = text;
    int minutes;
    bool ok = s_digits(&at, 4, &tm.tm_year) && s_char(&at, "-") && s_digits(&at, 2, &tm.tm_mon) &&
              s_char(&at, "-") && s_digits(&at, 2, &tm.tm_mday) && s_char(&at, "Tt ") &&
              s_digits(&at, 2, &tm.tm_hour) && s_char(&at, ":") && s_digits(&at, 2, &tm.tm_min) &&
              s_char(&at, ":") && s_digits(&at, 2, &tm.tm_sec);
    if (!ok) return false;
    int64_t fraction = s_fraction(&at);
    if (!s_offset(&at, &minutes)) return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    check = tm;
    int64_t seconds = (int64_t) timegm(&check); /* puts a 31st of April right: that is none */
    if (check.tm_mon != tm.tm_mon || check.tm_mday != tm.tm_mday || check.tm_hour != tm.tm_hour ||
        check.tm_min != tm.tm_min || check.tm_sec != tm.tm_sec)
        return false;
    *us = (seconds - minutes * INT64_C(60)) * SECOND_US + fraction;
    return true;
}

bool weft_time_span_parse(const char *text, int64_t *us) {
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char digits[24];
    size_t size = strlen(text);
    uint64_t number;
    if (size < 2 || size > sizeof digits) return false;
    memcpy(digits, text, size - 1);
    digits[size - 1] = '\0';
    if (!weft_options_number(digits, 0, 36500000, &number)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit != text[size - 1]) continue;
        *us = (int64_t) number * units[i].seconds * SECOND_US;
        return true;
    }
    return false;
}
