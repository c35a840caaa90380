// What a Redis server answers, what can go wrong instead, and the parser between bytes and answers.
//
// Pure: no I/O. The parser is hiredis's reader, which builds our own values directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace firstcome::net {

struct RedisReply {
  enum class Type : std::uint8_t {
    nil,
    integer,
    text,    ///< a bulk string, any bytes
    status,  ///< such as OK
    error,   ///< only inside an array (of EXEC, or of a script): an error alone is a RedisFailure
    array,
  };

  Type type = Type::nil;
  std::int64_t integer = 0;
  std::string text = {};  ///< of a text, a status or an error
  std::vector<RedisReply> elements = {};

  bool is_nil() const { return type == Type::nil; }
  bool is_integer() const { return type == Type::integer; }
  bool is_array() const { return type == Type::array; }
  /// A text or a status.
  bool is_text() const { return type == Type::text || type == Type::status; }

  /// The element; one that is nil where there is none, so that a reader of replies needs no bounds check.
  const RedisReply& at(std::size_t index) const;
  /// The integer, or the number that a text spells; nothing where it is neither.
  std::optional<std::int64_t> to_integer() const;
};

struct RedisFailure {
  enum class Kind : std::uint8_t {
    not_sent,   ///< surely not run: no connection, or not all of its bytes had left when it broke; also too late for it
    unknown,    ///< sent, and the connection broke: may have run
    refused,    ///< the server answered with an error; `code` is its first word
    timed_out,  ///< sent, and no answer came before the deadline: may have run
  };

  Kind kind = Kind::not_sent;
  /// Of `refused`: NOSCRIPT, MOVED, WRONGTYPE, READONLY, OOM, ERR ... Of `not_sent`: down (no connection), denied (no
  /// connection, since the server takes no such user or password), full (too many wait), late (its deadline), closed
  /// (the client was destroyed). Else empty.
  std::string code = {};
  std::string detail;  ///< for people; of `refused`: the whole text of the error

  bool may_have_run() const { return kind == Kind::unknown || kind == Kind::timed_out; }
  bool is_denied() const { return kind == Kind::not_sent && code == "denied"; }
  bool is_refused(std::string_view with) const { return kind == Kind::refused && code == with; }
};

/// not_sent, unknown, refused, timed_out.
std::string_view to_string(RedisFailure::Kind kind);

using RedisResult = std::expected<RedisReply, RedisFailure>;
using RedisDone = std::move_only_function<void(RedisResult)>;

/// The failure that an error reply is. `text` is the error without its leading '-'.
RedisFailure refused(std::string text);

/// Cuts a stream of bytes into replies (RESP2). Not thread-safe.
class RedisReader {
 public:
  /// A reply of more than about `most_bytes` is an error.
  explicit RedisReader(std::size_t most_bytes);
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  /// Takes bytes as they came. The error says what is wrong; it is final.
  std::expected<void, std::string> feed(std::string_view bytes);

  /// The next complete reply, nothing where more bytes are needed, or what is wrong with the bytes: not the protocol,
  /// too large, or nested more than 7 deep. An error is final. A reply of type `error` may stand at the top here.
  std::expected<std::optional<RedisReply>, std::string> next();

 private:
  struct Builder;
  struct Free {
    void operator()(redisReader* reader) const;
  };

  std::size_t most_bytes_;
  std::size_t fed_ = 0;  // since the last reply
  std::unique_ptr<Builder> builder_;
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace firstcome::net
