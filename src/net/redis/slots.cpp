#include "net/redis/slots.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace firstcome::net {

namespace {

using What = RedisVerdict::What;

constexpr std::chrono::seconds learnt_lasts{5};  // by then every node has heard of it

constexpr std::array<std::uint16_t, 256> crc_table = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

unsigned crc16(std::string_view text) {
  unsigned crc = 0;
  for (const char c : text) {
    crc = ((crc << 8U) & 0xFFFFU) ^ crc_table[((crc >> 8U) ^ static_cast<unsigned char>(c)) & 0xFFU];
  }
  return crc;
}

/// The n-th word, from 0.
std::string_view word(std::string_view text, int n) {
  for (; n > 0; --n) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return {};
    text.remove_prefix(space + 1);
  }
  return text.substr(0, text.find(' '));
}

/// "host:port" as Redis writes it: an IPv6 address has no brackets, and the host may be missing.
std::optional<RedisAddress> redirected_to(std::string_view text, const RedisAddress& asked) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || stop != digits.data() + digits.size() || port == 0) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  return RedisAddress{.host = host.empty() || host == "?" ? asked.host : std::string(host), .port = port};
}

RedisVerdict read_redirection(What what, const RedisFailure& failure, const RedisAddress& asked) {
  const std::string_view digits = word(failure.detail, 1);
  unsigned slot = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), slot);
  const std::optional<RedisAddress> address = redirected_to(word(failure.detail, 2), asked);
  if (error != std::errc{} || stop != digits.data() + digits.size() || slot >= redis_slots || !address) return {};
  return {.what = what, .slot = slot, .address = *address};
}

}  // namespace

unsigned key_slot(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  return crc16(key) % redis_slots;
}

std::uint16_t RedisSlotMap::index_of(const RedisAddress& address) {
  const auto found = std::ranges::find(nodes_, address);
  if (found != nodes_.end()) return static_cast<std::uint16_t>(found - nodes_.begin() + 1);
  nodes_.push_back(address);
  return static_cast<std::uint16_t>(nodes_.size());
}

std::expected<RedisSlotMap, std::string> RedisSlotMap::read(const RedisReply& reply, const RedisAddress& asked) {
  RedisSlotMap map;
  const auto wrong = [&](const char* what) { return std::unexpected(to_string(asked) + " " + what); };
  if (!reply.is_array()) return wrong("answered CLUSTER SLOTS with something else");
  if (reply.elements.empty()) return wrong("knows no slots: it is not part of a cluster, or of one that is not ready");
  for (const RedisReply& range : reply.elements) {
    const std::optional<std::int64_t> first = range.at(0).to_integer();
    const std::optional<std::int64_t> last = range.at(1).to_integer();
    const RedisReply& master = range.at(2);
    const std::optional<std::int64_t> port = master.at(1).to_integer();
    const bool fits =
        first && last && port && *first >= 0 && *first <= *last && *last < redis_slots && *port > 0 && *port <= 65'535;
    if (!fits) return wrong("answered CLUSTER SLOTS with a range that is none");
    const std::string& host = master.at(0).text;
    const RedisAddress address{.host = host.empty() || host == "?" ? asked.host : host,
                               .port = static_cast<std::uint16_t>(*port)};
    const std::uint16_t index = map.index_of(address);
    std::fill(map.owners_.begin() + *first, map.owners_.begin() + *last + 1, index);
  }
  return map;
}

const RedisAddress* RedisSlotMap::owner(unsigned slot) const {
  const std::uint16_t index = owners_.at(slot);
  return index == 0 ? nullptr : &nodes_[index - 1U];
}

void RedisSlotMap::learn(unsigned slot, const RedisAddress& address, TimePoint now) {
  owners_.at(slot) = index_of(address);
  learnt_.insert_or_assign(slot, Learnt{address, now});
}

void RedisSlotMap::adopt(RedisSlotMap other, TimePoint now) {
  std::map<unsigned, Learnt> learnt = std::move(learnt_);
  *this = std::move(other);
  std::erase_if(learnt, [&](const auto& one) {
    const auto& [slot, what] = one;
    const RedisAddress* const told = owner(slot);
    return now - what.at >= learnt_lasts || (told != nullptr && *told == what.address);
  });
  for (const auto& [slot, what] : learnt) owners_.at(slot) = index_of(what.address);
  learnt_ = std::move(learnt);
}

void RedisSlotMap::forget_learnt(const RedisAddress& address) {
  std::erase_if(learnt_, [&](const auto& one) { return one.second.address == address; });
}

std::set<RedisAddress> RedisSlotMap::masters() const {
  std::set<RedisAddress> all;
  std::vector<bool> seen(nodes_.size() + 1);
  for (const std::uint16_t index : owners_) seen[index] = true;
  for (std::size_t i = 1; i < seen.size(); ++i) {
    if (seen[i]) all.insert(nodes_[i - 1]);
  }
  return all;
}

RedisVerdict judge(const RedisFailure& failure, const RedisAddress& asked) {
  using Kind = RedisFailure::Kind;
  if (failure.kind == Kind::not_sent) return {.what = failure.code == "down" ? What::refresh : What::give};
  if (failure.kind != Kind::refused) return {};
  if (failure.code == "MOVED") return read_redirection(What::moved, failure, asked);
  if (failure.code == "ASK") return read_redirection(What::ask, failure, asked);
  if (failure.code == "TRYAGAIN") return {.what = What::again};
  for (const char* code : {"CLUSTERDOWN", "LOADING", "MASTERDOWN"}) {
    if (failure.code == code) return {.what = What::refresh};
  }
  return {};
}

}  // namespace firstcome::net
