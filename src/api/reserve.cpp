// POST /v1/sales/{id}/reservations: the hot path. Nothing here allocates once the connection's strings have grown.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/idempotency_key.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace firstcome::api {

namespace {

enum Member : std::uint8_t { customer, quantity, reference };

constexpr auto rules = std::to_array<MemberRule>({
    {.path = "customer",
     .need = Need::required,
     .rule = "1 to 128 bytes without control characters",
     .fits = fits_customer},
    {.path = "quantity",
     .type = JsonType::integer,
     .rule = "an integer from 1 to 1000000, without fraction or exponent",
     .min = 1,
     .max = limits::quantity},
    {.path = "reference",
     .null = Null::accepted,
     .rule = "at most 128 bytes without control characters",
     .fits = fits_reference},
});

/// Whatever a unit costs, this many never cost more than an amount can be.
constexpr Units always_affordable = limits::amount / limits::unit_price;

constexpr std::string_view location_prefix = "/v1/reservations/";

/// The text of Location and its id.
struct Location {
  explicit Location(const engine::ReservationIdText& id) : size(location_prefix.size() + id.size()) {
    auto* end = std::copy(location_prefix.begin(), location_prefix.end(), text.data());
    std::copy(id.begin(), id.end(), end);
  }
  std::string_view location() const { return {text.data(), size}; }
  std::string_view id() const { return location().substr(location_prefix.size()); }

  std::array<char, location_prefix.size() + engine::reservation_id_length> text;
  std::size_t size;
};

/// Made only of the request and of what the decision fixed, so that the same key gets the same bytes again.
void accept(Call& call, const Reserve& command, const ReserveAnswer& said) {
  const Location location(call.context().ids.encode(said.ref));
  const bool held = said.state == ReservationState::held;
  const bool queued = said.state == ReservationState::queued;
  ReservationText text;
  text.id = location.id();
  text.sale = command.sale;
  text.customer = command.customer;
  text.reference = command.reference;
  text.currency = said.currency;
  text.quantity = command.quantity;
  text.state = said.state;
  text.number = call.context().ids.told(said.ref);
  text.amount = said.amount;
  text.charged = said.amount;
  if (said.payment) text.payment = &*said.payment;
  text.created_at = said.created_at;
  if (held) text.expires_at = said.created_at + said.hold;
  if (held) text.expires_in = said.hold;
  if (queued) text.position = said.position;
  net::JsonWriter json(call.out);
  write_reservation(json, text);

  std::array<char, 24> seconds;
  std::array<net::HttpField, 3> fields;
  std::size_t used = 0;
  fields[used++] = {"Location", location.location()};
  if (queued) {
    const auto* end =
        std::to_chars(seconds.data(), seconds.data() + seconds.size(), retry_after_seconds(said.retry_after)).ptr;
    fields[used++] = {"Retry-After", {seconds.data(), end}};
  }
  if (said.outcome == Outcome::unchanged) fields[used++] = {"Idempotent-Replayed", "true"};
  call.respond(queued ? 202 : 201, std::span(fields).first(used));
}

void refuse(Call& call, const ReserveAnswer& said) {
  engine::ReservationIdText id;
  std::array<ProblemMember, 2> members;
  std::size_t used = 0;
  std::chrono::milliseconds retry_after{0};
  if (said.outcome == Outcome::limit_exceeded || said.outcome == Outcome::already_open) {
    members[used] = {"reservation", nullptr};
    if (value(said.ref.number) != 0) {
      id = call.context().ids.encode(said.ref);
      members[used].value = std::string_view(id.data(), id.size());
    }
    ++used;
  }
  switch (said.outcome) {
    case Outcome::limit_exceeded:
      members[used++] = {"left", said.left};
      break;
    case Outcome::sold_out_holds_pending:
      members[used++] = {"held", said.left};
      members[used++] = {"next_expiry_ms", std::int64_t{said.retry_after.count()}};
      retry_after = said.retry_after;
      break;
    case Outcome::not_enough:
      members[used++] = {"available", said.left};
      break;
    case Outcome::sale_not_open:
      retry_after = said.retry_after;
      break;
    default:
      break;
  }
  const net::HttpField replayed{"Idempotent-Replayed", "true"};
  call.refuse(code_of(said.outcome), {.members = std::span(members).first(used), .retry_after = retry_after},
              {&replayed, said.replayed_refusal ? 1U : 0U});
}

void answer(Call& call) {
  const auto& said = call.said<ReserveAnswer>();
  switch (said.outcome) {
    case Outcome::done:
    case Outcome::waiting:
    case Outcome::unchanged:
      return accept(call, std::get<Reserve>(call.command), said);
    default:
      return refuse(call, said);
  }
}

/// The command that the request asks for; its views are of the request and of `call.members`.
Reserve command_of(Call& call, std::string_view key) {
  Reserve command;
  command.sale = call.parameter;
  command.customer = call.members[customer].text;
  command.quantity = call.members[quantity] ? call.members[quantity].integer : 1;
  command.reference = call.members[reference].text;
  if (!key.empty()) command.key = engine::hash_key(command.customer, command.sale, key);
  return command;
}

/// So many units that the sale's price decides whether they can be sold at once. A price never changes, so that
/// nothing can come between this look and the command.
void reserve_at_known_price(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  if (call.members[quantity].integer * said.sale.terms.unit_price > limits::amount) {
    return call.refuse(BadInput{Code::invalid_field, "quantity",
                                "quantity times the sale's unit_price must be at most 9007199254740991."});
  }
  call.ask(command_of(call, *read_idempotency_key(call.request(), call.decoded_key)), answer);
}

}  // namespace

void reserve(Call& call) {
  static_assert(limits::quantity <= std::numeric_limits<Money>::max() / limits::unit_price);
  if (!call.read_body(rules, EmptyBody::refused)) return;
  const auto key = read_idempotency_key(call.request(), call.decoded_key);
  if (!key && call.request().idempotency_keys > 1)
    return call.refuse(Code::invalid_idempotency_key, {.detail = "The header Idempotency-Key may come once."});
  if (!key) return call.refuse(Code::invalid_idempotency_key);
  if (!fits_sale_id(call.parameter)) return call.refuse(Code::sale_not_found);
  if (call.members[quantity].integer > always_affordable)
    return call.ask(GetSale{std::string(call.parameter)}, reserve_at_known_price);
  call.ask(command_of(call, *key), answer);
}

}  // namespace firstcome::api
