# What every target of ours is compiled with, and how a floor of the house is declared.

add_library(firstcome_options INTERFACE)
target_include_directories(firstcome_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(firstcome_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
# Asio and Beast are compiled once, in net/asio.cpp and net/beast.cpp.
target_compile_definitions(firstcome_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
if(FIRSTCOME_SANITIZE)
  target_compile_options(firstcome_options INTERFACE -fsanitize=${FIRSTCOME_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(firstcome_options INTERFACE -fsanitize=${FIRSTCOME_SANITIZE})
endif()

# firstcome_floor(NAME [USES floor...] [LINKS library...])
# One library of all sources below src/NAME.
function(firstcome_floor name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(firstcome_${name} STATIC ${sources})
  list(TRANSFORM arg_USES PREPEND firstcome_)
  target_link_libraries(firstcome_${name} PUBLIC firstcome_options ${arg_USES} ${arg_LINKS})
endfunction()

# firstcome_program(NAME FOLDER [USES floor...] [LINKS library...])
function(firstcome_program name folder)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "USES;LINKS")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  list(TRANSFORM arg_USES PREPEND firstcome_)
  target_link_libraries(${name} PRIVATE firstcome_options ${arg_USES} ${arg_LINKS})
endfunction()
