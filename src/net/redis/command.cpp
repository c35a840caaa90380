#include "net/redis/command.hpp"

#include <openssl/evp.h>

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

namespace firstcome::net {

namespace {

using Digits = std::array<char, 20>;

std::string_view digits_of(std::integral auto number, Digits& digits) {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

void append_argument(std::string& out, std::string_view argument) {
  Digits digits;
  out.append(1, '$').append(digits_of(argument.size(), digits)).append("\r\n").append(argument).append("\r\n");
}

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const int done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  assert(done == 1 && "SHA-1 is how Redis names scripts");
  if (done != 1) return {};
  static constexpr std::string_view hex = "0123456789abcdef";
  std::string name;
  for (unsigned i = 0; i < size; ++i) name.append(1, hex[digest[i] >> 4U]).append(1, hex[digest[i] & 15U]);
  return name;
}

}  // namespace

RedisScript::RedisScript(std::string text) {
  std::string sha = sha1_hex(text);
  body_ = std::make_shared<const Body>(Body{std::move(text), std::move(sha)});
}

RedisCommand& RedisCommand::add(std::string_view argument) {
  append_argument(arguments_, argument);
  ++count_;
  return *this;
}

RedisCommand& RedisCommand::add_number(std::int64_t number) {
  Digits digits;
  return add(digits_of(number, digits));
}

RedisCommand& RedisCommand::add_unsigned(std::uint64_t number) {
  Digits digits;
  return add(digits_of(number, digits));
}

RedisCommand& RedisCommand::add_unless_redirected(std::string_view usual, std::string_view redirected) {
  assert(usual.size() == redirected.size() && other_.empty());
  add(usual);
  other_at_ = arguments_.size() - 2 - usual.size();
  other_ = redirected;
  return *this;
}

void RedisCommand::mark_redirected() {
  if (!other_.empty()) arguments_.replace(other_at_, other_.size(), other_);
}

void RedisCommand::append_to(std::string& out, Form form) const {
  Digits digits;
  const std::size_t count = count_ + (script_ ? 2U : 0U);
  out.append(1, '*').append(digits_of(count, digits)).append("\r\n");
  if (script_) {
    append_argument(out, form == Form::usual ? "EVALSHA" : "EVAL");
    append_argument(out, form == Form::usual ? script_->sha() : script_->text());
  }
  out.append(arguments_);
}

std::size_t RedisCommand::size_bound(Form form) const {
  constexpr std::size_t frame = 64;
  std::size_t size = arguments_.size() + frame;
  if (script_) size += frame + (form == Form::usual ? script_->sha().size() : script_->text().size());
  return size;
}

}  // namespace firstcome::net
