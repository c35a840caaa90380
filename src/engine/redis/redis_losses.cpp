// What is asked about the past of the sales: one sale is looked at after the other.
#include "engine/redis/redis_core.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace firstcome::engine {

/// The sales that an operation is about, and what was found so far.
struct RedisCore::PastTour {
  Operation& operation;
  std::vector<PastQuestion> questions;
  std::size_t next = 0;
  LossesAnswer answer = {};
};

/// Of the sales that this store has. One that it has not, or that has another name by now, is no loss that could be
/// noted anywhere: its ids are of an incarnation that no other sale has.
void RedisCore::compare_past(Operation& operation, const ComparePast& command) {
  registry_.refresh(deadline_from_now(), [this, &operation, command](const std::expected<void, Failure>& result) {
    if (!result) return complete_now(operation, std::unexpected(result.error()));
    std::map<SaleHandle, PastQuestion> questions;
    for (const Memory& memory : command.memories) {
      const RegisteredSale* const sale = registry_.find(memory.sale_id);
      if (sale == nullptr || sale->handle != memory.sale || sale->phase != SalePhase::open) continue;
      PastQuestion& question = questions[memory.sale];
      question.sale = memory.sale;
      question.sale_id = memory.sale_id;
      question.witness = command.witness;
      question.memories.push_back(memory);
    }
    std::vector<PastQuestion> all;
    for (auto& [handle, question] : questions) {
      std::ranges::sort(question.memories, {},
                        [](const Memory& memory) { return std::pair(memory.number, memory.sequence); });
      all.push_back(std::move(question));
    }
    ask_all(operation, std::move(all));
  });
}

void RedisCore::list_losses(Operation& operation) {
  registry_.refresh(deadline_from_now(), [this, &operation](const std::expected<void, Failure>& result) {
    if (!result) return complete_now(operation, std::unexpected(result.error()));
    std::vector<PastQuestion> questions;
    for (const auto& [id, sale] : registry_.sales()) {
      if (sale.phase == SalePhase::open) questions.push_back({.sale = sale.handle, .sale_id = id});
    }
    ask_all(operation, std::move(questions));
  });
}

void RedisCore::settle_losses(Operation& operation, const SettleLosses& command) {
  registry_.refresh(deadline_from_now(), [this, &operation, command](const std::expected<void, Failure>& result) {
    if (!result) return complete_now(operation, std::unexpected(result.error()));
    std::vector<PastQuestion> questions;
    for (const auto& [id, sale] : registry_.sales()) {
      if (sale.phase != SalePhase::open) continue;
      questions.push_back({.sale = sale.handle,
                           .sale_id = id,
                           .settle = Loss::Settled{.at = {}, .by = command.by, .reason = command.reason}});
    }
    ask_all(operation, std::move(questions));
  });
}

void RedisCore::ask_all(Operation& operation, std::vector<PastQuestion> questions) {
  ask_next(std::make_shared<PastTour>(PastTour{.operation = operation, .questions = std::move(questions)}));
}

void RedisCore::ask_next(const std::shared_ptr<PastTour>& tour) {
  if (tour->next == tour->questions.size()) {
    const bool lists = std::holds_alternative<ListLosses>(tour->operation.command);
    tour->answer.outcome = lists || !tour->answer.items.empty() ? Outcome::done : Outcome::unchanged;
    return complete_now(tour->operation, std::move(tour->answer));
  }
  past_.look(std::move(tour->questions[tour->next++]), deadline_from_now(),
             [this, tour](std::expected<PastFound, Failure> found) {
               if (!found) return complete_now(tour->operation, std::unexpected(found.error()));
               const bool lists = std::holds_alternative<ListLosses>(tour->operation.command);
               std::ranges::move(lists ? found->all : found->now, std::back_inserter(tour->answer.items));
               ask_next(tour);
             });
}

}  // namespace firstcome::engine
