// What a desk does where its sale may know less than this node was answered: see redis_past.hpp.
#include "engine/redis/sale_desk.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

std::optional<ReservationRef> ref_of(const Command& command) {
  return std::visit(
      [](const auto& one) -> std::optional<ReservationRef> {
        if constexpr (requires { one.ref; }) {
          return one.ref;
        } else {
          return std::nullopt;
        }
      },
      command);
}

}  // namespace

/// Asks which incarnation the sale has by now, and tells it what this node remembers; then goes on with the call under
/// way.
void SaleDesk::look_at_past(std::optional<Instant> forgotten_call, std::move_only_function<void()> then) {
  PastQuestion question{.sale = sale_->handle, .sale_id = sale_->terms.id, .witness = "the servers"};
  question.forgotten_call = forgotten_call;
  if (memory_) {
    question.memories.push_back(*memory_);
    question.memories.back().sale_id = sale_->terms.id;
  }
  const SteadyTime began = SteadyClock::now();
  office_.past.look(
      std::move(question), call_deadline_,
      [weak = weak_from_this(), began, then = std::move(then)](std::expected<PastFound, Failure> found) mutable {
        const auto self = weak.lock();
        if (!self) return;
        if (!found && found.error().code == FailureCode::store_lost) return self->missing();
        if (!found && SteadyClock::now() < self->call_deadline_) return self->again_soon();
        if (!found) return self->give_up(found.error().detail, found.error().code);
        self->looked_at_ = began;
        if (found->has_lost_answers) self->tell_rollback();
        then();
      });
}

ToldNumber SaleDesk::told_now(const Entry& entry) const {
  const auto ref = entry.operation == nullptr ? std::nullopt : ref_of(entry.operation->command);
  return ref ? office_.past.told(*ref) : ToldNumber{};
}

/// Some who are to be sent came with ids of a past that was lost meanwhile, whoever found that out: by now the numbers
/// are, or will be, of others. Where the call may have run already, nobody knows what became of the rest of it.
void SaleDesk::drop_lost() {
  const auto is_lost = [this](const Entry& entry) {
    return entry.told.incarnation != no_incarnation && entry.told != told_now(entry);
  };
  if (std::ranges::none_of(under_way_, is_lost)) return;
  std::vector<Entry> rest;
  for (Entry& entry : std::exchange(under_way_, {})) {
    if (is_lost(entry)) {
      tell_not_found(entry);
    } else {
      rest.push_back(std::move(entry));
    }
  }
  under_way_ = std::move(rest);
  if (fate_ == Fate::may_have_run) {
    fail_batch({FailureCode::outcome_unknown, "the store has lost part of its past while it was asked"});
    fate_ = Fate::nothing_ran;
    ++sequence_;  // it is another call
  }
  office_.flush();
}

/// The sale remembers less than this node was answered: its store went back, or it has forgotten a node that was quiet
/// for long.
void SaleDesk::is_behind() {
  look_at_past(kept_at_, [this] {
    answered_ = 0;
    send();
  });
}

/// Another node has begun an incarnation while this one's connection stayed up. The call has not run.
void SaleDesk::has_changed() {
  look_at_past({}, [this] { send(); });
}

void SaleDesk::tell_rollback() {
  ++office_.rollbacks;
  spdlog::error("sale {}: the store has forgotten answers that were given", sale_->terms.id);
}

}  // namespace firstcome::engine
