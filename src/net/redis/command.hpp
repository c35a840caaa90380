// A command for Redis, encoded as it is built; and scripts, which are sent by their hash and, where the server does not
// know that, by their text.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::net {

/// A Lua script. A handle: copies share the text.
class RedisScript {
 public:
  explicit RedisScript(std::string text);

  const std::string& text() const { return body_->text; }
  /// Its SHA-1, 40 digits of hex.
  const std::string& sha() const { return body_->sha; }

 private:
  struct Body {
    std::string text;
    std::string sha;
  };
  std::shared_ptr<const Body> body_;
};

/// A value: copy it to send it twice.
///
///     RedisCommand("SET", key, 17, "PX", 1'000)
///     RedisCommand(script, {key}, owner, token)        // EVALSHA, by itself EVAL after NOSCRIPT
class RedisCommand {
 public:
  /// No command yet; `add` its name first.
  RedisCommand() = default;

  /// Arguments are texts of any bytes and integers.
  template <typename... Arguments>
  explicit RedisCommand(std::string_view name, const Arguments&... arguments) {
    add(name);
    (add(arguments), ...);
  }

  template <typename... Arguments>
  RedisCommand(RedisScript script, std::initializer_list<std::string_view> keys, const Arguments&... arguments)
      : script_(std::move(script)) {
    arguments_.reserve(usual_size);
    add(keys.size());
    for (const std::string_view key : keys) add(key);
    (add(arguments), ...);
  }

  RedisCommand& add(std::string_view argument);
  RedisCommand& add(std::integral auto number) {
    if constexpr (std::is_signed_v<decltype(number)>) {
      return add_number(number);
    } else {
      return add_unsigned(number);
    }
  }

  /// An argument that has another value where the client sends this command again after a redirection (MOVED, ASK).
  /// At most one in a command. REQUIRES: both are as long.
  RedisCommand& add_unless_redirected(std::string_view usual, std::string_view redirected);

  /// Gives the argument of `add_unless_redirected` its other value.
  void mark_redirected();

  enum class Form : std::uint8_t {
    usual,      ///< a script by its hash
    with_text,  ///< a script by its text
  };
  /// Appends the bytes that are sent.
  void append_to(std::string& out, Form form = Form::usual) const;

  /// How many bytes `append_to` appends, roughly, and never less.
  std::size_t size_bound(Form form = Form::usual) const;

  bool has_script() const { return script_.has_value(); }

 private:
  static constexpr std::size_t usual_size = 256;  // of a script's arguments: one allocation for most

  RedisCommand& add_number(std::int64_t number);
  RedisCommand& add_unsigned(std::uint64_t number);

  std::optional<RedisScript> script_;
  std::string arguments_;  // encoded; of a script, those after its hash or text
  std::uint32_t count_ = 0;
  std::size_t other_at_ = 0;  // where in arguments_ the value stands that a redirection changes
  std::string other_;
};

}  // namespace firstcome::net
