# How every target of weft is compiled. Flags travel by this target, so nothing leaks to users of the
# installed package and nothing depends on the caller's CMAKE_C_FLAGS.
add_library(weft_flags INTERFACE)
target_compile_features(weft_flags INTERFACE c_std_11)
target_compile_definitions(weft_flags INTERFACE _GNU_SOURCE)
target_compile_options(weft_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough
  -fvisibility=hidden $<$<BOOL:${WEFT_WERROR}>:-Werror>)

if(WEFT_SANITIZE)
  target_compile_options(weft_flags INTERFACE -fsanitize=${WEFT_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # libFuzzer's own main comes only with the targets that fuzz.
  string(REPLACE "fuzzer-no-link," "" weft_sanitize_link "${WEFT_SANITIZE}")
  target_link_options(weft_flags INTERFACE -fsanitize=${weft_sanitize_link})
endif()

if(WEFT_COVERAGE)
  # Several processes of one test write the same counters: update them atomically.
  target_compile_options(weft_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(weft_flags INTERFACE --coverage)
endif()

if(WEFT_HARDEN)
  target_compile_options(weft_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong)
  target_link_options(weft_flags INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()
