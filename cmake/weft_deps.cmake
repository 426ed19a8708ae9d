# Libraries that weft stands on. Always linked PRIVATE: no header of weft includes theirs.
# packages.txt names the Debian packages; the house.packages test compares the two.
find_package(Threads REQUIRED)
find_program(WEFT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED) # the one with Debian's modules
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3)
pkg_check_modules(CZMQ REQUIRED IMPORTED_TARGET libczmq>=4.2)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.35)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)         # curl_easy_header, PROTOCOLS_STR
pkg_check_modules(NCURSES REQUIRED IMPORTED_TARGET ncursesw)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)           # sd_notify
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)           # the header alone: XXH_INLINE_ALL

# libjq has no .pc file.
find_path(JQ_INCLUDE_DIR jq.h REQUIRED)
find_library(JQ_LIBRARY jq REQUIRED)
add_library(weft_jq INTERFACE)
target_include_directories(weft_jq SYSTEM INTERFACE ${JQ_INCLUDE_DIR})
target_link_libraries(weft_jq INTERFACE ${JQ_LIBRARY})

# The .pc files of libzmq and CZMQ pass on the include flags of all that they stand on, and CMake 3.25
# reads one of those differently on its second run, which compiles the tree anew. Their headers need none.
foreach(library ZMQ CZMQ SQLITE JANSSON MICROHTTPD CURL NCURSES XXHASH SYSTEMD)
  set_target_properties(PkgConfig::${library} PROPERTIES INTERFACE_COMPILE_OPTIONS ""
    INTERFACE_INCLUDE_DIRECTORIES "${${library}_INCLUDEDIR}")
endforeach()
