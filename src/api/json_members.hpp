// Reads a JSON object of known members, strictly, without building a tree.
//
// Mechanism: the body runs once through Boost.JSON's push parser into a handler of our own, which knows the members
// (MemberRule, at most 20) and keeps one value for each. Nothing is allocated unless a string contains escapes.
//
// Strict means: UTF-8 only, no comments, nothing after the object, no member twice, nesting at most
// `limits::json_depth`, integers written as integers (1.0 and 1e3 are not). When several things are wrong, the first
// of these is told: not JSON or a member twice; an unknown member; a wrong or missing one, in the order of the rules.
#pragma once

#include "api/problem.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::api {

enum class JsonType : std::uint8_t { text, integer, boolean, object };
enum class Need : std::uint8_t { required, optional };
enum class Null : std::uint8_t { refused, accepted };

/// One member that is understood. `path` is `name`, or `object.name` for a member of an object that stands before it
/// in the list. `rule` completes the sentence "<path> must be ...".
struct MemberRule {
  std::string_view path;
  JsonType type = JsonType::text;
  Need need = Need::optional;
  Null null = Null::refused;
  std::string_view rule;
  std::int64_t min = 0;                      ///< of an integer
  std::int64_t max = 0;                      ///< of an integer
  bool (*fits)(std::string_view) = nullptr;  ///< of a text
};

/// What a request did wrong, and where. Views are valid as long as the text that was read and its reader.
struct BadInput {
  Code code = Code::malformed_json;
  std::string_view field;  ///< empty: none in particular
  std::string_view detail;
};

struct JsonValue {
  enum class Is : std::uint8_t { absent, null, wrong, text, integer, boolean, object };
  Is is = Is::absent;
  bool truth = false;
  std::int64_t integer = 0;
  std::string_view text;

  bool present() const { return is != Is::absent; }
  bool null() const { return is == Is::null; }
  /// Neither absent nor null.
  explicit operator bool() const { return is > Is::wrong; }
};

inline constexpr std::size_t members_max = 20;

/// Not thread-safe. Views of values are valid until the next `read` and as long as the text that was read.
class JsonMembers {
 public:
  JsonMembers();
  ~JsonMembers();

  /// Reads one object. REQUIRES: at most `members_max` rules.
  std::optional<BadInput> read(std::string_view text, std::span<const MemberRule> rules);

  /// Gives the memory back that an unusually large text needed. Ends the validity of all views.
  void shrink();

  /// Bytes that it keeps for the next text.
  std::size_t memory() const {
    return decoded_.capacity() + field_.capacity() + detail_.capacity() + keys_.capacity() * sizeof keys_.front();
  }

  /// The value of the rule with that index.
  const JsonValue& operator[](std::size_t rule) const { return values_[rule]; }

 private:
  class Handler;
  std::optional<BadInput> judge(std::span<const MemberRule> rules);

  std::array<JsonValue, members_max> values_;
  std::string decoded_;  // strings with escapes; never grows beyond the text, so that views into it stay valid
  std::vector<std::uint64_t> keys_;  // hashes of keys of the objects that are open
  std::string field_;                // of the last BadInput
  std::string detail_;
};

}  // namespace firstcome::api
