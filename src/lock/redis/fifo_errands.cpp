// What a desk sends that is of no seat: requests of administrators, of holders that are no acquisitions of this
// process, and what nobody waits for.
#include "lock/redis/fifo_desk.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace firstcome::lock {

using net::RedisResult;

namespace {

/// Of a look for a holder, for which somebody waits beyond the end of a wait.
constexpr std::chrono::seconds look_patience{1};

}  // namespace

/// A request that is sent once. Its reply may tell of grants, as every other.
template <typename Reply>
void FifoDesk::run_errand(net::RedisCommand command, std::optional<Reply> (*read)(const net::RedisReply&),
                          BootTime limit, Errand<Reply> done) {
  ++busy_;
  const BootTime sent = BootClock::now();
  office_.execute(place_.key, std::move(command), limit,
                  [self = shared_from_this(), sent, read, done = std::move(done)](const RedisResult& result) mutable {
                    --self->busy_;
                    const std::optional<Reply> reply = result ? read(*result) : std::nullopt;
                    if (!reply) {
                      done(std::unexpected(result ? no_reply_at(self->place_) : lock_failure(result.error())));
                      return self->settle();
                    }
                    std::vector<FifoGrant> grants;
                    if constexpr (requires { reply->grants; }) grants = reply->grants;
                    done(*reply);
                    self->carry_out(self->line_.answered(sent, BootClock::now(), reply->token, grants));
                  });
}

/// Safe to carry out twice, so it needs no repetition of its own.
void FifoDesk::shrink(const Seat& seat, std::uint32_t weight, Answer<ShrinkAnswer> done) {
  const ReleaseRequest request{.grant = {seat->number, seat->token}, .stays = weight};
  run_errand<ReleaseReply>(
      release_command(office_.scripts(place_), place_, office_.options().times, request, office_.trust(place_.key)),
      read_release, office_.limit(), [done = std::move(done)](std::expected<ReleaseReply, LockFailure> reply) mutable {
        if (!reply) return done(std::unexpected(std::move(reply.error())));
        const bool shrunk = reply->outcome == ReleaseReply::Outcome::released;
        done(shrunk ? ShrinkOutcome::shrunk : ShrinkOutcome::lost);
      });
}

void FifoDesk::set_capacity(std::uint32_t capacity, Answer<std::expected<void, LockFailure>> done) {
  const FifoOptions& options = office_.options();
  run_errand<CancelReply>(
      capacity_command(options.permit_scripts, place_, options.times, capacity, office_.trust(place_.key)),
      read_capacity, office_.limit(), [done = std::move(done)](std::expected<CancelReply, LockFailure> reply) mutable {
        if (!reply) return done(std::unexpected(std::move(reply.error())));
        done({});
      });
}

void FifoDesk::force_release(std::uint64_t token, Answer<std::expected<FreeOutcome, LockFailure>> done) {
  run_errand<FreeReply>(free_command(office_.scripts(place_), place_, token, office_.trust(place_.key)), read_free,
                        office_.limit(), [done = std::move(done)](std::expected<FreeReply, LockFailure> reply) mutable {
                          if (!reply) return done(std::unexpected(std::move(reply.error())));
                          done(reply->outcome);
                        });
}

/// An acquire with this number, which nobody waits for any more, is refused when it comes. Where this fails, its lease
/// ends what it takes.
void FifoDesk::disown(std::uint64_t number) {
  run_errand<CancelReply>(cancel_command(office_.scripts(place_), place_, office_.options().times,
                                         {number, LateCopy::possible}, office_.trust(place_.key)),
                          read_cancel, office_.limit(), [](const std::expected<CancelReply, LockFailure>&) {});
}

/// A grant that nobody here wants. Where this fails, its claim ends, or the next pulse sees it.
void FifoDesk::send_release(FifoGrantId grant) {
  const ReleaseRequest request{.grant = grant, .late_copy = LateCopy::possible};
  run_errand<ReleaseReply>(
      release_command(office_.scripts(place_), place_, office_.options().times, request, office_.trust(place_.key)),
      read_release, office_.limit(), [](const std::expected<ReleaseReply, LockFailure>&) {});
}

void FifoDesk::find_holder(const std::string& holder, Answer<HolderAnswer> done) {
  if (office_.options().replicas != 0) return find_replicated_holder(holder, std::move(done));
  const BootTime sent = BootClock::now();
  run_errand<InspectReply>(
      inspect_command(office_.scripts(place_), place_), read_inspect, std::min(office_.limit(), sent + look_patience),
      [sent, holder, done = std::move(done)](std::expected<InspectReply, LockFailure> reply) mutable {
        if (!reply) return done(std::unexpected(std::move(reply.error())));
        if (reply->owner != holder) return done(std::nullopt);
        done(Grant{.token = reply->token, .base = sent, .length = reply->left});
      });
}

/// Keeps this desk until the answer has come.
Answer<HolderAnswer> FifoDesk::busy_until(Answer<HolderAnswer> done) {
  ++busy_;
  return [self = shared_from_this(), done = std::move(done)](HolderAnswer answer) mutable {
    --self->busy_;
    done(std::move(answer));
    self->settle();
  };
}

/// What it has counts when the replicas have it. To ask them, it is written again, which prolongs it.
void FifoDesk::find_replicated_holder(const std::string& holder, Answer<HolderAnswer> answer) {
  Answer<HolderAnswer> done = busy_until(std::move(answer));
  const BootTime sent = BootClock::now();
  office_.execute_grant(
      place_.key,
      renew_command(office_.scripts(place_), place_, office_.options().times, {.grant = {}, .holder = holder}),
      std::min(office_.limit(), sent + look_patience),
      [self = shared_from_this(), sent, done = std::move(done)](const RedisResult& result) mutable {
        const std::optional<RenewReply> reply = result ? read_renew(*result) : std::nullopt;
        if (!reply) return done(std::unexpected(result ? no_reply_at(self->place_) : lock_failure(result.error())));
        if (reply->length <= Milliseconds{0}) return done(std::nullopt);
        const Grant grant{.token = reply->token, .base = sent, .length = reply->length};
        self->office_.when_replicated(self->place_.key,
                                      [grant, done = std::move(done)](std::optional<LockFailure> failure) mutable {
                                        if (failure) return done(std::unexpected(std::move(*failure)));
                                        done(grant);
                                      });
      });
}

void FifoDesk::renew_holder(const std::string& holder, Answer<HolderAnswer> done) {
  renew_holder(holder, Try::first, office_.limit(), std::move(done));
}

/// Once more over another connection, where one broke: twice has the effect of once.
void FifoDesk::renew_holder(const std::string& holder, Try repeat, BootTime limit, Answer<HolderAnswer> done) {
  const BootTime sent = BootClock::now();
  run_errand<RenewReply>(
      renew_command(office_.scripts(place_), place_, office_.options().times, {.grant = {}, .holder = holder}),
      read_renew, limit,
      [self = shared_from_this(), holder, repeat, limit, sent,
       done = std::move(done)](std::expected<RenewReply, LockFailure> reply) mutable {
        if (!reply && reply.error().kind == LockFailure::Kind::broken && repeat == Try::first)
          return self->renew_holder(holder, Try::again, limit, std::move(done));
        if (!reply) {
          // The first may have been carried out.
          if (repeat == Try::again) reply.error().kind = LockFailure::Kind::broken;
          return done(std::unexpected(std::move(reply.error())));
        }
        if (reply->length <= Milliseconds{0}) return done(std::nullopt);
        done(Grant{.token = reply->token, .base = sent, .length = reply->length});
      });
}

/// Looks for the token first: a copy that comes late must not end what the holder has acquired meanwhile.
void FifoDesk::release_holder(const std::string& holder, Answer<ReleaseAnswer> done) {
  const BootTime limit = office_.limit();
  run_errand<InspectReply>(inspect_command(office_.scripts(place_), place_), read_inspect, limit,
                           [self = shared_from_this(), holder, limit,
                            done = std::move(done)](std::expected<InspectReply, LockFailure> reply) mutable {
                             if (!reply) {
                               // Nothing was asked for yet.
                               if (reply.error().kind == LockFailure::Kind::broken)
                                 reply.error().kind = LockFailure::Kind::unavailable;
                               return done(std::unexpected(std::move(reply.error())));
                             }
                             if (reply->owner != holder) return done(ReleaseOutcome::lost);
                             self->release_holder(ReleaseRequest{.grant = {0, reply->token}, .holder = holder}, limit,
                                                  std::move(done));
                           });
}

/// Once more over another connection, where one broke.
void FifoDesk::release_holder(const ReleaseRequest& request, BootTime limit, Answer<ReleaseAnswer> done) {
  run_errand<ReleaseReply>(
      release_command(office_.scripts(place_), place_, office_.options().times, request, office_.trust(place_.key)),
      read_release, limit,
      [self = shared_from_this(), request, limit,
       done = std::move(done)](std::expected<ReleaseReply, LockFailure> reply) mutable {
        if (reply) return done(outcome_of(*reply));
        if (reply.error().kind == LockFailure::Kind::broken && request.repeated == Repeated::no) {
          ReleaseRequest again = request;
          again.repeated = Repeated::yes;
          return self->release_holder(again, limit, std::move(done));
        }
        // The first may have been carried out.
        if (request.repeated == Repeated::yes) reply.error().kind = LockFailure::Kind::broken;
        done(std::unexpected(std::move(reply.error())));
      });
}

}  // namespace firstcome::lock
