/* The smallest user of an installed weft: compiles, links, runs, and names the version it got. */
#include <stdio.h>
#include <string.h>
#include <weft.h>

int main(void) {
    weft_pub_t *pub = NULL;
    weft_err_t rc = weft_pub_new(&pub, NULL);
    printf("weft %s: %s\n", weft_version(), weft_err_text(rc));
    weft_pub_destroy(&pub);
    return rc == WEFT_OK && strcmp(weft_version(), WEFT_VERSION_STRING) == 0 ? 0 : 1;
}
