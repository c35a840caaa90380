# What every target of ours is compiled with.

# The language and where headers are; nothing else that a user of the public headers would not have.
add_library(firstcome_options INTERFACE)
target_include_directories(firstcome_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(firstcome_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${FIRSTCOME_WERROR}>:-Werror>
  # g++ 12 sees overlapping copies in std::string where there are none (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  # What assertions print is a path in the project, whatever folder it was built in.
  -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)

# Asio and Beast are compiled once, in net/asio.cpp and net/beast.cpp.
target_compile_definitions(firstcome_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

# Asio allocates the frames of coroutines by a pair of functions of its own. By what it inlines, g++ sees only one half of
# that pair, and warns (-Wmismatched-new-delete), so this warning is off.
if(FIRSTCOME_SANITIZE)
  target_compile_options(firstcome_options INTERFACE
    -fsanitize=${FIRSTCOME_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(firstcome_options INTERFACE -fsanitize=${FIRSTCOME_SANITIZE})
  target_compile_definitions(firstcome_options INTERFACE _GLIBCXX_ASSERTIONS)
  # With sanitizers g++ loses track of what is initialised; the release build keeps that warning.
  target_compile_options(firstcome_options INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
  if(FIRSTCOME_SANITIZE MATCHES "thread")
    # Asio's fences are not understood by ThreadSanitizer; that is a warning of its own.
    target_compile_options(firstcome_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
else()
  target_compile_options(firstcome_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
endif()
