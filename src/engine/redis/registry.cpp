#include "engine/redis/registry.hpp"

#include "engine/redis/sale_scripts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::string_view registry_key = "firstcome:sales";

constexpr std::array<std::string_view, 3> phase_words{"making", "open", "erasing"};

/// "HANDLE PHASE".
std::optional<RegisteredSale> read_entry(std::string_view text) {
  std::uint64_t handle = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), handle);
  if (error != std::errc{} || end == text.data() + text.size()) return std::nullopt;
  const std::string_view word(end + 1, text.data() + text.size());
  const auto* const found = std::ranges::find(phase_words, word);
  if (found == phase_words.end() || handle == 0) return std::nullopt;
  return RegisteredSale{SaleHandle{handle}, static_cast<SalePhase>(found - phase_words.begin())};
}

std::unexpected<Failure> unreadable() {
  return std::unexpected(Failure{FailureCode::store_unavailable, "the list of sales (firstcome:sales) is unreadable"});
}

template <class... Arguments>
net::RedisCommand registry_command(const Arguments&... arguments) {
  return {SaleScripts::standard().registry, {registry_key}, std::string_view{arguments}...};
}

}  // namespace

Failure failure_of(const net::RedisFailure& failure) {
  if (failure.is_refused("LOST")) {
    return {FailureCode::store_lost, "the store of this server is gone: " + failure.detail};
  }
  return {failure.may_have_run() ? FailureCode::outcome_unknown : FailureCode::store_unavailable,
          "Redis: " + failure.detail};
}

bool passes(const net::RedisFailure& failure) {
  constexpr std::array words{"READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"};
  return std::ranges::any_of(words, [&](std::string_view word) { return failure.is_refused(word); });
}

bool is_worth_repeating(const net::RedisResult& result, Registry::SteadyTime deadline) {
  return !result && result.error().kind == net::RedisFailure::Kind::unknown &&
         std::chrono::steady_clock::now() < deadline;
}

/// For what may be asked twice: where the connection breaks it is asked again.
void Registry::ask(net::RedisCommand command, SteadyTime deadline, Done done) {
  client_.execute(registry_key, command, deadline,
                  [this, command, deadline, alive = std::weak_ptr(alive_),
                   done = std::move(done)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    if (is_worth_repeating(result, deadline)) return ask(std::move(command), deadline, std::move(done));
                    done(result ? take(*result) : std::unexpected(failure_of(result.error())));
                  });
}

void Registry::found(const std::string& store, const StoreSecret& secret, SteadyTime deadline, Done done) {
  const std::string bytes(secret.begin(), secret.end());
  ask(registry_command(std::string_view{"found"}, store, bytes), deadline, std::move(done));
}

void Registry::refresh(SteadyTime deadline, Done done) {
  if (refreshing_) {
    waiters_.push_back({deadline, std::move(done)});
    return;
  }
  refreshing_ = true;
  ask(registry_command(std::string_view{"list"}, store_, version_), deadline,
      [this, done = std::move(done)](std::expected<void, Failure> result) mutable {
        refreshing_ = false;
        if (std::vector<Waiter> next = std::exchange(waiters_, {}); !next.empty()) {
          const SteadyTime latest = std::ranges::max_element(next, {}, &Waiter::deadline)->deadline;
          refresh(latest, [next = std::move(next)](std::expected<void, Failure> later) mutable {
            for (Waiter& waiter : next) waiter.done(later);
          });
        }
        done(std::move(result));
      });
}

/// Store, secret, version, then ids and entries; those only where the version is new.
std::expected<void, Failure> Registry::take(const net::RedisReply& reply) {
  if (!reply.is_array() || reply.elements.size() < 3 || reply.elements.size() % 2 == 0) return unreadable();
  const std::string& secret = reply.at(1).text;
  if (secret.size() != secret_.size() || reply.at(0).text.empty()) return unreadable();
  std::ranges::copy(secret, secret_.begin());
  store_ = reply.at(0).text;
  if (reply.at(2).text == version_) return {};
  std::map<std::string, RegisteredSale> sales;
  for (std::size_t i = 3; i < reply.elements.size(); i += 2) {
    const auto entry = read_entry(reply.at(i + 1).text);
    if (!entry) return unreadable();
    sales.emplace(reply.at(i).text, *entry);
  }
  version_ = reply.at(2).text;
  by_id_ = std::move(sales);
  by_handle_.clear();
  for (const auto& [id, sale] : by_id_) by_handle_.emplace(value(sale.handle), id);
  return {};
}

void Registry::enter_known(const std::string& id, RegisteredSale sale) {
  by_id_.insert_or_assign(id, sale);
  by_handle_.insert_or_assign(value(sale.handle), id);
}

void Registry::enter(const std::string& id, SteadyTime deadline, Entered done) {
  client_.execute(registry_key, registry_command(std::string_view{"enter"}, store_, id), deadline,
                  [this, id, alive = std::weak_ptr(alive_), done = std::move(done)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    if (!result) return done(std::unexpected(failure_of(result.error())));
                    const auto entry = read_entry(result->at(1).text);
                    if (!entry) return done(unreadable());
                    enter_known(id, *entry);
                    done(*entry);
                  });
}

namespace {

std::string_view word_of(std::optional<SalePhase> phase) {
  return phase ? phase_words[static_cast<std::size_t>(*phase)] : "gone";
}

}  // namespace

void Registry::ask_deletion(const std::string& id, SteadyTime deadline, std::move_only_function<void(Deletion)> done) {
  client_.execute(registry_key, net::RedisCommand("HGET", registry_key, "e:" + id), deadline,
                  [alive = std::weak_ptr(alive_), done = std::move(done)](const net::RedisResult& result) mutable {
                    if (!alive.expired() && result) done(result->text);
                  });
}

void Registry::end_deletion(const std::string& id, SaleHandle handle, std::optional<SalePhase> phase,
                            const Deletion& deletion, SteadyTime deadline) {
  client_.execute(
      registry_key,
      registry_command(std::string_view{"phase"}, store_, id, std::to_string(value(handle)), word_of(phase), deletion),
      deadline, [](const net::RedisResult&) {});
}

void Registry::set_phase(const std::string& id, SaleHandle handle, std::optional<SalePhase> phase, SteadyTime deadline,
                         Done done) {
  const std::string_view word = word_of(phase);
  client_.execute(registry_key,
                  registry_command(std::string_view{"phase"}, store_, id, std::to_string(value(handle)), word),
                  deadline,
                  [this, id, handle, phase, alive = std::weak_ptr(alive_),
                   done = std::move(done)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    if (!result) return done(std::unexpected(failure_of(result.error())));
                    const RegisteredSale* known = find(id);
                    if (known != nullptr && known->handle == handle) {
                      if (phase) {
                        by_id_[id].phase = *phase;
                      } else {
                        by_id_.erase(id);
                        by_handle_.erase(value(handle));
                      }
                    }
                    done({});
                  });
}

const RegisteredSale* Registry::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

const std::string& Registry::id_of(SaleHandle handle) const {
  static const std::string nobody;
  const auto found = by_handle_.find(value(handle));
  return found == by_handle_.end() ? nobody : found->second;
}

}  // namespace firstcome::engine
