#include "events/event.hpp"

#include <algorithm>
#include <array>

namespace firstcome::events {
namespace {

struct Word {
  EventType type;
  std::string_view text;
};

constexpr auto words = std::to_array<Word>({
    {EventType::sale_created, "sale-created"},
    {EventType::stock_changed, "stock-changed"},
    {EventType::sale_changed, "sale-changed"},
    {EventType::sale_closed, "sale-closed"},
    {EventType::waiting_refused, "waiting-refused"},
    {EventType::sale_paused, "sale-paused"},
    {EventType::sale_resumed, "sale-resumed"},
    {EventType::reservation_queued, "reservation-queued"},
    {EventType::reservation_held, "reservation-held"},
    {EventType::reservation_confirmed, "reservation-confirmed"},
    {EventType::reservation_cancelled, "reservation-cancelled"},
    {EventType::reservation_expired, "reservation-expired"},
    {EventType::reservation_refused, "reservation-refused"},
    {EventType::reservation_returned, "reservation-returned"},
    {EventType::reservation_paid_unfulfilled, "reservation-paid-unfulfilled"},
    {EventType::reservation_amended, "reservation-amended"},
    {EventType::reservation_transferred, "reservation-transferred"},
    {EventType::reservation_extended, "reservation-extended"},
    {EventType::hold_transferred, "hold-transferred"},
    {EventType::payment_begun, "payment-begun"},
    {EventType::payment_failed, "payment-failed"},
    {EventType::payment_refused, "payment-refused"},
    {EventType::payment_unreachable, "payment-unreachable"},
    {EventType::refund_due, "refund-due"},
    {EventType::refund_done, "refund-done"},
});

}  // namespace

std::string_view word(EventType type) {
  const auto found = std::ranges::find(words, type, &Word::type);
  return found == words.end() ? std::string_view("unknown") : found->text;
}

std::optional<EventType> event_type_of(std::string_view text) {
  const auto found = std::ranges::find(words, text, &Word::text);
  if (found == words.end()) return std::nullopt;
  return found->type;
}

}  // namespace firstcome::events
