/* bridge_config: see bridge_config.h. */
#include "bridge_config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKEN_BYTES_MAX 256u

static const char *const s_sections[] = {"names", "tokens"};

static bool s_known(const char *section) {
    for (size_t i = 0; i < sizeof s_sections / sizeof *s_sections; i++)
        if (strcmp(s_sections[i], section) == 0) return true;
    return false;
}

weft_err_t bridge_config_load(const char *path, json_t **out) {
    json_error_t error;
    const char *section;
    json_t *value,
        *json = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (!json && !path) return WEFT_E_NOMEM;
    if (!json_is_object(json)) {
        fprintf(stderr, "weft-bridge: --config '%s': %s\n", path,
                json ? "must be a JSON object" : error.text);
        if (!json && error.line > 0)
            fprintf(stderr, "  in line %d, column %d\n", error.line, error.column);
        json_decref(json);
        return WEFT_E_USAGE;
    }
    json_object_foreach(json, section, value) {
        if (s_known(section)) continue;
        fprintf(stderr, "weft-bridge: --config '%s': unknown section \"%s\"\n", path, section);
        json_decref(json);
        return WEFT_E_USAGE;
    }
    *out = json;
    return WEFT_OK;
}

bool bridge_token_ok(const char *token) {
    size_t size = strlen(token);
    if (!size || size > TOKEN_BYTES_MAX) return false;
    for (; *token; token++)
        if (*token < 0x21 || *token > 0x7E) return false;
    return true;
}

bool bridge_token_given(const char *authorization, const char *token) {
    static const char scheme[] = "Bearer ";
    unsigned char difference = 0;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) return false;
    authorization += sizeof scheme - 1;
    while (*authorization == ' ') authorization++;
    size_t size = strlen(token);
    if (strlen(authorization) != size) return false;
    for (size_t i = 0; i < size; i++) difference |= (unsigned char) (authorization[i] ^ token[i]);
    return difference == 0;
}
