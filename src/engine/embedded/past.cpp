// Incarnations of the embedded store, and what it finds that it has lost.
//
// Every start is a new incarnation: the file may be a backup, or a copy that is served elsewhere too, and nothing in it
// could tell. Where a witness knows more than the store, the loss is noted, and numbers and sequences go on above it.
#include "engine/past.hpp"

#include "engine/embedded/embedded_impl.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::chrono::seconds patience_at_start{10};

/// Nothing: the system has no random numbers.
std::optional<Incarnation> random_incarnation() {
  std::uint32_t number = 0;
  std::array<unsigned char, sizeof number> bytes{};
  while (number == 0) {
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return std::nullopt;
    std::memcpy(&number, bytes.data(), bytes.size());
  }
  return Incarnation{number};
}

std::vector<Memory> in_order(std::vector<Memory> memories) {
  std::ranges::sort(memories, {},
                    [](const Memory& memory) { return std::tuple(memory.sale, memory.number, memory.sequence); });
  return memories;
}

Failure unwritable(const Written& written) {
  return {FailureCode::store_unavailable,
          fmt::format("the store cannot be written: {} (SQLite error {})", written.error.text, written.error.code)};
}

}  // namespace

std::expected<void, Failure> EmbeddedEngine::Impl::begin_incarnation() {
  const auto incarnation = random_incarnation();
  if (!incarnation) return std::unexpected(Failure{FailureCode::store_unavailable, "no random numbers are to be had"});
  PastChanges changes;
  changes.now = last_now;
  changes.incarnation = *incarnation;
  changes.first_sale = SaleHandle{value(ledger.last_handle()) + 1};
  for (const SaleHandle sale : ledger.sales()) {
    const sale::SaleRecord record = ledger.record_of(sale);
    Era era = past.incarnations.last_of(sale);
    era.after_number = record.last_number;
    era.after_sequence = record.events;
    era.incarnation = *incarnation;
    changes.eras.push_back(era);
  }
  // Another program may have the file's write lock for a while, as `sqlite3 firstcome.db VACUUM` does.
  const SteadyTime until = std::chrono::steady_clock::now() + patience_at_start;
  Written written = change_past(changes);
  while (written.fate == Fate::locked_out && std::chrono::steady_clock::now() < until) written = change_past(changes);
  if (written.fate != Fate::committed) return std::unexpected(unwritable(written));
  written = store.forget_deleted();  // where that is locked out, the next start does it
  if (written.fate != Fate::committed && written.fate != Fate::locked_out) return std::unexpected(unwritable(written));
  return {};
}

/// Stores the changes, then has them in force.
Written EmbeddedEngine::Impl::change_past(PastChanges changes) {
  Written written = store.write_past(changes);
  if (written.fate != Fate::committed) return written;
  past.incarnations.begin(changes.incarnation, changes.first_sale);
  for (const Era& era : changes.eras) past.incarnations.begin(era);
  for (auto& [place, loss] : changes.losses) {
    if (place >= past.losses.size()) past.losses.resize(place + 1);
    past.losses_by_sale.add(loss);
    past.losses[place] = std::move(loss);
  }
  ledger.restore_last_handle(SaleHandle{value(changes.first_sale) - 1});
  identity->set(past.incarnations);
  note_losses();
  return written;
}

/// Says in `readiness` and in the figures what no operator has settled yet, and in `readiness` which sale is
/// unreadable.
void EmbeddedEngine::Impl::note_losses() {
  const auto open = std::ranges::count_if(past.losses, [](const Loss& loss) { return !loss.settled; });
  counted.losses = static_cast<std::uint64_t>(open);
  const std::lock_guard guard(trouble_mutex);
  notice = open == 0 ? std::string() : text_of_losses(static_cast<std::size_t>(open));
  if (!unreadable.empty()) notice += (notice.empty() ? "" : "; ") + unreadable.begin()->second;
}

std::expected<Answer, Failure> EmbeddedEngine::Impl::apply_to_past(const ComparePast& command) {
  LossesAnswer answer;
  PastChanges changes;
  changes.now = last_now;
  changes.first_sale = SaleHandle{value(ledger.last_handle()) + 1};
  Incarnations so_far = past.incarnations;
  for (const Memory& memory : in_order(command.memories)) {
    const bool is_here = ledger.knows(memory.sale);
    const sale::SaleRecord record = is_here ? ledger.record_of(memory.sale) : sale::SaleRecord{};
    const Reached reached{record.last_number, record.events, delivered_since_start() ? record.events : 0};
    const auto known = past.losses_by_sale.of(memory.sale);
    if (!is_possible(so_far, reached, memory)) {
      spdlog::error("{}", text_of_impossible(memory, command.witness));
      if (memory.sale > ledger.last_handle())  // its id proves that it was there, whatever the row says
        changes.first_sale = std::max(changes.first_sale, SaleHandle{value(memory.sale) + 1});
    } else if (memory.sale > ledger.last_handle() || (is_here && record.terms.id != memory.sale_id)) {
      if (auto loss = find_lost_sale(memory, known)) answer.items.push_back(std::move(*loss));
      changes.first_sale = std::max(changes.first_sale, SaleHandle{value(memory.sale) + 1});
    } else if (is_here) {
      auto found = find_loss(so_far, reached, memory, known);
      if (!found) continue;
      answer.items.push_back(std::move(found->loss));
      changes.eras.push_back(found->era);
      so_far.begin(found->era);
    }
  }
  if (answer.items.empty()) {
    answer.outcome = Outcome::unchanged;
    return Answer{std::move(answer)};
  }
  const auto incarnation = random_incarnation();
  if (!incarnation) return std::unexpected(Failure{FailureCode::store_unavailable, "no random numbers are to be had"});
  changes.incarnation = *incarnation;
  for (Era& era : changes.eras) era.incarnation = *incarnation;
  for (Loss& loss : answer.items) {
    loss.witness = command.witness;
    loss.found_at = last_now;
    changes.losses.emplace_back(past.losses.size() + changes.losses.size(), loss);
  }
  if (auto written = change_past(std::move(changes)); written.fate != Fate::committed) {
    if (written.fate != Fate::locked_out) handle_failed_write(written);  // who is locked out may ask again
    return std::unexpected(unwritable(written));
  }
  for (const Loss& loss : answer.items) spdlog::error("{}", text_of(loss));
  return Answer{std::move(answer)};
}

std::expected<Answer, Failure> EmbeddedEngine::Impl::apply_to_past(const SettleLosses& command) {
  LossesAnswer answer;
  PastChanges changes;
  changes.now = last_now;
  for (std::size_t i = 0; i < past.losses.size(); ++i) {
    if (past.losses[i].settled) continue;
    Loss loss = past.losses[i];
    loss.settled = {last_now, command.by, command.reason};
    answer.items.push_back(loss);
    changes.losses.emplace_back(i, std::move(loss));
  }
  if (answer.items.empty()) {
    answer.outcome = Outcome::unchanged;
    return Answer{std::move(answer)};
  }
  const Written written = store.write_past(changes);
  if (written.fate != Fate::committed) {
    if (written.fate != Fate::locked_out) handle_failed_write(written);  // who is locked out may ask again
    return std::unexpected(unwritable(written));
  }
  for (auto& [place, loss] : changes.losses) past.losses[place] = std::move(loss);
  note_losses();
  spdlog::info("{} losses are settled, says {}: {}", answer.items.size(), command.by, command.reason);
  return Answer{std::move(answer)};
}

std::expected<Answer, Failure> EmbeddedEngine::Impl::apply_to_past(const ListLosses&) const {
  return Answer{LossesAnswer{.items = past.losses}};
}

/// Events that were not delivered may still change their sequences.
bool EmbeddedEngine::Impl::delivered_since_start() const { return store.outbox().delivered > delivered_at_start; }

}  // namespace firstcome::engine
