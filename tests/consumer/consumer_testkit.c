/* The smallest user of the installed test kit. */
#include <stdio.h>
#include <weft_testkit.h>

int main(void) {
    printf("weft_testkit.h with weft %s\n", WEFT_VERSION_STRING);
    return 0;
}
