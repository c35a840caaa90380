#include "api/words.hpp"

#include <array>
#include <cassert>

namespace firstcome::api {

namespace {

template <class Enum>
struct Word {
  Enum value;
  std::string_view text;
};

template <class Enum, std::size_t size>
std::string_view text_of(const std::array<Word<Enum>, size>& words, Enum value) {
  for (const auto& word : words)
    if (word.value == value) return word.text;
  assert(!"a value without a word");
  return "?";
}

template <class Enum, std::size_t size>
std::optional<Enum> value_of(const std::array<Word<Enum>, size>& words, std::string_view text) {
  for (const auto& word : words)
    if (word.text == text) return word.value;
  return std::nullopt;
}

constexpr auto kinds = std::to_array<Word<SaleKind>>({
    {SaleKind::product, "product"},
    {SaleKind::ticket, "ticket"},
    {SaleKind::coupon, "coupon"},
});

constexpr auto sale_states = std::to_array<Word<SaleState>>({
    {SaleState::closed, "closed"},
    {SaleState::scheduled, "scheduled"},
    {SaleState::paused, "paused"},
    {SaleState::sold_out, "sold_out"},
    {SaleState::open, "open"},
});

constexpr auto said_states = std::to_array<Word<PatchSale::State>>({
    {PatchSale::State::open, "open"},
    {PatchSale::State::paused, "paused"},
    {PatchSale::State::closed, "closed"},
});

constexpr auto reservation_states = std::to_array<Word<ReservationState>>({
    {ReservationState::queued, "queued"},
    {ReservationState::held, "held"},
    {ReservationState::confirmed, "confirmed"},
    {ReservationState::cancelled, "cancelled"},
    {ReservationState::expired, "expired"},
    {ReservationState::refused, "refused"},
    {ReservationState::paid_unfulfilled, "paid_unfulfilled"},
    {ReservationState::returned, "returned"},
});

constexpr auto reasons = std::to_array<Word<Reason>>({
    {Reason::payment_failed, "payment-failed"},
    {Reason::payment_refused, "payment-refused"},
    {Reason::by_customer, "by-customer"},
    {Reason::sold_out, "sold-out"},
    {Reason::sale_closed, "sale-closed"},
});

constexpr auto payment_modes = std::to_array<Word<PaymentMode>>({
    {PaymentMode::client, "client"},
    {PaymentMode::automatic, "auto"},
});

}  // namespace

std::string_view word(SaleKind kind) { return text_of(kinds, kind); }
std::string_view word(SaleState state) { return text_of(sale_states, state); }
std::string_view word(ReservationState state) { return text_of(reservation_states, state); }
std::string_view word(Reason reason) { return text_of(reasons, reason); }
std::string_view word(PaymentMode mode) { return text_of(payment_modes, mode); }

std::optional<SaleKind> read_kind(std::string_view text) { return value_of(kinds, text); }
std::optional<PaymentMode> read_payment_mode(std::string_view text) { return value_of(payment_modes, text); }
std::optional<PatchSale::State> read_said_state(std::string_view text) { return value_of(said_states, text); }

}  // namespace firstcome::api
