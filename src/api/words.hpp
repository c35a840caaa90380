// The strings that users see for our enumerations. A state is written with `_` as in the glossary, a reason and a code
// with `-`.
//
// Thread safety: all functions are pure.
#pragma once

#include <firstcome/command.hpp>
#include <firstcome/sale.hpp>

#include <optional>
#include <string_view>

namespace firstcome::api {

std::string_view word(SaleKind kind);
std::string_view word(SaleState state);
std::string_view word(ReservationState state);
/// REQUIRES: not `none`, which is shown as null.
std::string_view word(Reason reason);
/// `client` or `auto`.
std::string_view word(PaymentMode mode);

std::optional<SaleKind> read_kind(std::string_view text);
std::optional<PaymentMode> read_payment_mode(std::string_view text);
/// What a PATCH may make of a sale: `open`, `paused` or `closed`.
std::optional<PatchSale::State> read_said_state(std::string_view text);

}  // namespace firstcome::api
