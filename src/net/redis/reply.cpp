#include "net/redis/reply.hpp"

#include <hiredis/read.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

namespace firstcome::net {

const RedisReply& RedisReply::at(std::size_t index) const {
  static const RedisReply none;
  return index < elements.size() ? elements[index] : none;
}

std::optional<std::int64_t> RedisReply::to_integer() const {
  if (type == Type::integer) return integer;
  if (type != Type::text && type != Type::status) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::string_view to_string(RedisFailure::Kind kind) {
  switch (kind) {
    case RedisFailure::Kind::not_sent:
      return "not_sent";
    case RedisFailure::Kind::unknown:
      return "unknown";
    case RedisFailure::Kind::refused:
      return "refused";
    case RedisFailure::Kind::timed_out:
      return "timed_out";
  }
  return "";
}

RedisFailure refused(std::string text) {
  RedisFailure failure{RedisFailure::Kind::refused, text.substr(0, text.find(' ')), std::move(text)};
  return failure;
}

// What hiredis calls while it parses. A value goes straight to its place: the root, or the end of its parent's
// elements. A parent's vector grows only when its last element is complete, so no pointer that hiredis still holds is
// moved.
struct RedisReader::Builder {
  RedisReply root;
  bool too_deep = false;  ///< why the reader gave up; it would say that memory is out

  static constexpr std::size_t first_elements = 1'024;  // a claimed length is believed only so far
  static constexpr std::size_t deepest = 8;

  static RedisReply* place(const redisReadTask* task, RedisReply::Type type) {
    RedisReply* reply = nullptr;
    if (task->parent == nullptr) {
      reply = &static_cast<Builder*>(task->privdata)->root;
      *reply = RedisReply{};
    } else {
      reply = &static_cast<RedisReply*>(task->parent->obj)->elements.emplace_back();
    }
    reply->type = type;
    return reply;
  }

  /// hiredis before 1.0 counts the levels itself.
  static bool is_too_deep(const redisReadTask* task) {
    std::size_t level = 0;
    for (; task != nullptr; task = task->parent) ++level;
    return level > deepest;
  }

  static void* create_string(const redisReadTask* task, char* bytes, std::size_t size) {
    RedisReply::Type type = RedisReply::Type::text;
    if (task->type == REDIS_REPLY_STATUS) type = RedisReply::Type::status;
    if (task->type == REDIS_REPLY_ERROR) type = RedisReply::Type::error;
    RedisReply* reply = place(task, type);
    reply->text.assign(bytes, size);
    return reply;
  }

  /// `Size` is int before hiredis 1.0, and std::size_t since.
  template <class Size>
  static void* create_array(const redisReadTask* task, Size size) {
    if (is_too_deep(task)) {
      static_cast<Builder*>(task->privdata)->too_deep = true;
      return nullptr;  // the reader gives up, as where there is no memory
    }
    RedisReply* reply = place(task, RedisReply::Type::array);
    const std::size_t claimed = size > 0 ? static_cast<std::size_t>(size) : 0;
    reply->elements.reserve(std::min(claimed, first_elements));
    return reply;
  }

  static void* create_integer(const redisReadTask* task, long long value) {
    RedisReply* reply = place(task, RedisReply::Type::integer);
    reply->integer = value;
    return reply;
  }

  static void* create_nil(const redisReadTask* task) { return place(task, RedisReply::Type::nil); }

  static void free_object(void*) {}  // the root is ours

  // What a server sends only to those who asked for RESP3, which nobody does here.
  static void* create_double(const redisReadTask* task, double, char* text, std::size_t size) {
    return create_string(task, text, size);
  }
  static void* create_bool(const redisReadTask* task, int value) { return create_integer(task, value); }

  /// Members by name: hiredis 1.0 has put new ones in between.
  template <class Functions>
  static Functions make_functions() {
    Functions all{};
    all.createString = create_string;
    all.createArray = create_array;
    all.createInteger = create_integer;
    all.createNil = create_nil;
    all.freeObject = free_object;
    if constexpr (requires { all.createDouble; }) all.createDouble = create_double;
    if constexpr (requires { all.createBool; }) all.createBool = create_bool;
    return all;
  }

  static redisReplyObjectFunctions* functions() {
    static auto all = make_functions<redisReplyObjectFunctions>();
    return &all;
  }
};

void RedisReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisReader::RedisReader(std::size_t most_bytes)
    : most_bytes_(most_bytes),
      builder_(std::make_unique<Builder>()),
      reader_(redisReaderCreateWithFunctions(Builder::functions())) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = builder_.get();
}

RedisReader::~RedisReader() = default;

std::expected<void, std::string> RedisReader::feed(std::string_view bytes) {
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != 0) {
    return std::unexpected(std::string(reader_->errstr));
  }
  fed_ += bytes.size();
  return {};
}

/// What was fed since the last reply counts, parsed or not: so an array without an end is refused as a long text is.
std::expected<std::optional<RedisReply>, std::string> RedisReader::next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != 0) {
    return std::unexpected(builder_->too_deep ? "a reply that is nested more than 7 deep"
                                              : std::string(reader_->errstr));
  }
  if (reply != nullptr) {
    fed_ = reader_->len - reader_->pos;
    return std::move(builder_->root);
  }
  if (fed_ > most_bytes_) return std::unexpected("a reply of more than " + std::to_string(most_bytes_) + " bytes");
  return std::optional<RedisReply>{};
}

}  // namespace firstcome::net
