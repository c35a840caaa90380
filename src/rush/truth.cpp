#include "rush/truth.hpp"

#include "net/rfc3339.hpp"
#include "rush/reply.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <fmt/format.h>

#include <utility>

namespace firstcome::rush {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr asio::as_tuple_t<asio::use_awaitable_t<net::IoExecutor>> use_task;
constexpr Milliseconds ask_again{200};
constexpr std::size_t attempts = 3;         // at each server, of a request that gets no answer, or 503
constexpr std::size_t busy_attempts = 150;  // of an audit while another runs
constexpr std::uint64_t page = 1'000;

using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, net::IoExecutor>;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value& member = object.at(name);
  return member.is_string() ? std::string(member.get_string()) : std::string();
}

std::optional<std::int64_t> whole_or_null(const json::object& object, std::string_view name) {
  const json::value& member = object.at(name);
  if (member.is_null()) return std::nullopt;
  return member.to_number<std::int64_t>();
}

std::uint64_t count_of(const json::object& object, std::string_view name) {
  return static_cast<std::uint64_t>(whole_or_null(object, name).value_or(0));
}

std::optional<std::uint64_t> count_or_null(const json::object& object, std::string_view name) {
  const auto whole = whole_or_null(object, name);
  return whole ? std::optional(static_cast<std::uint64_t>(*whole)) : std::nullopt;
}

SaleSeen sale_in(const json::object& object) {
  SaleSeen sale;
  sale.id = text_of(object, "id");
  sale.kind = text_of(object, "kind");
  sale.state = text_of(object, "state");
  sale.payment = text_of(object, "payment");
  sale.stock = object.at("stock").to_number<Units>();
  sale.available = object.at("available").to_number<Units>();
  sale.held = object.at("held").to_number<Units>();
  sale.sold = object.at("sold").to_number<Units>();
  if (const json::value* price = object.if_contains("unit_price")) sale.unit_price = price->to_number<std::int64_t>();
  sale.queued = count_of(object, "queued");
  sale.limit_per_customer = whole_or_null(object, "limit_per_customer");
  sale.hold = Milliseconds{object.at("hold_ms").to_number<std::int64_t>()};
  if (const json::value* extend = object.if_contains("extend_ms"))
    sale.extend = Milliseconds{extend->to_number<std::int64_t>()};
  const json::value& queue = object.at("queue");
  if (queue.is_object()) sale.tick = Milliseconds{queue.get_object().at("tick_ms").to_number<std::int64_t>()};
  return sale;
}

TrueReservation reservation_in(const json::object& object, const CustomerNames& names) {
  TrueReservation has;
  has.id = text_of(object, "id");
  has.customer = names.customer(text_of(object, "customer"));
  has.number = object.at("number").to_number<std::uint64_t>();
  has.quantity = object.at("quantity").to_number<Units>();
  if (object.contains("amount")) has.amount = whole_or_null(object, "amount");
  auto state = read_reservation_state(text_of(object, "state"));
  if (!state) throw std::runtime_error("a state that is none");
  has.state = *state;
  if (auto expires = net::parse_rfc3339(text_of(object, "expires_at")))
    has.expires_at_ms = expires->time_since_epoch().count();
  return has;
}

AuditSeen audit_in(const json::object& object) {
  AuditSeen audit;
  audit.ok = object.at("ok").as_bool();
  audit.customers_over_limit = count_of(object, "customers_over_limit");
  audit.number_inversions = count_of(object, "number_inversions");
  if (object.contains("orders")) audit.orders = count_or_null(object, "orders");
  if (audit.orders) audit.orders_pending = count_of(object, "orders_pending");
  for (const json::value& mismatch : object.at("mismatches").as_array())
    audit.mismatches.emplace_back(mismatch.as_string());
  return audit;
}

/// Reads `text` by `read`, which throws where a member is missing or of another type.
template <typename Read>
auto understood(const std::string& text, std::string_view what, Read read)
    -> TruthResult<decltype(read(std::declval<const json::object&>()))> {
  try {
    return read(json::parse(text).as_object());
  } catch (const std::exception& error) {
    return std::unexpected(TruthFailure{TruthFailure::Kind::unavailable,
                                        fmt::format("{}: not what API.md says ({})", what, error.what())});
  }
}

}  // namespace

TruthReader::TruthReader(net::IoExecutor executor, const std::vector<net::HttpOrigin>& origins, std::string sale,
                         Milliseconds timeout)
    : executor_(executor),
      origins_(origins),
      client_(executor, origins.front()),
      path_("/v1/sales/" + std::move(sale)),
      timeout_(timeout) {}

void TruthReader::ask_another() {
  if (origins_.size() == 1) return;
  origin_ = (origin_ + 1) % origins_.size();
  client_ = net::HttpClient(executor_, origins_[origin_]);
}

net::Task<TruthResult<std::string>> TruthReader::get(std::string target) {
  net::ClientRequest request;
  request.target = target;
  TruthFailure failure;
  Timer timer(executor_);
  std::size_t busy = 0;
  for (std::size_t attempt = 0; attempt < attempts * origins_.size() && busy < busy_attempts;) {
    net::ClientResult result = co_await client_.request(request, SteadyClock::now() + timeout_);
    if (result && result->status == 200) co_return std::move(result->body);
    const net::HttpOrigin& origin = origins_[origin_];
    std::string at = fmt::format("GET http://{}:{}{}", origin.host, origin.port, target);
    if (!result) {
      failure = {TruthFailure::Kind::unavailable, fmt::format("{}: {}", at, result.error().detail)};
    } else {
      failure = {TruthFailure::Kind::refused, fmt::format("{}: {} {}", at, result->status, result->body)};
      if (result->status < 429) break;
    }
    const bool is_busy = result && result->status == 429;
    ++(is_busy ? busy : attempt);
    if (!is_busy) ask_another();
    timer.expires_after(ask_again);
    co_await timer.async_wait(use_task);
  }
  co_return std::unexpected(std::move(failure));
}

net::Task<TruthResult<SaleSeen>> TruthReader::sale() {
  TruthResult<std::string> text = co_await get(path_);
  if (!text) co_return std::unexpected(std::move(text.error()));
  co_return understood(*text, path_, sale_in);
}

net::Task<TruthResult<std::vector<TrueReservation>>> TruthReader::reservations(const CustomerNames* names) {
  std::vector<TrueReservation> all;
  std::string after;
  for (;;) {
    std::string target = fmt::format("{}/reservations?limit={}", path_, page);
    if (!after.empty()) target += "&after=" + after;
    TruthResult<std::string> text = co_await get(target);
    if (!text) co_return std::unexpected(std::move(text.error()));
    auto next = understood(*text, target, [&](const json::object& list) {
      for (const json::value& item : list.at("items").as_array())
        all.push_back(reservation_in(item.as_object(), *names));
      const json::value& cursor = list.at("next");
      if (cursor.is_null()) return std::string();
      return cursor.is_string() ? std::string(cursor.get_string()) : std::to_string(cursor.to_number<std::uint64_t>());
    });
    if (!next) co_return std::unexpected(std::move(next.error()));
    if (next->empty() || *next == after) co_return all;
    after = *next;
  }
}

net::Task<TruthResult<AuditSeen>> TruthReader::audit() {
  TruthResult<std::string> text = co_await get(path_ + "/audit");
  if (!text) co_return std::unexpected(std::move(text.error()));
  co_return understood(*text, path_ + "/audit", audit_in);
}

std::optional<std::string> unequal(const SaleSeen& sale) {
  if (sale.available + sale.held + sale.sold == sale.stock && sale.available >= 0 && sale.held >= 0 && sale.sold >= 0)
    return std::nullopt;
  return fmt::format("{} available + {} held + {} sold, of a stock of {}", sale.available, sale.held, sale.sold,
                     sale.stock);
}

}  // namespace firstcome::rush
