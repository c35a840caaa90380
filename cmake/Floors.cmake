# How a floor of the house, and the program on top of it, are declared.

# firstcome_floor(NAME [USES floor...] [LINKS library...])
# One library of all sources below src/NAME, but for main.cpp. A file src/NAME/resources/FILE.EXT becomes the function
# `std::string_view FILE_EXT()` in namespace firstcome::NAME::resources; declare it where it is used.
function(firstcome_floor name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    return()
  endif()
  firstcome_resources(${name} resources)
  add_library(firstcome_${name} STATIC ${sources} ${resources})
  list(TRANSFORM arg_USES PREPEND firstcome_)
  target_link_libraries(firstcome_${name} PUBLIC firstcome_options ${arg_USES} ${arg_LINKS})
endfunction()

# firstcome_resources(FLOOR VARIABLE): puts the generated sources of src/FLOOR/resources/* into VARIABLE.
function(firstcome_resources floor variable)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${floor}/resources/*)
  set(generated "")
  foreach(file IN LISTS files)
    get_filename_component(base ${file} NAME)
    string(MAKE_C_IDENTIFIER ${base} symbol)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/resources/${floor}/${symbol}.cpp)
    add_custom_command(
      OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DFILE=${file} -DFLOOR=${floor} -DSYMBOL=${symbol} -DSOURCE=${source}
              -P ${PROJECT_SOURCE_DIR}/cmake/EmbedResource.cmake
      DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/EmbedResource.cmake
      COMMENT "Embedding src/${floor}/resources/${base}"
      VERBATIM)
    list(APPEND generated ${source})
  endforeach()
  set(${variable} ${generated} PARENT_SCOPE)
endfunction()

# firstcome_program(NAME FLOOR): src/FLOOR/main.cpp, linked with its floor.
function(firstcome_program name floor)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/src/${floor}/main.cpp)
    return()
  endif()
  add_executable(${name} ${PROJECT_SOURCE_DIR}/src/${floor}/main.cpp)
  target_link_libraries(${name} PRIVATE firstcome_options)
  if(TARGET firstcome_${floor})
    target_link_libraries(${name} PRIVATE firstcome_${floor})
  endif()
endfunction()
