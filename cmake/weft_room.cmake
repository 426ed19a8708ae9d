# weft_archive(TARGET [EXCLUDE FILE...] [PUBLIC LIB...] [PRIVATE LIB...])
# A static library of all .c files of a room; writers of code only add files. A room without sources
# makes no target.
function(weft_archive target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE;PUBLIC;PRIVATE")
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  foreach(name IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC}
    PRIVATE $<BUILD_INTERFACE:weft_flags> ${arg_PRIVATE})
endfunction()

# weft_program(TARGET LIB...): an executable of all .c files of a folder.
function(weft_program target)
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE weft_flags ${ARGN})
endfunction()

# weft_needs(TARGET...): leave this folder if a target is not there yet.
macro(weft_needs)
  foreach(needed ${ARGN})
    if(NOT TARGET ${needed})
      message(STATUS "${CMAKE_CURRENT_SOURCE_DIR}: nothing built, target ${needed} has no sources yet")
      return()
    endif()
  endforeach()
endmacro()
