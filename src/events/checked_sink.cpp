#include "events/checked_sink.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

namespace firstcome::events {

std::vector<Memory> memories_of(const std::vector<Told>& told, engine::ReservationIds& ids) {
  std::vector<Memory> memories;
  for (const Told& one : told) {
    const auto id = ids.read(one.reservation);
    if (!id || id->sale != one.handle || id->told.number != one.number)
      continue;  // of another store, or of no reservation
    memories.push_back({.sale = one.handle,
                        .sale_id = one.sale,
                        .incarnation = one.incarnation,
                        .sequence = one.sequence,
                        .number_incarnation = id->told.incarnation,
                        .number = one.number});
  }
  return memories;
}

PastCheck::PastCheck(Engine& engine, engine::ReservationIds ids, Witness witness)
    : caller_(engine), ids_(std::move(ids)), witness_(std::move(witness)) {}

std::expected<PastCheck::Found, std::string> PastCheck::run(const std::stop_token& stop) {
  const auto told = witness_.ask(stop);
  if (!told && witness_.need == Witness::Need::needed) return std::unexpected(told.error());
  if (!told) {
    spdlog::warn("{} cannot be asked whether the store has lost part of its past: {}", witness_.name, told.error());
    return Found::nothing;
  }
  auto memories = memories_of(*told, ids_);
  // Of a sale the lower come first, also where they are asked about in different questions.
  std::ranges::sort(memories, {},
                    [](const Memory& memory) { return std::tuple(memory.sale, memory.number, memory.sequence); });
  auto found = Found::nothing;
  for (std::span<Memory> rest = memories; !rest.empty();) {
    if (stop.stop_requested()) return std::unexpected("stopped");
    const auto some = rest.first(std::min(rest.size(), memories_at_once));
    rest = rest.subspan(some.size());
    const auto compared = caller_.ask(
        ComparePast{witness_.name, {std::make_move_iterator(some.begin()), std::make_move_iterator(some.end())}});
    if (!compared && compared.error().code == FailureCode::not_supported) return Found::nothing;  // it keeps no account
    if (!compared) return std::unexpected(compared.error().detail);
    if (compared->outcome == Outcome::done) found = Found::loss;
  }
  return found;
}

CheckedSink::CheckedSink(std::unique_ptr<EventSink> sink, std::unique_ptr<PastCheck> check)
    : sink_(std::move(sink)), check_(std::move(check)) {}

std::expected<PastCheck::Found, std::string> CheckedSink::check_now(const std::stop_token& stop) {
  auto found = check_->run(stop);
  checked_ = found.has_value();
  return found;
}

/// The events were read before the check. Where that has found a loss they must be told with other sequences, so the
/// caller, who brings them again, is made to read them again.
std::expected<void, std::string> CheckedSink::deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                                      const std::stop_token& stop) {
  if (!checked_) {
    const auto found = check_now(stop);
    if (!checked_) return std::unexpected(found.error());
    if (found && *found == PastCheck::Found::loss) return std::unexpected("the store has lost part of its past");
  }
  auto delivered = sink_->deliver(events, levels, stop);
  if (!delivered && check_->witness().need == Witness::Need::needed) checked_ = false;
  return delivered;
}

}  // namespace firstcome::events
