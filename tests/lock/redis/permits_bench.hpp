// The scripts of permits on a real server, one call at a time, on a clock that a test moves.
#pragma once

#include "lock/redis/fifo_bench.hpp"

namespace firstcome::lock::test {

class PermitsBench : public FifoBench {
 protected:
  static FifoPlace semaphore(const Asker& who) {
    return fifo_place({Share::Of::semaphore, "S"}, who.process, Channels::one_for_all);
  }

  struct Wanted {
    std::uint32_t weight = 1;
    Milliseconds lease{30'000};
    Once once = Once::no;
    Repeated repeated = Repeated::no;
    Trust trust = Trust::yes;
    std::uint32_t capacity = 5;
  };
  AcquireReply take(const Asker& who, std::uint64_t number, Wanted wanted) {
    const Share share{Share::Of::semaphore, wanted.capacity, wanted.weight};
    const AcquireRequest request{number, wanted.lease, wanted.once, wanted.repeated, share};
    return read_acquire(run(acquire_command(permits.same, semaphore(who), times, request, wanted.trust)), wanted.lease)
        .value();
  }
  AcquireReply take(const Asker& who, std::uint64_t number) { return take(who, number, Wanted{}); }
  AcquireReply take_again(const Asker& who, std::uint64_t number, std::uint32_t weight = 1) {
    return take(who, number, {.weight = weight, .repeated = Repeated::yes});
  }
  ReleaseReply give(const Asker& who, std::uint64_t number, std::uint64_t token, Repeated repeated = Repeated::no) {
    return give(who, ReleaseRequest{.grant = {number, token}, .repeated = repeated});
  }
  ReleaseReply give(const Asker& who, const ReleaseRequest& request, Trust trust = Trust::yes) {
    return read_release(run(release_command(permits.same, semaphore(who), times, request, trust))).value();
  }
  ReleaseReply shrink(const Asker& who, std::uint64_t number, std::uint64_t token, std::uint32_t stays) {
    return give(who, ReleaseRequest{.grant = {number, token}, .stays = stays});
  }
  Milliseconds prolong(const Asker& who, std::uint64_t number, std::uint64_t token, Milliseconds lease) {
    return read_renew(run(renew_command(permits.same, semaphore(who), times, {{number, token}, lease}))).value().length;
  }
  /// What it did: left, gave, nothing.
  std::string give_up(const Asker& who, std::uint64_t number, LateCopy copy = LateCopy::no) {
    const net::RedisReply reply = run(cancel_command(permits.same, semaphore(who), times, {number, copy}, Trust::yes));
    cancelled = read_cancel(reply).value();
    return reply.at(0).text;
  }
  PulseReply beat(const Asker& who, const std::vector<std::uint64_t>& waiting) {
    return read_pulse(run(pulse_command(permits.same, semaphore(who), times, Trust::yes, waiting))).value();
  }
  CancelReply set_capacity(const Asker& who, std::uint32_t capacity) {
    return read_capacity(run(capacity_command(permits, semaphore(who), times, capacity, Trust::yes))).value();
  }
  SharesView view() {
    return read_shares(run(inspect_command(permits.same, semaphore({std::string(32, 'x')})))).value();
  }
  bool has(const std::string& field) {
    return run(net::RedisCommand("HEXISTS", "firstcome:semaphore:{S}", field)).integer == 1;
  }

  static PermitScripts skewed_permits() {
    const PermitScripts all = PermitScripts::standard();
    FifoScripts with_capacity = all.same;
    with_capacity.acquire = all.capacity;
    return {skewed(all.same), skewed(with_capacity).acquire};
  }

  PermitScripts permits = skewed_permits();
};

}  // namespace firstcome::lock::test
