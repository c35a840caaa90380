# What is installed: the program, and the lock library with its public headers, for `find_package(firstcome)`.
#
#   cmake --install build/release --prefix PREFIX                          # both
#   cmake --install build/release --prefix PREFIX --component library      # or: program
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The archives also go into shared libraries: plug-ins, bindings of other languages. Their functions are still inlined, as
# nobody replaces them at run time. Builds with sanitizers are not installed.
if(NOT FIRSTCOME_SANITIZE)
  foreach(floor IN ITEMS sale net lock)
    set_target_properties(firstcome_${floor} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_compile_options(firstcome_${floor} PRIVATE -fno-semantic-interposition)
  endforeach()
endif()

install(TARGETS firstcome RUNTIME COMPONENT program)
install(TARGETS firstcome_sale firstcome_net firstcome_lock ARCHIVE COMPONENT library)
install(DIRECTORY include/firstcome DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/firstcome)
configure_package_config_file(cmake/firstcomeConfig.cmake.in ${PROJECT_BINARY_DIR}/firstcomeConfig.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/firstcomeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/firstcomeConfig.cmake ${PROJECT_BINARY_DIR}/firstcomeConfigVersion.cmake
  DESTINATION ${package} COMPONENT library)
