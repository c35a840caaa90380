// Whether this node can decide. It is not ready where the store does not answer, and where a sale is in trouble; and
// after an outage it is ready again only when the calls that were made in the outage have ended, whatever became of
// them: one that fails as late as that makes its sale refuse for a moment, and a customer who came because the node
// said that it is ready must not meet that.
#include "engine/redis/redis_core.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds watch_pause{1'000};
constexpr milliseconds watch_pause_in_trouble{250};
constexpr std::uint64_t most_reservations_that_move = 200'000;
constexpr std::uint64_t move_us_per_reservation = 7;

}  // namespace

/// Looks whether the store is still there, and opens a desk for every sale of it, so that holds end whoever is alive.
void RedisCore::watch() {
  registry_.refresh(deadline_from_now(), [this, asked_at = SteadyClock::now()](std::expected<void, Failure> result) {
    if (result) open_missing_desks();
    if (result) finish_erasing();
    note_store(asked_at, result);
    tell_readiness();
    rescue_payments();
    let_retired_go();
    watch_timer_.expires_after(is_ready_ ? watch_pause : watch_pause_in_trouble);
    watch_timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
      if (!error && !alive.expired()) watch();
    });
  });
}

void RedisCore::open_missing_desks() {
  for (const auto& [id, sale] : registry_.sales()) {
    if (sale.phase == SalePhase::open && !desks_.contains(value(sale.handle))) {
      with_desk(sale.handle, [](const DeskOr&) {});
    }
  }
  // Of sales that another node has deleted.
  std::erase_if(troubles_, [this](const auto& one) {
    return !desks_.contains(one.first) && registry_.id_of(SaleHandle{one.first}).empty();
  });
}

/// Told at once where it is the first of them; that all are over is seen by the next look.
void RedisCore::note_trouble(SaleHandle handle, const std::string& trouble) {
  if (trouble.empty()) {
    troubles_.erase(value(handle));
    return;
  }
  troubles_.insert_or_assign(value(handle), trouble);
  if (is_ready_) tell_readiness();
}

void RedisCore::note_store(SteadyTime asked_at, const std::expected<void, Failure>& store) {
  const bool was_lost = !store_;
  seen_ = store;
  answers_since_ = store ? std::min(answers_since_, asked_at) : SteadyTime::max();
  if (store) store_ = {};
  if (store || store.error().code != FailureCode::store_lost) return;
  store_ = store;
  if (!was_lost) spdlog::error("{}", store.error().detail);
}

/// Whether no call from before the store answered is under way.
bool RedisCore::has_settled() const {
  return std::ranges::none_of(desks_, [this](const auto& one) { return one.second->calls_since() < answers_since_; });
}

void RedisCore::tell_readiness() {
  const bool was_ready = std::exchange(is_ready_, false);
  if (!seen_) return events_.readiness({false, seen_.error().detail});
  if (!troubles_.empty()) return events_.readiness({false, troubles_.begin()->second});
  if (!was_ready && !has_settled())
    return events_.readiness({false, "Redis: answers again; earlier calls have not ended yet"});
  is_ready_ = true;
  events_.readiness({true, warning()});
}

/// What an operator should know although everything works.
std::string RedisCore::warning() const {
  if (const std::size_t losses = past_.open_losses(); losses > 0) return text_of_losses(losses);
  if (options_.servers == RedisCoreOptions::Servers::one) return {};
  for (const auto& [handle, desk] : desks_) {
    const std::uint64_t stored = desk->head().sale.last;
    if (stored <= most_reservations_that_move) continue;
    return fmt::format(
        "sale {} has {} stored reservations: moving its slot to another server would stop both servers for about {} ms",
        desk->sale().terms.id, stored, stored * move_us_per_reservation / 1'000);
  }
  return {};
}

}  // namespace firstcome::engine
