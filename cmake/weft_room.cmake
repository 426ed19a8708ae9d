# weft_archive(TARGET [EXCLUDE FILE...] [PUBLIC LIB...] [PRIVATE LIB...])
# A static library of all .c files of a room; writers of code only add files. A room that has headers
# alone becomes an INTERFACE library.
function(weft_archive target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE;PUBLIC;PRIVATE")
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  foreach(name IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  endforeach()
  set(public PUBLIC)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:weft_flags> ${arg_PRIVATE})
  else()
    add_library(${target} INTERFACE)
    set(public INTERFACE)
  endif()
  target_include_directories(${target} ${public} $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(${target} ${public} ${arg_PUBLIC})
endfunction()

# weft_program(TARGET LIB...): an executable of all .c files of a folder.
function(weft_program target)
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE weft_flags ${ARGN})
endfunction()
