if(NOT TARGET weft)
  return()
endif()
include(CMakePackageConfigHelpers)

install(TARGETS weft EXPORT weft-targets)
install(FILES ${PROJECT_SOURCE_DIR}/include/weft.h TYPE INCLUDE)
if(TARGET weft_testkit)
  install(TARGETS weft_testkit EXPORT weft-targets)
  install(FILES ${PROJECT_SOURCE_DIR}/include/weft_testkit.h TYPE INCLUDE)
endif()
if(TARGET weft-bus) # exported, so that users' builds can hand it to their tests as weft::bus
  set_target_properties(weft-bus PROPERTIES EXPORT_NAME bus)
  install(TARGETS weft-bus EXPORT weft-targets)
endif()
foreach(program weft-cli blog-posts blog-comments blog-moderation blog-query)
  if(TARGET ${program})
    install(TARGETS ${program})
  endif()
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md TYPE DOC OPTIONAL)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weft-config.cmake.in
  ${PROJECT_BINARY_DIR}/weft-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weft-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake ${PROJECT_BINARY_DIR}/weft-config-version.cmake
  DESTINATION ${package_dir})

# No Requires.private: weft.h includes no header of another library, and pkg-config would drag
# libzmq's include flags into each user.
file(RELATIVE_PATH weft_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
