#include "engine/redis/redis_past.hpp"

#include "engine/redis/past_codec.hpp"
#include "engine/redis/sale_codec.hpp"
#include "engine/redis/sale_scripts.hpp"

#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::chrono::hours forgotten_after{1};  // as sale_seldom.lua forgets a node that it has not heard of

Failure unreadable() {
  return {FailureCode::store_unavailable, "what a sale knows of its past was written by another release"};
}

/// Of the answer to INFO; empty where it does not say.
std::string run_in(std::string_view info) {
  constexpr std::string_view name = "run_id:";
  const std::size_t at = info.find(name);
  if (at == info.npos) return {};
  const std::string_view rest = info.substr(at + name.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

std::size_t open_ones(const std::vector<Loss>& losses) {
  return static_cast<std::size_t>(std::ranges::count_if(losses, [](const Loss& loss) { return !loss.settled; }));
}

}  // namespace

Incarnation random_incarnation() {
  std::uint32_t number = 0;
  std::array<unsigned char, sizeof number> bytes{};
  while (number == 0) {
    [[maybe_unused]] const int made = RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    assert(made == 1);
    std::memcpy(&number, bytes.data(), bytes.size());
  }
  return Incarnation{number};
}

/// One look, from the question to the answer.
struct RedisPast::Look {
  PastQuestion question;
  SteadyTime deadline;
  Done done;

  SteadyTime began;          ///< the last time that it was begun
  int repeats = 0;           ///< since the way was disturbed in the midst of it
  std::string run;           ///< of the server; empty: it does not say
  std::string eras, losses;  ///< as they stand in the hash
  std::vector<Loss> all;     ///< as they are to be
  std::vector<Loss> now;     ///< that are found, or settled, by what is to be written
  std::vector<Loss> noted;   ///< the same of what was written
  bool has_lost_answers = false;
  Incarnation begins = no_incarnation;
  Reached above;  ///< as they are told

  void fail(Failure failure) { done(std::unexpected(std::move(failure))); }
};

void RedisPast::begin(SteadyTime deadline, std::move_only_function<void()> done) {
  identity_ = std::make_shared<StoreIdentity>(registry_.secret());
  client_.execute(
      "firstcome:sales", net::RedisCommand("INFO", std::string_view{"server"}), deadline,
      [this, alive = std::weak_ptr(alive_), done = std::move(done)](const net::RedisResult& result) mutable {
        if (alive.expired()) return;
        if (result) run_ = run_in(result->text);
        done();
      });
}

void RedisPast::look(PastQuestion question, SteadyTime deadline, Done done) {
  auto look = std::make_shared<Look>();
  look->question = std::move(question);
  look->deadline = deadline;
  look->done = std::move(done);
  ask_run(std::move(look));
}

/// A server that is not allowed to tell is taken for the one that it was.
void RedisPast::ask_run(std::shared_ptr<Look> look) {
  const std::string key = SaleKeys(look->question.sale).hash;
  const SteadyTime deadline = look->deadline;
  look->began = std::chrono::steady_clock::now();
  client_.execute(key, net::RedisCommand("INFO", std::string_view{"server"}), deadline,
                  [this, look = std::move(look), alive = std::weak_ptr(alive_)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    if (is_worth_repeating(result, look->deadline)) return ask_run(std::move(look));
                    if (!result && result.error().kind != net::RedisFailure::Kind::refused) {
                      return look->fail(failure_of(result.error()));
                    }
                    look->run = result ? run_in(result->text) : std::string();
                    run_ = look->run;
                    ask_sale(std::move(look));
                  });
}

void RedisPast::ask_sale(std::shared_ptr<Look> look) {
  const std::string key = SaleKeys(look->question.sale).hash;
  net::RedisCommand command("HMGET", key);
  for (const std::string_view field : {"store", "m", "i", "l", "q"}) command.add(field);
  const SteadyTime deadline = look->deadline;
  client_.execute(key, std::move(command), deadline,
                  [this, look = std::move(look), alive = std::weak_ptr(alive_)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    if (is_worth_repeating(result, look->deadline)) return ask_sale(std::move(look));
                    if (!result) return look->fail(failure_of(result.error()));
                    // It was answered by another server, perhaps, than the one that said its run. Where the sale is
                    // moved to another node of a cluster, each question is redirected: once more is enough then.
                    const bool was_disturbed = client_.settled_since(SaleKeys(look->question.sale).hash) > look->began;
                    if (was_disturbed && look->repeats++ == 0) {
                      return ask_run(std::move(look));
                    }
                    compare(look, *result);
                  });
}

void RedisPast::compare(const std::shared_ptr<Look>& look, const net::RedisReply& reply) {
  const PastQuestion& question = look->question;
  if (reply.at(0).text != registry_.store()) {
    return look->fail({FailureCode::store_lost, "the store has lost the sale " + question.sale_id});
  }
  auto reached = read_reached(reply.at(1).text);
  look->eras = reply.at(2).text;
  look->losses = reply.at(3).text;
  const auto eras = read_eras(look->eras, question.sale);
  Loss of_sale;
  of_sale.sale = question.sale;
  of_sale.sale_id = question.sale_id;
  auto losses = read_losses(look->losses, of_sale);
  if (!reached || !eras || !losses) return look->fail(unreadable());
  look->all = std::move(*losses);
  look->now.clear();

  Incarnations so_far;
  for (const Era& era : *eras) so_far.begin(era);
  for (const Memory& memory : question.memories) {
    if (!is_possible(so_far, *reached, memory)) {
      spdlog::error("{}", text_of_impossible(memory, question.witness));
      continue;
    }
    auto found = find_loss(so_far, *reached, memory, look->all);
    if (!found) continue;
    found->loss.witness = question.witness;
    found->loss.found_at = reached->now;
    look->now.push_back(found->loss);
    look->all.push_back(std::move(found->loss));
    so_far.begin(found->era);
  }
  const bool is_another_run = !look->run.empty() && look->run != reply.at(4).text;
  const bool went_back = question.forgotten_call && reached->now - *question.forgotten_call < forgotten_after;
  look->has_lost_answers |= went_back;
  look->begins = !look->now.empty() || is_another_run || went_back ? random_incarnation() : no_incarnation;
  const Era last = so_far.last_of(question.sale);
  look->above = {reached->number + last.added_to_number, reached->sequence + last.added_to_sequence, 0};
  if (question.settle) {
    for (Loss& loss : look->all) {
      if (loss.settled) continue;
      loss.settled = question.settle;
      loss.settled->at = reached->now;
      look->now.push_back(loss);
    }
  }
  if (look->begins == no_incarnation && look->now.empty()) return know(look);
  change(look);
}

void RedisPast::change(std::shared_ptr<Look> look) {
  const SaleKeys keys(look->question.sale);
  net::RedisCommand command(SaleScripts::standard().past, {keys.hash, keys.stream}, registry_.store(), look->eras,
                            look->losses, pack_losses(look->all), look->run, value(look->begins), look->above.number,
                            look->above.sequence);
  const SteadyTime deadline = look->deadline;
  client_.execute(keys.hash, std::move(command), deadline,
                  [this, look = std::move(look), alive = std::weak_ptr(alive_)](net::RedisResult result) mutable {
                    if (alive.expired()) return;
                    // Whether it ran or not, and whoever was quicker: the next look finds out.
                    if (!result && !is_worth_repeating(result, look->deadline)) {
                      return look->fail(failure_of(result.error()));
                    }
                    if (!result || result->integer == 0) return ask_sale(std::move(look));
                    for (const Loss& loss : look->now) {
                      if (!loss.settled) spdlog::error("{}", text_of(loss));
                    }
                    look->noted = std::move(look->now);
                    look->question = {.sale = look->question.sale, .sale_id = look->question.sale_id};
                    ask_sale(std::move(look));  // for the eras, which the script has written
                  });
}

void RedisPast::know(const std::shared_ptr<Look>& look) {
  const SaleHandle sale = look->question.sale;
  Known& known = known_[value(sale)];
  known.losses = look->all;
  if (known.eras != look->eras) {
    known.eras = look->eras;
    incarnations_.set(sale, *read_eras(look->eras, sale));
    identity_->set(incarnations_);
  }
  look->done(PastFound{look->has_lost_answers, std::move(look->noted), std::move(look->all)});
}

Memory RedisPast::memory_of(SaleHandle sale, const Reached& reached) const {
  const ToldSequence sequence = incarnations_.told_sequence(sale, reached.sequence);
  const ToldNumber number = incarnations_.told({sale, Number{reached.number}});
  return {.sale = sale,
          .sale_id = {},
          .incarnation = sequence.incarnation,
          .sequence = sequence.sequence,
          .number_incarnation = number.incarnation,
          .number = reached.number == 0 ? 0 : number.number};
}

const std::vector<Loss>& RedisPast::losses_of(SaleHandle sale) const {
  static const std::vector<Loss> none;
  const auto known = known_.find(value(sale));
  return known == known_.end() ? none : known->second.losses;
}

std::size_t RedisPast::open_losses() const {
  std::size_t open = 0;
  for (const auto& [handle, known] : known_) open += open_ones(known.losses);
  return open;
}

}  // namespace firstcome::engine
