/* weft-bridge: events over HTTP, for services in any language. */
#include "bridge.h"

int main(int argc, char **argv) {
    return bridge_main(argc, argv);
}
