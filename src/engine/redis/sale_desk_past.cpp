// What a desk does where its sale may know less than this node was answered: see redis_past.hpp.
#include "engine/redis/sale_desk.hpp"

#include <spdlog/spdlog.h>

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
  auto before = office_.past.identity()->incarnations();
  office_.past.look(std::move(question), call_deadline_,
                    [weak = weak_from_this(), began, before = std::move(before),
                     then = std::move(then)](std::expected<PastFound, Failure> found) mutable {
                      const auto self = weak.lock();
                      if (!self) return;
                      if (!found && found.error().code == FailureCode::store_lost) return self->missing();
                      if (!found && SteadyClock::now() < self->call_deadline_) return self->again_soon();
                      if (!found) return self->give_up(found.error().detail, found.error().code);
                      self->looked_at_ = began;
                      self->drop_lost(*before);
                      if (found->has_lost_answers) self->tell_rollback();
                      then();
                    });
}

/// Those who wait came with ids of a past that was lost meanwhile: by now the numbers are, or will be, of others. A
/// call that may have run already stays as it is.
void SaleDesk::drop_lost(const Incarnations& before) {
  const auto now = office_.past.identity()->incarnations();
  const auto take_from = [&](auto& entries) {
    std::erase_if(entries, [&](Entry& entry) {
      const auto ref = entry.operation == nullptr ? std::nullopt : ref_of(entry.operation->command);
      if (!ref) return false;
      const ToldNumber told = before.told(*ref);
      if (told.incarnation == no_incarnation || told == now->told(*ref)) return false;
      tell_not_found(entry);
      return true;
    });
  };
  if (fate_ == Fate::nothing_ran) take_from(under_way_);
  take_from(line_);
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
