# firstcome_embed(TARGET FILE FUNCTION)
# Compiles a text file into TARGET: `std::string_view firstcome::FUNCTION()` is its content. FUNCTION may be qualified
# (api::openapi_yaml). Run with -P it writes the source, so that an edit of the file is noticed by every build.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${FROM} text)
  string(REGEX MATCH "^(.*)::([a-z_]+)$" matched ${FUNCTION})
  file(WRITE ${TO} "// Generated from ${NAME}.
#include <string_view>
namespace firstcome::${CMAKE_MATCH_1} {
std::string_view ${CMAKE_MATCH_2}();
std::string_view ${CMAKE_MATCH_2}() {
  static constexpr char text[] = R\"~~(${text})~~\";
  return {text, sizeof text - 1};
}
}  // namespace firstcome::${CMAKE_MATCH_1}
")
  return()
endif()

set(FIRSTCOME_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(firstcome_embed target file function)
  if(NOT TARGET ${target})
    return()
  endif()
  get_filename_component(name ${file} NAME)
  set(source ${PROJECT_BINARY_DIR}/embedded/${name}.cpp)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DFROM=${file} -DTO=${source} -DNAME=${name} -DFUNCTION=${function}
            -P ${FIRSTCOME_EMBED_SCRIPT}
    DEPENDS ${file} ${FIRSTCOME_EMBED_SCRIPT}
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
