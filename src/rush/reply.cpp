#include "rush/reply.hpp"

#include "api/words.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace firstcome::rush {
namespace {

namespace json = boost::json;

/// Longer than any crowd's patience, and short enough to be added to any time in nanoseconds.
constexpr std::int64_t longest_ms = std::int64_t{366} * 24 * 60 * 60 * 1'000;

std::string_view text_member(const json::object& object, std::string_view name) {
  const json::value* member = object.if_contains(name);
  if (member == nullptr || !member->is_string()) return {};
  return member->get_string();
}

std::optional<std::int64_t> whole_member(const json::object& object, std::string_view name) {
  const json::value* member = object.if_contains(name);
  if (member == nullptr || !member->is_int64()) return std::nullopt;
  return member->get_int64();
}

std::optional<ReservationSeen> seen_in(const json::object& object) {
  ReservationSeen seen;
  seen.id = text_member(object, "id");
  auto state = read_reservation_state(text_member(object, "state"));
  auto number = whole_member(object, "number");
  auto quantity = whole_member(object, "quantity");
  if (seen.id.empty() || !state || !number || *number < 1 || !quantity) return std::nullopt;
  seen.state = *state;
  seen.number = static_cast<std::uint64_t>(*number);
  seen.quantity = *quantity;
  seen.customer = text_member(object, "customer");
  if (const auto left = whole_member(object, "expires_in_ms"))
    seen.expires_in = Milliseconds{std::clamp<std::int64_t>(*left, 0, longest_ms)};
  seen.reason = text_member(object, "reason");
  const json::value* payment = object.if_contains("payment");
  if (payment != nullptr && payment->is_object()) seen.payment_id = text_member(payment->get_object(), "id");
  return seen;
}

/// Calls `use` with the object that `text` is; whether it is one. No allocation where the text is small.
template <typename Use>
bool with_object(std::string_view text, Use use) {
  std::array<unsigned char, 4096> memory;
  json::monotonic_resource resource(memory.data(), memory.size());
  boost::system::error_code error;
  json::value value = json::parse(text, error, &resource);
  if (error || !value.is_object()) return false;
  use(value.get_object());
  return true;
}

void read_body(const net::ClientResponse& response, Reply& reply) {
  bool object = with_object(response.body, [&](const json::object& members) {
    if (response.status < 300)
      reply.reservation = seen_in(members);
    else
      reply.code = text_member(members, "code");
  });
  bool understood = object && (reply.reservation || !reply.code.empty());
  if (!understood) reply.code = "malformed-answer";
}

}  // namespace

Reply read_reply(const net::ClientResult& result) {
  Reply reply;
  if (!result) {
    reply.kind = result.error().kind == net::ClientFailure::Kind::connect ? Reply::Kind::unsent : Reply::Kind::unknown;
    return reply;
  }
  reply.kind = Reply::Kind::answered;
  reply.status = result->status;
  reply.retry_after = read_retry_after(result->field("Retry-After"));
  reply.is_replay = result->field("Idempotent-Replayed") == "true";
  read_body(*result, reply);
  return reply;
}

std::optional<Milliseconds> read_retry_after(std::string_view text) {
  std::int64_t seconds = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || error == std::errc::invalid_argument || stop != text.data() + text.size() || seconds < 0)
    return std::nullopt;
  if (error != std::errc{}) return Milliseconds{longest_ms};  // more than can be counted
  return std::chrono::seconds{std::min(seconds, longest_ms / 1'000)};
}

bool is_decision(std::string_view code) {
  static constexpr std::array decisions{
      "sold-out",    "sold-out-holds-pending", "not-enough", "limit-exceeded", "sale-closed",   "already-open",
      "sale-paused", "sale-not-open",          "locked",     "busy",           "payment-failed"};
  return std::ranges::find(decisions, code) != decisions.end();
}

std::optional<ReservationState> read_reservation_state(std::string_view text) {
  using enum ReservationState;
  for (auto state : {queued, held, confirmed, cancelled, expired, refused, paid_unfulfilled, returned})
    if (api::word(state) == text) return state;
  return std::nullopt;
}

}  // namespace firstcome::rush
