// POST /v1/reservations/{id}/payment.
//
// The charge runs on another thread for as long as the gateway takes. The exchange, and with it the call, lives until
// it is answered, so the outcome finds it again after the hop back to the server's thread.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/views_json.hpp"
#include "payment/cashier.hpp"

#include <utility>

namespace firstcome::api {

namespace {

void answer(Call& call, const payment::PaymentResult& result) {
  if (!result) return call.refuse(code_of(result.error().code));
  if (result->outcome != Outcome::done && result->outcome != Outcome::unchanged)
    return call.refuse(code_of(result->outcome));
  net::JsonWriter json(call.out);
  write_reservation(json, result->reservation, call.context().ids);
  call.respond(200);
}

void pay(Call& call, ReservationRef ref) {
  if (call.context().cashier == nullptr)
    return call.refuse(Code::not_supported, {.detail = "No payment gateway is attached to this server."});
  call.context().cashier->pay(ref, BeginPayment::By::client, [&call](payment::PaymentResult result) {
    call.context().post([&call, result = std::move(result)] { call.later([&] { answer(call, result); }); });
  });
}

}  // namespace

void pay_reservation(Call& call) {
  if (!call.read_body({}, EmptyBody::is_empty_object)) return;
  call.with_reservation(pay);
}

}  // namespace firstcome::api
