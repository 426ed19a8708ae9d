/* weft_err: names and texts of the error codes, from the one list in weft.h. */
#include "weft.h"

const char *weft_err_name(weft_err_t code) {
    switch (code) {
#define X(name, number, text) \
    case name: return #name + (#name[5] == 'E' ? 7 : 5); /* without WEFT_E_ or WEFT_ */
        WEFT_ERRORS(X)
#undef X
    }
    return "UNKNOWN";
}

const char *weft_err_text(weft_err_t code) {
    switch (code) {
#define X(name, number, text) \
    case name: return text;
        WEFT_ERRORS(X)
#undef X
    }
    return "unknown error";
}

int weft_exit_code(weft_err_t code) {
    if (code == WEFT_OK || code == WEFT_E_HELP) return 0;
    return code == WEFT_E_USAGE ? 2 : 1;
}

const char *weft_version(void) {
    return WEFT_VERSION_STRING;
}
