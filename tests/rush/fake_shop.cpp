#include "rush/fake_shop.hpp"

#include "api/words.hpp"
#include "net/rfc3339.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace firstcome::rush::testing {
namespace {

namespace json = boost::json;

constexpr std::string_view reservations_path = "/v1/sales/fake/reservations";
constexpr std::string_view one_path = "/v1/reservations/";
constexpr std::uint64_t highest_number = 1'000'000;

void answer(net::Exchange& exchange, unsigned status, const json::object& body, std::string_view retry_after = {}) {
  std::vector<net::HttpField> fields;
  if (!retry_after.empty()) fields.push_back({"Retry-After", retry_after});
  exchange.respond(status, "application/json", json::serialize(body), fields);
}

void refuse_with(net::Exchange& exchange, unsigned status, std::string_view code, std::string_view retry_after = {}) {
  answer(exchange, status, {{"code", code}, {"status", status}}, retry_after);
}

}  // namespace

FakeShop::FakeShop(FakeTerms terms)
    : terms_(terms),
      opens_at_(std::chrono::steady_clock::now() + terms.opens_in),
      server_(net::HttpServerOptions{}, *this, *this),
      thread_([this] { server_.run(); }) {}

FakeShop::~FakeShop() {
  server_.stop();
  thread_.join();
}

void FakeShop::handle(net::Exchange& exchange) noexcept {
  ++requests_;
  if (terms_.answers_after.count() > 0) {
    later_.emplace_back(std::chrono::steady_clock::now() + terms_.answers_after, &exchange);
    return;
  }
  end_holds();
  serve_waiting();
  route(exchange);
}

std::optional<std::chrono::steady_clock::time_point> FakeShop::turn() noexcept {
  for (; !later_.empty(); later_.pop_front()) {
    if (later_.front().first > std::chrono::steady_clock::now()) return later_.front().first;
    route(*later_.front().second);
  }
  return std::nullopt;
}

void FakeShop::refuse(net::BadRequest, net::Exchange& exchange) noexcept { refuse_with(exchange, 400, "bad-request"); }

void FakeShop::route(net::Exchange& exchange) {
  const net::HttpRequest& request = exchange.request();
  if (request.path == "/healthz") return answer(exchange, 200, {{"ok", true}});
  if (request.path == "/v1/sales/fake") return show_sale(exchange);
  if (request.path == "/v1/sales/fake/audit") return audit(exchange);
  if (request.path == reservations_path)
    return request.method == net::Method::post ? reserve(exchange) : list(exchange);
  if (!request.path.starts_with(one_path)) return refuse_with(exchange, 404, "sale-not-found");
  std::string id(request.path.substr(one_path.size()));
  bool payment = id.ends_with("/payment");
  if (payment) id.resize(id.size() - std::string_view("/payment").size());
  auto place = by_id_.find(id);
  if (place == by_id_.end() || !reservations_[place->second].listed)
    return refuse_with(exchange, 404, "reservation-not-found");
  Reservation& reservation = reservations_[place->second];
  if (payment) return pay(exchange, reservation);
  answer(exchange, 200, shown(reservation), reservation.state == ReservationState::queued ? "1" : "");
}

json::object FakeShop::shown(const Reservation& reservation) const {
  json::object object{{"id", reservation.id},
                      {"customer", reservation.customer},
                      {"number", reservation.number},
                      {"quantity", reservation.quantity},
                      {"state", api::word(reservation.state)},
                      {"reason", nullptr},
                      {"expires_at", nullptr},
                      {"payment", nullptr}};
  if (reservation.state == ReservationState::held) object["expires_in_ms"] = terms_.hold.count();
  if (!reservation.reason.empty()) object["reason"] = reservation.reason;
  if (reservation.expires_at) {
    auto text = net::format_rfc3339(std::chrono::floor<Milliseconds>(*reservation.expires_at));
    object["expires_at"] = std::string_view(text.data(), text.size());
  }
  return object;
}

/// Refuses where the lie is to refuse whatever is asked. Returns whether it did.
bool FakeShop::refuses_before_it_looks(net::Exchange& exchange) {
  if (lies(Lie::answers_500)) {
    refuse_with(exchange, 500, "internal");
  } else if (lies(Lie::answers_unauthenticated)) {
    refuse_with(exchange, 401, "unauthenticated");
  } else if (lies(Lie::says_sold_out_too_soon) && asked_ % 10 == 0) {
    refuse_with(exchange, 410, "sold-out");
  } else if (lies(Lie::refuses_by_a_limit) && asked_ % 10 == 0) {
    refuse_with(exchange, 409, "limit-exceeded");
  } else {
    return false;
  }
  return true;
}

void FakeShop::reserve(net::Exchange& exchange) {
  const net::HttpRequest& request = exchange.request();
  json::object body = json::parse(json::string_view(request.body.data(), request.body.size())).as_object();
  std::string customer(body.at("customer").as_string());
  Units quantity = body.at("quantity").as_int64();
  std::string key = customer + "|" + std::string(request.idempotency_key);
  if (std::chrono::steady_clock::now() < opens_at_) return refuse_with(exchange, 409, "sale-not-open", "1");
  ++asked_;
  if (refuses_before_it_looks(exchange)) return;
  if (auto place = by_key_.find(key);
      !request.idempotency_key.empty() && place != by_key_.end() && !lies(Lie::ignores_keys)) {
    const Reservation& first = reservations_[place->second];
    return answer(exchange, first.state == ReservationState::queued ? 202 : 201, shown(first), "1");
  }
  if (terms_.limit && units_of(customer) + quantity > *terms_.limit && !lies(Lie::ignores_the_limit))
    return refuse_with(exchange, 409, "limit-exceeded");
  Units left = available();
  Units held = units(ReservationState::held);
  if (lies(Lie::keeps_the_last_unit)) --left;
  if (lies(Lie::sells_twice_at_once)) left += terms_.stock;
  if (lies(Lie::gives_one_of_several)) quantity = 1;
  ReservationState state = terms_.hold.count() == 0 ? ReservationState::confirmed : ReservationState::held;
  bool waits = terms_.standby == Standby::yes && units(ReservationState::queued) > 0;
  if (left < quantity || waits) {
    if (left + held < quantity || (waits && lies(Lie::keeps_the_last_unit))) {
      if (lies(Lie::sells_to_the_refused) && asked_ % 10 == 0) add(customer, quantity, ReservationState::confirmed);
      return refuse_with(exchange, 410, "sold-out");
    }
    if (terms_.standby == Standby::no) return refuse_with(exchange, 409, "sold-out-holds-pending", "1");
    state = ReservationState::queued;
  }
  Reservation& made = add(customer, quantity, state);
  if (!request.idempotency_key.empty()) by_key_[key] = reservations_.size() - 1;
  json::object told = shown(made);
  if (lies(Lie::loses_every_tenth) && is_tenth(made)) made.listed = false;
  if (lies(Lie::forgets_every_tenth_sale) && is_tenth(made)) made.state = ReservationState::expired;
  bool adds_one = lies(Lie::adds_one_to_every_tenth) && is_tenth(made);
  if (adds_one) add(customer, quantity, ReservationState::cancelled);
  if (terms_.unknown_one_in > 0 && asked_ % terms_.unknown_one_in == 0)
    return refuse_with(exchange, 503, "outcome-unknown");
  answer(exchange, state == ReservationState::queued ? 202 : 201, told, state == ReservationState::queued ? "1" : "");
}

FakeShop::Reservation& FakeShop::add(const std::string& customer, Units quantity, ReservationState state) {
  Reservation made;
  made.number = reservations_.size() + 1;
  if (lies(Lie::counts_down)) made.number = highest_number - made.number;
  made.id = "r" + std::to_string(server_.port()) + "-" + std::to_string(made.number);
  made.customer = customer;
  made.quantity = quantity;
  made.state = state;
  if (state == ReservationState::held) grant(made);
  if (lies(Lie::hides_what_it_oversold) && units(ReservationState::confirmed) >= terms_.stock) made.listed = false;
  by_id_[made.id] = reservations_.size();
  return reservations_.emplace_back(std::move(made));
}

void FakeShop::grant(Reservation& reservation) {
  reservation.state = ReservationState::held;
  // allowed: a test's server has no engine, and no clock of its own
  reservation.expires_at = std::chrono::system_clock::now() + terms_.hold;
}

void FakeShop::pay(net::Exchange& exchange, Reservation& reservation) {
  if (reservation.state == ReservationState::expired) return refuse_with(exchange, 410, "hold-expired");
  if (lies(Lie::never_charges)) return refuse_with(exchange, 500, "internal");
  if (reservation.state == ReservationState::cancelled) return refuse_with(exchange, 402, "payment-failed");
  if (reservation.state == ReservationState::queued) return refuse_with(exchange, 409, "not-held");
  ++payments_;
  bool declined = terms_.declines_one_in > 0 && payments_ % terms_.declines_one_in == 0;
  if (reservation.state == ReservationState::held && declined) {
    reservation.state = ReservationState::cancelled;
    reservation.reason = "payment-failed";
    return refuse_with(exchange, 402, "payment-failed");
  }
  reservation.state = ReservationState::confirmed;
  answer(exchange, 200, shown(reservation));
}

void FakeShop::end_holds() {
  // allowed: as above
  auto now = std::chrono::system_clock::now();
  for (Reservation& reservation : reservations_)
    if (reservation.state == ReservationState::held && reservation.expires_at && now >= *reservation.expires_at)
      reservation.state = ReservationState::expired;
}

void FakeShop::serve_waiting() {
  if (lies(Lie::never_serves_who_waits)) return;
  std::vector<Reservation*> line;
  for (Reservation& reservation : reservations_)
    if (reservation.state == ReservationState::queued) line.push_back(&reservation);
  if (lies(Lie::grants_the_second_first) && line.size() > 1) std::swap(line[0], line[1]);
  for (Reservation* head : line) {
    if (available() < head->quantity) {
      if (available() + units(ReservationState::held) >= head->quantity) return;
      head->state = ReservationState::refused;
      head->reason = "sold-out";
    } else {
      grant(*head);
    }
  }
}

Units FakeShop::units(ReservationState state) const {
  Units sum = 0;
  for (const Reservation& reservation : reservations_)
    if (reservation.state == state && reservation.listed) sum += reservation.quantity;
  return sum;
}

Units FakeShop::units_of(const std::string& customer) const {
  Units sum = 0;
  for (const Reservation& reservation : reservations_)
    if (reservation.customer == customer && reservation.state <= ReservationState::confirmed)
      sum += reservation.quantity;
  return sum;
}

Units FakeShop::available() const {
  Units stock = terms_.stock;
  if (lies(Lie::sells_more_than_there_is)) stock += 3;
  Units taken = units(ReservationState::held) + units(ReservationState::confirmed);
  if (lies(Lie::hides_what_it_oversold)) {
    taken = 0;
    for (const Reservation& reservation : reservations_) taken += reservation.quantity;
    stock += 3;
  }
  return stock - taken;
}

void FakeShop::show_sale(net::Exchange& exchange) const {
  Units held = units(ReservationState::held), sold = units(ReservationState::confirmed);
  Units left = terms_.stock - held - sold;
  if (lies(Lie::sums_are_wrong)) ++left;
  json::object sale{{"id", "fake"},
                    {"kind", "product"},
                    {"state", std::chrono::steady_clock::now() < opens_at_ ? "scheduled" : "open"},
                    {"payment", "client"},
                    {"stock", terms_.stock},
                    {"available", left},
                    {"held", held},
                    {"sold", sold},
                    {"queued", std::ranges::count(reservations_, ReservationState::queued, &Reservation::state)},
                    {"hold_ms", terms_.hold.count()},
                    {"limit_per_customer", nullptr},
                    {"queue", nullptr}};
  if (terms_.limit) sale["limit_per_customer"] = *terms_.limit;
  answer(exchange, 200, sale);
}

void FakeShop::list(net::Exchange& exchange) const {
  constexpr std::size_t page = 50;  // smaller than asked for, so that pages are turned
  std::string_view query = exchange.request().query;
  std::size_t after = 0;
  if (auto at = query.find("after="); at != std::string_view::npos)
    std::from_chars(query.data() + at + 6, query.data() + query.size(), after);
  json::array items;
  std::size_t i = after;
  for (; i < reservations_.size() && i < after + page; ++i)
    if (reservations_[i].listed) items.emplace_back(shown(reservations_[i]));
  json::value next = nullptr;
  if (i < reservations_.size()) next = std::to_string(i);
  answer(exchange, 200, {{"items", std::move(items)}, {"next", next}});
}

void FakeShop::audit(net::Exchange& exchange) const {
  bool ok = !lies(Lie::audit_is_not_ok);
  json::array mismatches;
  if (!ok) mismatches.emplace_back("stored 3 held, counted 2");
  answer(exchange, 200,
         {{"customers_over_limit", 0}, {"number_inversions", 0}, {"mismatches", std::move(mismatches)}, {"ok", ok}});
}

}  // namespace firstcome::rush::testing
