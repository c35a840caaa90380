// Creating, deleting, listing and auditing sales.
//
// Creating is three steps: the list gives a handle, the sale's keys are made, the list calls it open. Each can be done
// again, so whoever finds it half done goes on. Deleting is the same backwards.
#include "engine/redis/past_codec.hpp"
#include "engine/redis/redis_core.hpp"
#include "engine/redis/sale_scripts.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace firstcome::engine {
namespace {

constexpr int erasing_lasts = 5;  // times the patience that a request has

}  // namespace

// --- create ---

void RedisCore::create(Operation& operation, const CreateSale& command) {
  registry_.enter(command.terms.id, deadline_from_now(),
                  [this, &operation](std::expected<RegisteredSale, Failure> entered) {
                    if (!entered) return complete_now(operation, std::unexpected(entered.error()));
                    if (entered->phase == SalePhase::erasing) {
                      return complete_now(operation, std::unexpected(Failure{FailureCode::store_unavailable,
                                                                             "a sale of that id is being deleted"}));
                    }
                    create_keys(operation, entered->handle);
                  });
}

void RedisCore::create_keys(Operation& operation, SaleHandle handle) {
  const SaleTerms& terms = std::get<CreateSale>(operation.command).terms;
  const SaleKeys keys(handle);
  net::RedisCommand call(
      SaleScripts::standard().create, {keys.hash, keys.stream}, pack_script_terms(terms), terms.stock,
      terms.closes_at ? 1 : 0, terms.closes_at ? terms.closes_at->time_since_epoch().count() : std::int64_t{0},
      pack_terms(terms), registry_.store(), pack_era({.incarnation = random_incarnation()}), past_.run());
  client_.execute(keys.hash, std::move(call), deadline_from_now(),
                  [this, &operation, handle, alive = std::weak_ptr(alive_)](net::RedisResult result) {
                    if (alive.expired()) return;
                    if (!result) return complete_now(operation, std::unexpected(failure_of(result.error())));
                    created(operation, handle, *result);
                  });
}

void RedisCore::created(Operation& operation, SaleHandle handle, const net::RedisReply& reply) {
  const SaleTerms& terms = std::get<CreateSale>(operation.command).terms;
  const auto present = read_terms(reply.at(0).text);
  if (!present) {
    return complete_now(operation, std::unexpected(Failure{FailureCode::store_unavailable,
                                                           "the terms of a sale were written by another release"}));
  }
  Outcome outcome = Outcome::sale_exists;
  if (*present == terms) outcome = reply.at(1).integer == 1 ? Outcome::done : Outcome::unchanged;
  const RegisteredSale* sale = registry_.find(terms.id);
  if (sale == nullptr || sale->phase == SalePhase::open) return show_created(operation, handle, outcome);
  registry_.set_phase(terms.id, handle, SalePhase::open, deadline_from_now(),
                      [this, &operation, handle, outcome](const std::expected<void, Failure>& opened) {
                        if (!opened) return complete_now(operation, std::unexpected(opened.error()));
                        show_created(operation, handle, outcome);
                      });
}

/// Asks for the view of one sale.
class RedisCore::ViewRequest final : public DeskRequest {
 public:
  using Done = std::move_only_function<void(std::expected<SaleView, Failure>)>;
  ViewRequest(const KnownSale& sale, Done done) : sale_(sale), done_(std::move(done)) {}

  void add(net::RedisCommand& call) override { call.add(std::string_view{"V"}); }
  bool read(BinaryReader& reader, const CallHead& head) override {
    const SaleSummary summary = read_summary(reader);
    if (!reader.ok()) return false;
    done_(view_of(sale_, summary, head.now));
    return true;
  }
  void fail(const Failure& failure) override { done_(std::unexpected(failure)); }

 private:
  const KnownSale& sale_;
  Done done_;
};

void RedisCore::show_created(Operation& operation, SaleHandle handle, Outcome outcome) {
  const SteadyTime deadline = deadline_from_now();
  with_desk(handle, [this, &operation, outcome, deadline](const DeskOr& desk) {
    if (!desk) return complete_now(operation, std::unexpected(desk.error()));
    if (!*desk) return complete_now(operation, SaleAnswer{});
    auto shown = [this, &operation, outcome](std::expected<SaleView, Failure> view) {
      if (!view) return complete_now(operation, std::unexpected(view.error()));
      complete_now(operation, SaleAnswer{.outcome = outcome, .sale = std::move(*view)});
    };
    (*desk)->submit(std::make_unique<ViewRequest>((*desk)->sale(), std::move(shown)), deadline);
  });
}

// --- delete ---

namespace {

/// Deletes a sale where nothing stands against it.
class EraseRequest final : public DeskRequest {
 public:
  using Done = std::move_only_function<void(std::expected<SaleAnswer, Failure>)>;
  EraseRequest(const KnownSale& sale, Erased which, Done done) : sale_(sale), which_(which), done_(std::move(done)) {}

  void add(net::RedisCommand& call) override { add_erase_request(call, which_); }
  bool read(BinaryReader& reader, const CallHead& head) override {
    auto answer = read_answer(reader, DeleteSale{}, sale_, head.now);
    if (!answer) return false;
    done_(std::get<SaleAnswer>(std::move(*answer)));
    return true;
  }
  void fail(const Failure& failure) override { done_(std::unexpected(failure)); }

 private:
  const KnownSale& sale_;
  const Erased which_;
  Done done_;
};

}  // namespace

void RedisCore::erase(Operation& operation, const DeleteSale& command) {
  const SteadyTime deadline = deadline_from_now();
  auto found = [this, &operation, deadline, id = command.sale](DeskOr desk) {
    if (!desk) return complete_now(operation, std::unexpected(desk.error()));
    if (!*desk) return complete_now(operation, SaleAnswer{});
    const SaleHandle handle = (*desk)->sale().handle;
    // From here on its keys may be missing without being lost.
    registry_.set_phase(
        id, handle, SalePhase::erasing, deadline,
        [this, &operation, deadline, id, desk = *desk](const std::expected<void, Failure>& marked) {
          if (!marked) return complete_now(operation, std::unexpected(marked.error()));
          auto answered = [this, &operation, id,
                           handle = desk->sale().handle](std::expected<SaleAnswer, Failure> answer) {
            if (!answer) return complete_now(operation, std::unexpected(answer.error()));
            erased(id, handle, *answer);
            complete_now(operation, std::move(*answer));
          };
          const auto which = options_.deliveries == Deliveries::none ? Erased::any : Erased::delivered_only;
          desk->submit(std::make_unique<EraseRequest>(desk->sale(), which, std::move(answered)), deadline);
        });
  };
  look_up({.id = command.sale, .handle = {}, .deadline = deadline, .found = std::move(found)});
}

/// Takes it out of the list, or puts it back.
void RedisCore::erased(const std::string& id, SaleHandle handle, const SaleAnswer& answer) {
  const bool gone = answer.outcome == Outcome::done;
  registry_.set_phase(id, handle, gone ? std::nullopt : std::optional(SalePhase::open), deadline_from_now(),
                      [id](const std::expected<void, Failure>& told) {
                        if (!told)
                          spdlog::warn("sale {}: the list of sales is not up to date: {}", id, told.error().detail);
                      });
  if (gone) retire(handle);
}

/// Whoever began to delete a sale and died, or could not put it back, has left it `erasing`: nobody looks after it, and
/// what happens to its keys is not told. After a while, in which a deletion that runs has long ended, its keys decide.
/// The while is counted for each deletion by itself: another may begin before this node has seen the end of the first.
void RedisCore::finish_erasing() {
  const SteadyTime now = SteadyClock::now();
  const auto is_erasing = [this](std::uint64_t handle) {
    const RegisteredSale* sale = registry_.find(registry_.id_of(SaleHandle{handle}));
    return sale != nullptr && sale->phase == SalePhase::erasing;
  };
  std::erase_if(erasing_, [&](const auto& one) { return !is_erasing(one.first); });
  for (const auto& [id, sale] : registry_.sales()) {
    if (sale.phase != SalePhase::erasing) continue;
    Erasing& erasing = erasing_.try_emplace(value(sale.handle), Erasing{now, {}}).first->second;
    if (erasing.which && now - erasing.since >= erasing_lasts * options_.patience) {
      erasing.since = now;
      finish_erasing(id, sale.handle, *erasing.which);
    }
    registry_.ask_deletion(id, deadline_from_now(), [this, handle = sale.handle](Registry::Deletion which) {
      const auto found = erasing_.find(value(handle));
      if (found != erasing_.end() && found->second.which != which) found->second = {SteadyClock::now(), which};
    });
  }
}

void RedisCore::finish_erasing(const std::string& id, SaleHandle handle, const Registry::Deletion& which) {
  const std::string key = SaleKeys(handle).hash;
  client_.execute(key, net::RedisCommand("HGET", key, std::string_view{"store"}), deadline_from_now(),
                  [this, id, handle, which, alive = std::weak_ptr(alive_)](const net::RedisResult& result) {
                    if (alive.expired() || !result) return;
                    const bool there = result->text == registry_.store();
                    spdlog::warn("sale {}: its deletion was left half done; it is {}", id,
                                 there ? "served again" : "taken out of the list");
                    registry_.end_deletion(id, handle, there ? std::optional(SalePhase::open) : std::nullopt, which,
                                           deadline_from_now());
                  });
}

// --- list ---

/// A page of sales that comes together.
struct RedisCore::Listing {
  Operation& operation;
  SalesAnswer answer;
  std::size_t missing = 0;
  std::optional<Failure> failure;
};

void RedisCore::list(Operation& operation, const ListSales& command) {
  registry_.refresh(deadline_from_now(), [this, &operation, command](const std::expected<void, Failure>& result) {
    if (!result) return complete_now(operation, std::unexpected(result.error()));
    auto listing = std::make_shared<Listing>(Listing{.operation = operation, .answer = {}, .failure = {}});
    std::vector<std::pair<std::string, SaleHandle>> page;
    for (auto at = registry_.sales().upper_bound(command.after); at != registry_.sales().end(); ++at) {
      if (at->second.phase == SalePhase::making) continue;
      if (page.size() == std::max<std::uint32_t>(command.limit, 1)) {
        listing->answer.next = page.back().first;
        break;
      }
      page.emplace_back(at->first, at->second.handle);
    }
    if (page.empty()) return complete_now(operation, listing->answer);
    listing->missing = page.size();
    listing->answer.items.resize(page.size());
    auto arrived = [this, listing](std::size_t place, std::expected<SaleView, Failure> view) {
      if (view) {
        listing->answer.items[place] = std::move(*view);
      } else {
        listing->failure = view.error();
      }
      if (--listing->missing > 0) return;
      if (listing->failure) return complete_now(listing->operation, std::unexpected(*listing->failure));
      std::erase_if(listing->answer.items, [](const SaleView& one) { return one.terms.id.empty(); });
      complete_now(listing->operation, std::move(listing->answer));
    };
    const SteadyTime deadline = deadline_from_now();
    for (std::size_t place = 0; place < page.size(); ++place) {
      with_desk(page[place].second, [arrived, place, deadline](const DeskOr& desk) {
        if (!desk) return arrived(place, std::unexpected(desk.error()));
        if (!*desk) return arrived(place, SaleView{});  // deleted meanwhile
        auto shown = [arrived, place](std::expected<SaleView, Failure> view) { arrived(place, std::move(view)); };
        (*desk)->submit(std::make_unique<ViewRequest>((*desk)->sale(), std::move(shown)), deadline);
      });
    }
  });
}

// --- audit ---

void RedisCore::add_losses(SaleHandle sale, AuditAnswer& answer) const {
  for (const Loss& loss : past_.losses_of(sale)) {
    if (loss.settled) continue;
    answer.mismatches.push_back(text_of(loss));
    answer.ok = false;
  }
}

void RedisCore::audit(Operation& operation, const AuditSale& command) {
  if (audit_)
    return complete_now(
        operation,
        AuditAnswer{.outcome = Outcome::audit_running, .customers_over_limit = {}, .orders = {}, .mismatches = {}});
  const SteadyTime deadline = deadline_from_now();
  auto found = [this, &operation, depth = command.depth](DeskOr desk) {
    if (!desk) return complete_now(operation, std::unexpected(desk.error()));
    if (!*desk) return complete_now(operation, AuditAnswer{});
    if (audit_) {
      return complete_now(
          operation,
          AuditAnswer{.outcome = Outcome::audit_running, .customers_over_limit = {}, .orders = {}, .mismatches = {}});
    }
    const SaleHandle handle = (*desk)->sale().handle;
    audit_ = std::make_shared<RedisAudit>(std::move(*desk), depth,
                                          [this, &operation, handle](std::expected<AuditAnswer, Failure> answer) {
                                            const auto ended = std::move(audit_);  // it calls from its own member
                                            if (!answer)
                                              return complete_now(operation, std::unexpected(answer.error()));
                                            add_losses(handle, *answer);
                                            complete_now(operation, std::move(*answer));
                                          });
    audit_->start();
  };
  look_up({.id = command.sale, .handle = {}, .deadline = deadline, .found = std::move(found)});
}

}  // namespace firstcome::engine
