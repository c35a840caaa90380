// HMAC is spelled out as RFC 2104 defines it, hash(outer || hash(inner || text)): the two keyed blocks are hashed once,
// and each id starts from a copy of that state. Starting EVP's own HMAC anew for every id takes three times as long.
#include "engine/reservation_id.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cassert>
#include <cstring>
#include <new>

namespace firstcome::engine {
namespace {

constexpr std::size_t block_bytes = 64;
constexpr std::size_t digest_bytes = 32;
constexpr std::size_t tag_bytes = 12;
constexpr std::size_t id_bytes = 16 + tag_bytes;
static_assert((id_bytes * 8 + 5) / 6 == reservation_id_length);

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> digits_of_alphabet() {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (std::size_t i = 0; i < 64; ++i) digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return digits;
}
constexpr auto digits = digits_of_alphabet();

/// Fetched once: a fetch by name at every use costs more than the hash.
const EVP_MD* sha256() {
  static EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (digest == nullptr) throw std::bad_alloc();
  return digest;
}

void check(int ok) { assert(ok == 1 && "OpenSSL hashes bytes in memory without failing"); }

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context new_context() {
  Context context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  check(EVP_DigestInit_ex(context.get(), sha256(), nullptr));
  return context;
}

Context keyed(const StoreSecret& secret, std::uint8_t pad) {
  std::array<std::uint8_t, block_bytes> block;
  block.fill(pad);
  for (std::size_t i = 0; i < secret.size(); ++i) block[i] = static_cast<std::uint8_t>(block[i] ^ secret[i]);
  Context context = new_context();
  check(EVP_DigestUpdate(context.get(), block.data(), block.size()));
  OPENSSL_cleanse(block.data(), block.size());
  return context;
}

void put_big_endian(std::uint8_t* to, std::uint64_t number) {
  for (int i = 7; i >= 0; --i, number >>= 8) to[i] = static_cast<std::uint8_t>(number);
}

std::uint64_t get_big_endian(const std::uint8_t* from) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | from[i];
  return number;
}

ReservationIdText to_base64url(const std::array<std::uint8_t, id_bytes>& bytes) {
  ReservationIdText text;
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (held += 8; held >= 6; held -= 6) text[at++] = alphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) text[at++] = alphabet[bits << (6 - held) & 63];
  return text;
}

std::optional<std::array<std::uint8_t, id_bytes>> from_base64url(std::string_view text) {
  if (text.size() != reservation_id_length) return std::nullopt;
  std::array<std::uint8_t, id_bytes> bytes{};
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const int digit = digits[static_cast<unsigned char>(c)];
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = static_cast<std::uint8_t>(bits >> held);
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;  // an id has one spelling only
  return bytes;
}

}  // namespace

struct ReservationIds::Impl {
  explicit Impl(const StoreSecret& secret)
      : inner(keyed(secret, 0x36)), outer(keyed(secret, 0x5c)), scratch(new_context()) {}

  std::array<std::uint8_t, digest_bytes> tag(const std::uint8_t* text) {
    std::array<std::uint8_t, digest_bytes> digest;
    check(EVP_MD_CTX_copy_ex(scratch.get(), inner.get()));
    check(EVP_DigestUpdate(scratch.get(), text, 16));
    check(EVP_DigestFinal_ex(scratch.get(), digest.data(), nullptr));
    check(EVP_MD_CTX_copy_ex(scratch.get(), outer.get()));
    check(EVP_DigestUpdate(scratch.get(), digest.data(), digest.size()));
    check(EVP_DigestFinal_ex(scratch.get(), digest.data(), nullptr));
    return digest;
  }

  Context inner;
  Context outer;
  Context scratch;
};

ReservationIds::ReservationIds(const StoreSecret& secret) : impl_(std::make_unique<Impl>(secret)) {}
ReservationIds::~ReservationIds() = default;
ReservationIds::ReservationIds(ReservationIds&&) noexcept = default;
ReservationIds& ReservationIds::operator=(ReservationIds&&) noexcept = default;

ReservationIdText ReservationIds::encode(ReservationRef ref) {
  std::array<std::uint8_t, id_bytes> bytes;
  put_big_endian(bytes.data(), value(ref.sale));
  put_big_endian(bytes.data() + 8, value(ref.number));
  const auto digest = impl_->tag(bytes.data());
  std::memcpy(bytes.data() + 16, digest.data(), tag_bytes);
  return to_base64url(bytes);
}

std::optional<ReservationRef> ReservationIds::decode(std::string_view text) {
  const auto bytes = from_base64url(text);
  if (!bytes) return std::nullopt;
  const auto digest = impl_->tag(bytes->data());
  if (CRYPTO_memcmp(digest.data(), bytes->data() + 16, tag_bytes) != 0) return std::nullopt;
  return ReservationRef{SaleHandle{get_big_endian(bytes->data())}, Number{get_big_endian(bytes->data() + 8)}};
}

KeyHash hash_key(std::string_view customer, std::string_view sale, std::string_view key) {
  assert(!key.empty());
  thread_local const Context context = new_context();
  check(EVP_DigestInit_ex(context.get(), sha256(), nullptr));
  for (const std::string_view part : {customer, sale, key}) {
    const auto size = static_cast<std::uint32_t>(part.size());
    const std::array<std::uint8_t, 4> length{static_cast<std::uint8_t>(size >> 24),
                                             static_cast<std::uint8_t>(size >> 16),
                                             static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
    check(EVP_DigestUpdate(context.get(), length.data(), length.size()));
    check(EVP_DigestUpdate(context.get(), part.data(), part.size()));
  }
  std::array<std::uint8_t, digest_bytes> digest;
  check(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
  KeyHash hash{get_big_endian(digest.data()), get_big_endian(digest.data() + 8)};
  if (!hash) hash.low = 1;
  return hash;
}

}  // namespace firstcome::engine
