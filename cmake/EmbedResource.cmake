# Writes SOURCE, a C++ file with the bytes of FILE as `firstcome::FLOOR::resources::SYMBOL()`.
# Bytes as numbers: no limit on the length of a literal, nothing to escape.
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
string(REGEX REPLACE "(([^,]*,)([^,]*,)([^,]*,)([^,]*,)([^,]*,)([^,]*,)([^,]*,)([^,]*,))" "\\1\n" bytes "${bytes}")
file(WRITE ${SOURCE} "// Generated; the source is ${FLOOR}/resources.
#include <string_view>
namespace firstcome::${FLOOR}::resources {
std::string_view ${SYMBOL}();
std::string_view ${SYMBOL}() {
  static constexpr char bytes[] = {
${bytes}'\\0'};
  return {bytes, sizeof bytes - 1};
}
}  // namespace firstcome::${FLOOR}::resources
")
