// POST /v1/reservations/{id}/payment.
#include "api/call.hpp"
#include "api/handlers.hpp"

namespace firstcome::api {

void pay_reservation(Call& call) {
  if (!call.read_body({}, EmptyBody::is_empty_object)) return;
  if (const auto ref = call.reservation())
    call.refuse(Code::not_supported, {.detail = "No payment gateway is attached to this server."});
}

}  // namespace firstcome::api
