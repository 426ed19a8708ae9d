# weft_test(NAME [LABELS "a;b"] [TIMEOUT SECONDS] COMMAND WORD...)
# Registers a test that runs in a fresh scratch directory (WEFT_TEST_DIR, removed afterwards) and
# finds programs in WEFT_BIN_DIR. Waits in tests are multiplied by WEFT_TEST_SLOW.
# TIMEOUT is for a plain build; sanitizers get five times as long. Exit 77 means skipped.

set(weft_test_slow 1)
set(weft_test_environment WEFT_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  WEFT_SOURCE_DIR=${PROJECT_SOURCE_DIR} PYTHONDONTWRITEBYTECODE=1
  PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/kit
  WEFT_BUS_PROGRAM=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/weft-bus)
if(WEFT_SANITIZE)
  set(weft_test_slow 5)
  list(APPEND weft_test_environment ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=0
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp)
endif()
list(APPEND weft_test_environment WEFT_TEST_SLOW=${weft_test_slow})

function(weft_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;LABELS" "COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 10)
  endif()
  math(EXPR timeout "${arg_TIMEOUT} * ${weft_test_slow}")
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/kit/run-in-scratch ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS "${arg_LABELS}"
    SKIP_RETURN_CODE 77 ENVIRONMENT "${weft_test_environment}")
endfunction()

# weft_test_room(ROOM LABELS "a;b" TIMEOUT SECONDS): every test_NAME.c and test_NAME.py of a folder
# becomes the test ROOM.NAME. Programs link the test kit; those named test_testkit*.c link what users
# get, libweft_testkit, instead.
function(weft_test_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;LABELS" "")
  file(GLOB sources CONFIGURE_DEPENDS test_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(target ${source} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${target})
    if(name MATCHES "^testkit")
      set(kit weft_testkit)
    else()
      set(kit weft_kit)
    endif()
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE weft_flags ${kit} PkgConfig::CMOCKA)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    weft_test(${room}.${name} LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
      COMMAND $<TARGET_FILE:${target}>)
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS test_*.py)
  foreach(script IN LISTS scripts)
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    weft_test(${room}.${name} LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
      COMMAND ${WEFT_PYTHON} ${script})
  endforeach()
endfunction()
