// The endpoints of reservations that are there already.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

#include <firstcome/limits.hpp>

#include <array>

namespace firstcome::api {

namespace {

bool is_yes(Outcome outcome) { return outcome == Outcome::done || outcome == Outcome::unchanged; }

void refuse(Call& call, const ReservationAnswer& said) {
  std::string_view left_is;
  if (said.outcome == Outcome::limit_exceeded) left_is = "left";
  if (said.outcome == Outcome::not_enough) left_is = "available";
  if (said.outcome == Outcome::reservation_changed) left_is = "quantity";
  const ProblemMember left{left_is, said.left};
  call.refuse(code_of(said.outcome), {.members = {&left, left_is.empty() ? 0U : 1U}});
}

/// 200 with the reservation as it is now, or the refusal.
void answer(Call& call) {
  const auto& said = call.said<ReservationAnswer>();
  if (!is_yes(said.outcome)) return refuse(call, said);
  net::JsonWriter json(call.out);
  write_reservation(json, said.reservation, call.context().ids);
  call.respond(200);
}

void answer_list(Call& call) {
  const auto said = call.take<ReservationsAnswer>();
  if (!is_yes(said.outcome)) return call.refuse(code_of(said.outcome));
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("items");
  json.begin_array();
  for (const ReservationView& item : said.items) write_reservation(json, item, call.context().ids);
  json.end_array();
  json.key("next");
  value(said.next) == 0 ? json.null() : json.string(std::to_string(value(said.next)));
  json.end_object();
  call.respond(200);
}

constexpr auto confirm_rules = std::to_array<MemberRule>({
    {.path = "payment_id",
     .need = Need::required,
     .rule = "1 to 128 bytes without control characters",
     .fits = fits_payment_id},
});

constexpr auto return_rules = std::to_array<MemberRule>({
    {.path = "quantity",
     .type = JsonType::integer,
     .rule = "an integer from 1 to 1000000, without fraction or exponent",
     .min = 1,
     .max = limits::quantity},
    {.path = "if_quantity",
     .type = JsonType::integer,
     .rule = "an integer from 1 to 1000000, without fraction or exponent",
     .min = 1,
     .max = limits::quantity},
});

constexpr auto extend_rules = std::to_array<MemberRule>({
    {.path = "ms",
     .type = JsonType::integer,
     .need = Need::required,
     .rule = "an integer from 1 to 86400000, in milliseconds",
     .min = 1,
     .max = limits::extend.count()},
});

constexpr auto transfer_rules = std::to_array<MemberRule>({
    {.path = "customer",
     .need = Need::required,
     .rule = "1 to 128 bytes without control characters",
     .fits = fits_customer},
});

}  // namespace

void get_reservation(Call& call) {
  call.with_reservation([](Call& found, ReservationRef ref) { found.ask(GetReservation{ref}, answer); });
}

void list_reservations(Call& call) {
  if (!fits_sale_id(call.parameter)) return call.refuse(Code::sale_not_found);
  ListReservations command;
  command.sale = call.parameter;
  command.customer = call.query.customer;
  command.after = Number{call.query.after_as_number};
  command.limit = call.query.limit;
  call.ask(std::move(command), answer_list);
}

void confirm_reservation(Call& call) {
  if (!call.read_body(confirm_rules, EmptyBody::is_empty_object)) return;
  call.with_reservation(
      [](Call& found, ReservationRef ref) { found.ask(Confirm{ref, std::string(found.members[0].text)}, answer); });
}

void cancel_reservation(Call& call) {
  if (!call.read_body({}, EmptyBody::is_empty_object)) return;
  call.with_reservation([](Call& found, ReservationRef ref) { found.ask(Cancel{ref}, answer); });
}

void return_reservation(Call& call) {
  if (!call.read_body(return_rules, EmptyBody::is_empty_object)) return;
  call.with_reservation([](Call& found, ReservationRef ref) {
    Return command{ref};
    if (found.members[0]) command.quantity = found.members[0].integer;
    if (found.members[1]) command.if_quantity = found.members[1].integer;
    found.ask(command, answer);
  });
}

void extend_reservation(Call& call) {
  if (!call.read_body(extend_rules, EmptyBody::is_empty_object)) return;
  call.with_reservation(
      [](Call& found, ReservationRef ref) { found.ask(Extend{ref, Milliseconds{found.members[0].integer}}, answer); });
}

void transfer_reservation(Call& call) {
  if (!call.read_body(transfer_rules, EmptyBody::is_empty_object)) return;
  call.with_reservation(
      [](Call& found, ReservationRef ref) { found.ask(Transfer{ref, std::string(found.members[0].text)}, answer); });
}

void fulfil_reservation(Call& call) {
  if (!call.read_body({}, EmptyBody::is_empty_object)) return;
  call.with_reservation([](Call& found, ReservationRef ref) { found.ask(Fulfil{ref}, answer); });
}

}  // namespace firstcome::api
