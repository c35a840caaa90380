// Asks the order database from a handler.
//
// The database is asked on another thread. The exchange, and with it the call, lives until it is answered, so what was
// found comes back to it over the hop to the server's thread.
#pragma once

#include "api/call.hpp"
#include "events/order_lookup.hpp"

#include <optional>
#include <utility>

namespace firstcome::api {

/// Asks the order database with `look` and answers with `tell`. Answered here: no database, a database in trouble.
template <class Found>
void look_up(Call& call, std::move_only_function<events::OrderStore::Result<Found>(events::OrderStore&)> look,
             void (*tell)(Call&, Found)) {
  events::OrderLookup* const orders = call.context().orders;
  if (orders == nullptr)
    return call.refuse(Code::not_supported, {.detail = "No order service is attached to this server."});
  const auto asked = orders->ask(
      [&call, tell, look = std::move(look)](const std::expected<events::OrderStore*, std::string>& store) mutable {
        std::optional<Found> found;  // nothing: a database in trouble, which is told in the log
        if (store) {
          if (auto looked = look(**store)) found = std::move(*looked);
        }
        call.context().post([&call, tell, found = std::move(found)]() mutable {
          call.later([&] {
            if (!found) return call.refuse(Code::store_unavailable);
            tell(call, std::move(*found));
          });
        });
      });
  if (asked == events::OrderLookup::Asked::too_many) call.refuse(Code::overloaded);
}

}  // namespace firstcome::api
