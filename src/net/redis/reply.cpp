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

  static constexpr std::size_t first_elements = 1'024;  // a claimed length is believed only so far

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

  static void* create_string(const redisReadTask* task, char* bytes, std::size_t size) {
    RedisReply::Type type = RedisReply::Type::text;
    if (task->type == REDIS_REPLY_STATUS) type = RedisReply::Type::status;
    if (task->type == REDIS_REPLY_ERROR) type = RedisReply::Type::error;
    RedisReply* reply = place(task, type);
    reply->text.assign(bytes, size);
    return reply;
  }

  static void* create_array(const redisReadTask* task, int size) {
    RedisReply* reply = place(task, RedisReply::Type::array);
    reply->elements.reserve(std::min(static_cast<std::size_t>(std::max(size, 0)), first_elements));
    return reply;
  }

  static void* create_integer(const redisReadTask* task, long long value) {
    RedisReply* reply = place(task, RedisReply::Type::integer);
    reply->integer = value;
    return reply;
  }

  static void* create_nil(const redisReadTask* task) { return place(task, RedisReply::Type::nil); }

  static void free_object(void*) {}  // the root is ours

  static redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions all{create_string, create_array, create_integer, create_nil, free_object};
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
  return {};
}

std::expected<std::optional<RedisReply>, std::string> RedisReader::next() {
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != 0) return std::unexpected(std::string(reader_->errstr));
  if (reply != nullptr) return std::move(builder_->root);
  if (reader_->len - reader_->pos > most_bytes_) {
    return std::unexpected("a reply of more than " + std::to_string(most_bytes_) + " bytes");
  }
  return std::optional<RedisReply>{};
}

}  // namespace firstcome::net
