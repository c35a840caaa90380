// What each route does: reads the request into a command, asks the engine, writes the answer. Thin, one function each.
#pragma once

namespace firstcome::api {

class Call;

// reserve.cpp
void reserve(Call& call);

// reservations.cpp
void get_reservation(Call& call);
void list_reservations(Call& call);
void confirm_reservation(Call& call);
void cancel_reservation(Call& call);
void return_reservation(Call& call);
void extend_reservation(Call& call);
void transfer_reservation(Call& call);
void fulfil_reservation(Call& call);

// pay.cpp
void pay_reservation(Call& call);

// sales.cpp
void create_sale(Call& call);
void list_sales(Call& call);
void get_sale(Call& call);
void patch_sale(Call& call);
void delete_sale(Call& call);

// locks.cpp
void acquire_lock(Call& call);
void renew_lock(Call& call);
void release_lock(Call& call);
void inspect_lock(Call& call);
void free_lock(Call& call);

// orders.cpp
void get_order(Call& call);
void list_orders(Call& call);
void audit_sale(Call& call);

// losses.cpp
void list_losses(Call& call);
void settle_losses(Call& call);

// operations.cpp
void list_events(Call& call);
void healthz(Call& call);
void readyz(Call& call);
void metrics(Call& call);
void openapi(Call& call);

}  // namespace firstcome::api
