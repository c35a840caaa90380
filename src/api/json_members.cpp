#include "api/json_members.hpp"

#include <firstcome/limits.hpp>

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>
#include <utility>

namespace firstcome::api {

namespace json = boost::json;

namespace {

constexpr int none = -1;
constexpr std::size_t key_kept = 80;       // longer than any member that we know
constexpr std::size_t kept_bytes = 4'096;  // of memory that stays with the reader

/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), which can go on with the next part of a text.
constexpr std::uint64_t hash_begin = 14695981039346656037ULL;
std::uint64_t hash_on(std::uint64_t hash, json::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

/// The part of `text` that fits into `bytes` without cutting a character.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

/// What the push parser calls. Values that are not ours to read (those of unknown members, those of a wrong type with
/// something in them) are skipped, but still parsed.
class JsonMembers::Handler {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  Handler(JsonMembers& members, std::string_view text, std::span<const MemberRule> rules)
      : members_(members), text_(text), rules_(rules) {}

  bool not_an_object() const { return not_an_object_; }
  bool duplicate() const { return duplicate_; }
  bool unknown() const { return unknown_; }
  const std::string& named() const { return named_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code&) {
    begin_keys();
    if (skipped_ > 0) {
      ++skipped_;
    } else if (!open_) {
      open_ = true;
    } else if (current_ != none && rules_[index()].type == JsonType::object) {
      members_.values_[index()].is = JsonValue::Is::object;
      object_ = current_;
    } else {
      refuse_value();
      skipped_ = 1;
    }
    return true;
  }
  bool on_object_end(std::size_t, json::error_code& error) {
    if (skipped_ > 0) {
      --skipped_;
    } else {
      object_ = none;
    }
    return end_keys(error);
  }
  bool on_array_begin(json::error_code&) {
    if (skipped_ == 0) refuse_value();
    ++skipped_;
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    --skipped_;
    return true;
  }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key_hash_ = hash_on(key_hash_, part);
    if (skipped_ == 0 && key_.size() < 2 * key_kept) key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t size, json::error_code& error) {
    const bool whole = part.size() == size;
    if (!whole) on_key_part(part, size, error);
    const std::uint64_t hash = whole ? 0 : std::exchange(key_hash_, hash_begin);
    if (skipped_ > 0) {
      keep_key(whole ? hash_on(hash_begin, part) : hash);
      return true;
    }
    const std::string_view key = whole ? std::string_view{part.data(), part.size()} : std::string_view{key_};
    const Taken taken = take_key(key, error);
    if (taken == Taken::unknown) keep_key(whole ? hash_on(hash_begin, part) : hash);
    key_.clear();
    return taken != Taken::twice;
  }

  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    if (!wanted(JsonType::text)) return true;
    begin_decoding();
    members_.decoded_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t size, json::error_code& error) {
    if (!wanted(JsonType::text)) return refuse_value();
    JsonValue& value = members_.values_[index()];
    value.is = JsonValue::Is::text;
    if (part.size() == size && inside_text(part.data())) {
      value.text = {part.data(), part.size()};
      return true;
    }
    on_string_part(part, size, error);
    value.text = std::string_view(members_.decoded_).substr(decoding_from_);
    decoding_ = false;
    return true;
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    if (!wanted(JsonType::integer)) return refuse_value();
    JsonValue& value = members_.values_[index()];
    value.is = JsonValue::Is::integer;
    value.integer = number;
    return true;
  }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return refuse_value(); }
  bool on_double(double, json::string_view, json::error_code&) { return refuse_value(); }
  bool on_bool(bool truth, json::error_code&) {
    if (!wanted(JsonType::boolean)) return refuse_value();
    JsonValue& value = members_.values_[index()];
    value.is = JsonValue::Is::boolean;
    value.truth = truth;
    return true;
  }
  bool on_null(json::error_code&) {
    if (!open_ || current_ == none || skipped_ > 0) return refuse_value();
    members_.values_[index()].is = JsonValue::Is::null;
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  std::size_t index() const { return static_cast<std::size_t>(current_); }
  bool inside_text(const char* at) const {
    return !std::less<>{}(at, text_.data()) && std::less<>{}(at, text_.data() + text_.size());
  }
  bool wanted(JsonType type) const {
    return open_ && skipped_ == 0 && current_ != none && rules_[index()].type == type;
  }

  /// A value that does not fit where it stands. Always true: parsing goes on, since "not JSON" is told before this.
  bool refuse_value() {
    if (!open_) {
      not_an_object_ = true;
    } else if (skipped_ == 0 && current_ != none) {
      members_.values_[index()].is = JsonValue::Is::wrong;
    }
    return true;
  }

  void begin_decoding() {
    if (decoding_) return;
    decoding_ = true;
    members_.decoded_.reserve(text_.size());
    decoding_from_ = members_.decoded_.size();
  }

  bool matches(const MemberRule& rule, std::string_view key) const {
    if (object_ == none) return rule.path == key && key.find('.') == key.npos;
    const std::string_view object = rules_[static_cast<std::size_t>(object_)].path;
    return rule.path.size() == object.size() + 1 + key.size() && rule.path.starts_with(object) &&
           rule.path[object.size()] == '.' && rule.path.ends_with(key);
  }

  enum class Taken : std::uint8_t { known, unknown, twice };

  Taken take_key(std::string_view key, json::error_code& error) {
    current_ = none;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (!matches(rules_[i], key)) continue;
      if (members_.values_[i].present()) return refuse_duplicate(key, error);
      current_ = static_cast<int>(i);
      return Taken::known;
    }
    if (!std::exchange(unknown_, true)) name(key);
    return Taken::unknown;
  }

  Taken refuse_duplicate(std::string_view key, json::error_code& error) {
    duplicate_ = true;
    name(key);
    error = json::error::syntax;
    return Taken::twice;
  }

  // Keys of objects that are not read, and unknown ones of those that are, are compared when their object ends.
  void begin_keys() { keys_of_.at(depth_++) = members_.keys_.size(); }
  void keep_key(std::uint64_t hash) { members_.keys_.push_back(hash); }
  bool end_keys(json::error_code& error) {
    const auto begin = members_.keys_.begin() + static_cast<std::ptrdiff_t>(keys_of_.at(--depth_));
    std::sort(begin, members_.keys_.end());
    const bool twice = std::adjacent_find(begin, members_.keys_.end()) != members_.keys_.end();
    members_.keys_.erase(begin, members_.keys_.end());
    if (!twice) return true;
    duplicate_ = true;
    named_.clear();
    error = json::error::syntax;
    return false;
  }

  void name(std::string_view key) {
    named_.clear();
    if (object_ != none) named_.append(rules_[static_cast<std::size_t>(object_)].path).append(".");
    named_.append(cut(key, key_kept));
  }

  JsonMembers& members_;
  std::string_view text_;
  std::span<const MemberRule> rules_;
  int object_ = none;   // the rule of the object we are in
  int current_ = none;  // the rule of the member whose value comes next
  int skipped_ = 0;     // how deep we are in something that is not read
  bool open_ = false;
  bool not_an_object_ = false;
  bool duplicate_ = false;
  bool decoding_ = false;
  std::size_t decoding_from_ = 0;
  bool unknown_ = false;
  std::size_t depth_ = 0;
  std::array<std::size_t, limits::json_depth + 1> keys_of_{};  // where the keys of each open object begin
  std::uint64_t key_hash_ = hash_begin;
  std::string key_;    // of a key that comes in parts, which is rare
  std::string named_;  // the member that is wrong
};

JsonMembers::JsonMembers() = default;
JsonMembers::~JsonMembers() = default;

std::optional<BadInput> JsonMembers::read(std::string_view text, std::span<const MemberRule> rules) {
  assert(rules.size() <= members_max);
  std::fill_n(values_.begin(), rules.size(), JsonValue{});
  decoded_.clear();
  keys_.clear();
  json::parse_options options;
  options.max_depth = limits::json_depth;
  json::basic_parser<Handler> parser(options, *this, text, rules);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  const Handler& handler = parser.handler();
  if (handler.duplicate()) {
    detail_ = handler.named().empty() ? std::string("A member stands there twice.")
                                      : "The member '" + handler.named() + "' stands there twice.";
    return BadInput{Code::malformed_json, {}, detail_};
  }
  if (!error && text.find_first_not_of(" \t\r\n", read) != text.npos) error = json::error::extra_data;
  if (error) {
    detail_ = text.empty() ? std::string("The body is empty, but a JSON object is needed.")
                           : "Not JSON at byte " + std::to_string(read) + ": " + error.message() + ".";
    return BadInput{Code::malformed_json, {}, detail_};
  }
  if (handler.not_an_object()) return BadInput{Code::malformed_json, {}, "A JSON object is needed."};
  if (handler.unknown()) {
    field_ = handler.named();
    return BadInput{Code::unknown_field, field_, "There is no such member; is it a typing mistake?"};
  }
  return judge(rules);
}

void JsonMembers::shrink() {
  if (decoded_.capacity() > kept_bytes) std::string().swap(decoded_);
  if (detail_.capacity() > kept_bytes) std::string().swap(detail_);
  if (keys_.capacity() * sizeof(keys_.front()) > kept_bytes) std::vector<std::uint64_t>().swap(keys_);
}

namespace {

bool holds(const MemberRule& rule, const JsonValue& value) {
  switch (value.is) {
    case JsonValue::Is::null:
      return rule.null == Null::accepted;
    case JsonValue::Is::integer:
      return value.integer >= rule.min && value.integer <= rule.max;
    case JsonValue::Is::text:
      return rule.fits == nullptr || rule.fits(value.text);
    default:
      return value.is != JsonValue::Is::wrong;
  }
}

}  // namespace

std::optional<BadInput> JsonMembers::judge(std::span<const MemberRule> rules) {
  bool inside = true;  // whether the object that the rule's path names is there
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const MemberRule& rule = rules[i];
    const JsonValue& value = values_[i];
    const bool nested = rule.path.find('.') != rule.path.npos;
    if (rule.type == JsonType::object) inside = value.is == JsonValue::Is::object;
    const bool missing = !value.present() && rule.need == Need::required && (!nested || inside);
    if (!missing && (!value.present() || holds(rule, value))) continue;
    detail_.assign(rule.path);
    detail_.append(missing ? " is missing; it must be " : " must be ").append(rule.rule).append(".");
    return BadInput{Code::invalid_field, rule.path, detail_};
  }
  return std::nullopt;
}

}  // namespace firstcome::api
