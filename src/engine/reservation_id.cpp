// HMAC is spelled out as RFC 2104 defines it, hash(outer || hash(inner || text)): the two keyed blocks are hashed once,
// and each id starts from a copy of that state. Starting EVP's own HMAC anew for every id takes three times as long.
#include "engine/reservation_id.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::size_t block_bytes = 64;
constexpr std::size_t digest_bytes = 32;
constexpr std::size_t tag_bytes = 12;
constexpr std::size_t facts_bytes = 18;
constexpr std::size_t old_facts_bytes = 16;
constexpr std::size_t id_bytes = facts_bytes + tag_bytes;
constexpr std::size_t old_id_bytes = old_facts_bytes + tag_bytes;
constexpr std::size_t length_of(std::size_t bytes) { return (bytes * 8 + 5) / 6; }
static_assert(length_of(id_bytes) == reservation_id_length);
static_assert(length_of(old_id_bytes) == reservation_id_length_without_incarnation);

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

/// The low `bytes` bytes of it.
void put_big_endian(std::uint8_t* to, std::uint64_t number, std::size_t bytes = 8) {
  for (std::size_t i = bytes; i > 0; --i, number >>= 8) to[i - 1] = static_cast<std::uint8_t>(number);
}

std::uint64_t get_big_endian(const std::uint8_t* from, std::size_t bytes = 8) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | from[i];
  return number;
}

using IdBytes = std::array<std::uint8_t, id_bytes>;

/// Writes `count` bytes as text. Returns how many characters.
std::size_t to_base64url(const IdBytes& bytes, std::size_t count, char* text) {
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bits = bits << 8 | bytes[i];
    for (held += 8; held >= 6; held -= 6) text[at++] = alphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) text[at++] = alphabet[bits << (6 - held) & 63];
  return at;
}

/// REQUIRES: the text has the length of an id.
std::optional<IdBytes> from_base64url(std::string_view text) {
  IdBytes bytes{};
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

StoreIdentity::StoreIdentity(const StoreSecret& secret, Incarnations incarnations)
    : secret_(secret), incarnations_(std::make_shared<const Incarnations>(std::move(incarnations))) {}

std::shared_ptr<const Incarnations> StoreIdentity::incarnations() const {
  const std::lock_guard guard(mutex_);
  return incarnations_;
}

void StoreIdentity::set(Incarnations incarnations) {
  auto fresh = std::make_shared<const Incarnations>(std::move(incarnations));
  const std::lock_guard guard(mutex_);
  incarnations_ = std::move(fresh);
  version_.fetch_add(1, std::memory_order_release);
}

struct ReservationIds::Impl {
  explicit Impl(std::shared_ptr<const StoreIdentity> of)
      : identity(std::move(of)),
        inner(keyed(identity->secret(), 0x36)),
        outer(keyed(identity->secret(), 0x5c)),
        scratch(new_context()) {}

  std::array<std::uint8_t, digest_bytes> tag(const IdBytes& facts, std::size_t bytes) {
    std::array<std::uint8_t, digest_bytes> digest;
    check(EVP_MD_CTX_copy_ex(scratch.get(), inner.get()));
    check(EVP_DigestUpdate(scratch.get(), facts.data(), bytes));
    check(EVP_DigestFinal_ex(scratch.get(), digest.data(), nullptr));
    check(EVP_MD_CTX_copy_ex(scratch.get(), outer.get()));
    check(EVP_DigestUpdate(scratch.get(), digest.data(), digest.size()));
    check(EVP_DigestFinal_ex(scratch.get(), digest.data(), nullptr));
    return digest;
  }

  std::shared_ptr<const StoreIdentity> identity;
  std::shared_ptr<const Incarnations> incarnations;
  std::uint64_t version = 0;
  Context inner;
  Context outer;
  Context scratch;
};

ReservationIds::ReservationIds(std::shared_ptr<const StoreIdentity> identity)
    : impl_(std::make_unique<Impl>(std::move(identity))) {}
ReservationIds::ReservationIds(const StoreSecret& secret) : ReservationIds(std::make_shared<StoreIdentity>(secret)) {}
ReservationIds::~ReservationIds() = default;
ReservationIds::ReservationIds(ReservationIds&&) noexcept = default;
ReservationIds& ReservationIds::operator=(ReservationIds&&) noexcept = default;

const Incarnations& ReservationIds::incarnations() {
  const std::uint64_t version = impl_->identity->version();
  if (version != impl_->version) {
    impl_->incarnations = impl_->identity->incarnations();
    impl_->version = version;
  }
  return *impl_->incarnations;
}

ReservationIdText ReservationIds::encode(ReservationRef ref) {
  const ToldNumber told = incarnations().told(ref);
  const bool is_old = told.incarnation == no_incarnation;
  const std::size_t facts = is_old ? old_facts_bytes : facts_bytes;
  IdBytes bytes;
  put_big_endian(bytes.data(), value(ref.sale));
  put_big_endian(bytes.data() + 8, told.number, is_old ? 8 : 6);
  if (!is_old) put_big_endian(bytes.data() + 14, value(told.incarnation), 4);
  const auto digest = impl_->tag(bytes, facts);
  std::memcpy(bytes.data() + facts, digest.data(), tag_bytes);
  ReservationIdText text;
  text.size_ = to_base64url(bytes, facts + tag_bytes, text.text_.data());
  return text;
}

std::string_view ReservationIds::beginning(SaleHandle sale, ReservationIdText& room) {
  room = encode({sale, {}});
  return room.view().substr(0, reservation_id_of_sale);
}

std::optional<ReadId> ReservationIds::read(std::string_view text) {
  if (!is_reservation_id_length(text.size())) return std::nullopt;
  const auto bytes = from_base64url(text);
  if (!bytes) return std::nullopt;
  const bool is_old = text.size() == reservation_id_length_without_incarnation;
  const std::size_t facts = is_old ? old_facts_bytes : facts_bytes;
  const auto digest = impl_->tag(*bytes, facts);
  if (CRYPTO_memcmp(digest.data(), bytes->data() + facts, tag_bytes) != 0) return std::nullopt;
  ReadId id{.sale = SaleHandle{get_big_endian(bytes->data())}, .told = {}};
  id.told.number = get_big_endian(bytes->data() + 8, is_old ? 8 : 6);
  if (!is_old) id.told.incarnation = Incarnation{static_cast<std::uint32_t>(get_big_endian(bytes->data() + 14, 4))};
  return id;
}

std::optional<ReservationRef> ReservationIds::decode(std::string_view text) {
  const auto id = read(text);
  return id ? find(*id) : std::nullopt;
}

std::optional<ReservationRef> ReservationIds::find(const ReadId& id) { return incarnations().find(id.sale, id.told); }

bool ReservationIds::is_doubtful(const ReadId& id) {
  return id.told.incarnation == no_incarnation && incarnations().has_any();
}

Number ReservationIds::told(ReservationRef ref) {
  return value(ref.number) == 0 ? ref.number : Number{incarnations().told(ref).number};
}

ToldSequence ReservationIds::told_sequence(SaleHandle sale, std::uint64_t sequence) {
  return incarnations().told_sequence(sale, sequence);
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
