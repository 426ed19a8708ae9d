/* weft_bridge: one request to weft-bridge, one answer. */
#include "weft_bridge.h"

#include "weft_buf.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX (16u << 20)

static size_t s_on_body(char *data, size_t one, size_t size, void *arg) {
    weft_buf_t *buf = arg;
    (void) one;
    if (buf->size + size > ANSWER_BYTES_MAX) return 0;
    weft_buf_append(buf, data, size);
    return weft_buf_ok(buf) ? size : 0;
}

static weft_err_t s_perform(CURL *easy, const weft_bridge_t *self, const char *method,
                            const char *path, const char *body, weft_buf_t *got) {
    char url[2048], token[1024], error[CURL_ERROR_SIZE] = "";
    snprintf(url, sizeof url, "%s%s", self->url, path);
    snprintf(token, sizeof token, "Authorization: Bearer %s", self->token ? self->token : "");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (self->token) headers = curl_slist_append(headers, token);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, self->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, s_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, got);
    if (body) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    CURLcode rc = curl_easy_perform(easy);
    curl_slist_free_all(headers);
    if (rc == CURLE_OK) return WEFT_OK;
    return weft_say(self->verb, WEFT_E_UNREACHABLE, "bridge %s does not answer: %s", self->url,
                    *error ? error : curl_easy_strerror(rc));
}

/* The first message of {"errors":[{"message":…}]}. */
static weft_err_t s_refused(const weft_bridge_t *self, long status, const json_t *answer) {
    const json_t *error = json_array_get(json_object_get(answer, "errors"), 0);
    const char *message = json_string_value(json_object_get(error, "message"));
    weft_err_t rc = status == 404   ? WEFT_E_NOT_FOUND
                    : status == 400 ? WEFT_E_USAGE
                                    : WEFT_E_HANDLER;
    if (!message) message = "no reason given";
    if (rc == WEFT_E_USAGE) return weft_say_usage(self->verb, "%s", message);
    return weft_say(self->verb, rc, "bridge answered %ld: %s", status, message);
}

weft_err_t weft_bridge_ask(const weft_bridge_t *self, const char *method, const char *path,
                           json_t *body, json_t **answer) {
    weft_buf_t got = {0};
    long status = 0;
    json_t *json = NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CURL *easy = curl_easy_init();
    weft_err_t rc = easy && (!body || text) ? WEFT_OK : WEFT_E_NOMEM;
    if (rc == WEFT_OK) rc = s_perform(easy, self, method, path, text, &got);
    if (rc == WEFT_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        json = got.size ? json_loadb((const char *) got.data, got.size, 0, NULL) : NULL;
        if (status < 200 || status > 299) rc = s_refused(self, status, json);
    }
    if (rc == WEFT_OK && answer) {
        *answer = json;
        json = NULL;
    }
    json_decref(json);
    json_decref(body);
    free(text);
    weft_buf_free(&got);
    curl_easy_cleanup(easy);
    return rc;
}
