/* weft_spans_out: see weft_spans_out.h. */
#include "weft_spans_out.h"

#include "weft_buf.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_BYTES 2048
#define ANSWER_BYTES_MAX (64u << 10)

static weft_err_t s_no_memory(const weft_args_t *args) {
    return weft_say(args->verb, WEFT_E_NOMEM, "out of memory");
}

weft_err_t weft_spans_to_file(const weft_args_t *args, const char *path, json_t *json) {
    if (!json) return s_no_memory(args);
    FILE *file = fopen(path, "w");
    bool ok = file && json_dumpf(json, file, JSON_COMPACT) == 0;
    if (file && fclose(file) != 0) ok = false;
    json_decref(json);
    return ok ? WEFT_OK
              : weft_say(args->verb, WEFT_E_IO, "cannot write '%s': %s", path, strerror(errno));
}

/* ---- a collector */

static size_t s_take(char *data, size_t size, size_t count, void *arg) {
    weft_buf_t *answer = arg;
    size_t more = size * count;
    if (answer->size + more <= ANSWER_BYTES_MAX) weft_buf_append(answer, data, more);
    return more; /* what is too long is read and dropped */
}

/* A collector may take the request and some of its spans alone. */
static weft_err_t s_judge(const weft_args_t *args, const char *url, long status,
                          const weft_buf_t *answer) {
    if (status < 200 || status > 299)
        return weft_say(args->verb, WEFT_E_PROTO, "%s answered %ld: %.*s", url, status,
                        (int) (answer->size < 200 ? answer->size : 200),
                        answer->size ? (const char *) answer->data : "");
    json_t *json = answer->size ? json_loadb((const char *) answer->data, answer->size, 0, NULL)
                                : NULL;
    const json_t *partial = json_object_get(json, "partialSuccess");
    const json_t *rejected = json_object_get(partial,
                                             "rejectedSpans"); /* a number, maybe as text */
    const char *text = json_string_value(rejected);
    long long count = text ? strtoll(text, NULL, 10) : json_integer_value(rejected);
    weft_err_t rc = WEFT_OK;
    if (count > 0) {
        const char *why = json_string_value(json_object_get(partial, "errorMessage"));
        rc = weft_say(args->verb, WEFT_E_PROTO, "%s refused %lld spans: %s", url, count,
                      why ? why : "no reason given");
    }
    json_decref(json);
    return rc;
}

static weft_err_t s_post(const weft_args_t *args, const char *url, const char *body) {
    char reason[CURL_ERROR_SIZE] = "";
    long status = 0;
    weft_buf_t answer;
    weft_buf_init(&answer);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    weft_err_t rc = curl && headers ? WEFT_OK : s_no_memory(args);
    if (rc == WEFT_OK) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long) args->timeout_ms);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, s_take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
        CURLcode code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        rc = code == CURLE_OK ? s_judge(args, url, status, &answer)
                              : weft_say(args->verb, WEFT_E_UNREACHABLE, "cannot send to %s: %s",
                                         url, *reason ? reason : curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    weft_buf_free(&answer);
    return rc;
}

weft_err_t weft_spans_to_collector(const weft_args_t *args, const char *url, json_t *json) {
    char whole[URL_BYTES];
    const char *host = strstr(url, "://") + 3, *slash = strchr(host, '/');
    bool bare = !slash || !slash[1];
    int size = snprintf(whole, sizeof whole, "%.*s%s",
                        bare && slash ? (int) (slash - url) : URL_BYTES, url,
                        bare ? "/v1/traces" : "");
    char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!body) return s_no_memory(args);
    weft_err_t rc = size < URL_BYTES
                        ? s_post(args, whole, body)
                        : weft_say(args->verb, WEFT_E_ARG, "--otlp: the address is too long");
    free(body);
    return rc;
}
