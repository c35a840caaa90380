# How a floor of the house, and the program on top of it, are declared.

# firstcome_floor(NAME [USES floor...] [LINKS library...])
# One library of all sources below src/NAME, but for main.cpp.
function(firstcome_floor name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    return()
  endif()
  add_library(firstcome_${name} STATIC ${sources})
  list(TRANSFORM arg_USES PREPEND firstcome_)
  target_link_libraries(firstcome_${name} PUBLIC firstcome_options ${arg_USES} ${arg_LINKS})
endfunction()

# firstcome_program(NAME FLOOR): src/FLOOR/main.cpp, linked with its floor.
function(firstcome_program name floor)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/src/${floor}/main.cpp)
    return()
  endif()
  add_executable(${name} ${PROJECT_SOURCE_DIR}/src/${floor}/main.cpp)
  target_link_libraries(${name} PRIVATE firstcome_options)
  target_compile_definitions(${name} PRIVATE FIRSTCOME_VERSION="${PROJECT_VERSION}")
  if(TARGET firstcome_${floor})
    target_link_libraries(${name} PRIVATE firstcome_${floor})
  endif()
endfunction()
