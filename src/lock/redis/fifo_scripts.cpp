#include "lock/redis/fifo_scripts.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace firstcome::lock {

using net::RedisCommand;
using net::RedisReply;
using net::RedisScript;

// Embedded by the build.
std::string_view fifo_common_lua();
std::string_view fifo_acquire_lua();
std::string_view fifo_release_lua();
std::string_view fifo_renew_lua();
std::string_view fifo_cancel_lua();
std::string_view fifo_pulse_lua();
std::string_view fifo_inspect_lua();

namespace {

/// The line with the flags must be the first.
RedisScript with_common(std::string_view script) {
  const std::size_t end = script.find('\n') + 1;
  std::string text(script.substr(0, end));
  text += fifo_common_lua();
  text += script.substr(end);
  return RedisScript(std::move(text));
}

RedisCommand& add_trust(RedisCommand& command, Trust trust) {
  return trust == Trust::yes ? command.add_unless_redirected("1", "0") : command.add("0");
}

constexpr std::string_view tried(Repeated repeated) { return repeated == Repeated::yes ? "again" : "first"; }

std::uint64_t number(const RedisReply& reply) { return static_cast<std::uint64_t>(reply.to_integer().value_or(0)); }

Milliseconds time(const RedisReply& reply) { return Milliseconds{reply.to_integer().value_or(0)}; }

std::optional<FifoGrant> grant(const RedisReply& reply) {
  if (!reply.is_array() || reply.elements.size() != 4) return {};
  return FifoGrant{number(reply.at(0)), number(reply.at(1)), time(reply.at(2)), number(reply.at(3))};
}

bool is_array_of(const RedisReply& reply, std::size_t least) {
  return reply.is_array() && reply.elements.size() >= least;
}

template <typename Outcome, std::size_t count>
std::optional<Outcome> outcome_of(const RedisReply& reply, const std::array<std::string_view, count>& words) {
  for (std::size_t i = 0; i < count; ++i) {
    if (reply.text == words[i]) return static_cast<Outcome>(i);
  }
  return {};
}

}  // namespace

FifoScripts FifoScripts::standard() {
  static const FifoScripts all{with_common(fifo_acquire_lua()), with_common(fifo_release_lua()),
                               with_common(fifo_renew_lua()),   with_common(fifo_cancel_lua()),
                               with_common(fifo_pulse_lua()),   with_common(fifo_inspect_lua())};
  return all;
}

FifoPlace fifo_place(std::string_view name, std::string process, Channels channels) {
  const std::string tag = "{" + std::string(name) + "}";
  std::string inbox = "firstcome:inbox:";
  if (channels == Channels::by_name) inbox += tag + ":";
  return {.key = "firstcome:lock:" + tag, .process = std::move(process), .inbox = std::move(inbox)};
}

RedisCommand acquire_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                             const AcquireRequest& request, Trust trust) {
  RedisCommand command(scripts.acquire, {place.key}, place.process, place.inbox);
  add_trust(command, trust).add(request.number).add(request.lease.count());
  command.add(request.once == Once::yes ? "once" : "wait").add(std::min(times.claim, request.lease).count());
  command.add(times.waiter_lease.count()).add(times.keep.count()).add(times.most_waiters);
  command.add(tried(request.repeated));
  return command;
}

RedisCommand release_command(const FifoScripts& scripts, const FifoPlace& place, FifoGrantId grant, Repeated repeated,
                             Trust trust) {
  RedisCommand command(scripts.release, {place.key}, place.process, place.inbox);
  add_trust(command, trust).add(grant.number).add(grant.token).add(tried(repeated));
  return command;
}

RedisCommand renew_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                           FifoGrantId grant, Milliseconds lease) {
  RedisCommand command(scripts.renew, {place.key}, place.process);
  command.add(grant.number).add(grant.token).add(lease.count()).add(times.keep.count());
  return command;
}

RedisCommand cancel_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                            std::uint64_t number, Trust trust) {
  RedisCommand command(scripts.cancel, {place.key}, place.process, place.inbox);
  add_trust(command, trust).add(number).add(times.keep.count());
  return command;
}

RedisCommand pulse_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times, Trust trust) {
  RedisCommand command(scripts.pulse, {place.key}, place.process, place.inbox);
  add_trust(command, trust).add(times.waiter_lease.count()).add(times.keep.count());
  return command;
}

RedisCommand inspect_command(const FifoScripts& scripts, const FifoPlace& place) {
  return RedisCommand(scripts.inspect, {place.key});
}

std::optional<AcquireReply> read_acquire(const RedisReply& reply) {
  constexpr std::array<std::string_view, 5> words{"granted", "queued", "busy", "refused", "full"};
  const auto outcome = outcome_of<AcquireReply::Outcome>(reply.at(0), words);
  if (!is_array_of(reply, 6) || !outcome) return {};
  return AcquireReply{.outcome = *outcome,
                      .token = number(reply.at(1)),
                      .left = time(reply.at(2)),
                      .ticket = number(reply.at(3)),
                      .before = number(reply.at(4)),
                      .sure = number(reply.at(5)) != 0,
                      .grant = grant(reply.at(6))};
}

std::optional<ReleaseReply> read_release(const RedisReply& reply) {
  constexpr std::array<std::string_view, 3> words{"released", "lost", "unknown"};
  const auto outcome = outcome_of<ReleaseReply::Outcome>(reply.at(0), words);
  if (!is_array_of(reply, 2) || !outcome) return {};
  return ReleaseReply{.outcome = *outcome, .token = number(reply.at(1)), .grant = grant(reply.at(2))};
}

std::optional<RenewReply> read_renew(const RedisReply& reply) {
  if (!is_array_of(reply, 2) || !reply.at(0).is_integer()) return {};
  return RenewReply{.length = time(reply.at(0)), .token = number(reply.at(1))};
}

std::optional<CancelReply> read_cancel(const RedisReply& reply) {
  if (!is_array_of(reply, 2) || !reply.at(0).is_text()) return {};
  return CancelReply{.token = number(reply.at(1)), .grant = grant(reply.at(2))};
}

std::optional<PulseReply> read_pulse(const RedisReply& reply) {
  if (!is_array_of(reply, 7) || !reply.at(0).is_integer()) return {};
  return PulseReply{.known = reply.at(0).integer != 0,
                    .token = number(reply.at(1)),
                    .left = time(reply.at(2)),
                    .owner = reply.at(3).text,
                    .sure = number(reply.at(4)) != 0,
                    .waiting = number(reply.at(5)),
                    .ticket = number(reply.at(6)),
                    .grant = grant(reply.at(7))};
}

std::optional<InspectReply> read_inspect(const RedisReply& reply) {
  if (!is_array_of(reply, 7) || !reply.at(0).is_text()) return {};
  return InspectReply{.owner = reply.at(0).text,
                      .token = number(reply.at(1)),
                      .left = time(reply.at(2)),
                      .head = number(reply.at(3)),
                      .tail = number(reply.at(4)),
                      .lapse = number(reply.at(5)),
                      .sure = number(reply.at(6)) != 0};
}

std::optional<FifoGrant> read_message(std::string_view text) {
  std::array<std::uint64_t, 4> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [stopped, error] = std::from_chars(at, end, numbers[i]);
    const bool last = i + 1 == numbers.size();
    if (error != std::errc{} || (last ? stopped != end : stopped == end || *stopped != ' ')) return {};
    at = last ? stopped : stopped + 1;
  }
  return FifoGrant{numbers[0], numbers[1], Milliseconds{numbers[2]}, numbers[3]};
}

std::optional<std::uint64_t> number_of(std::string_view owner, std::string_view process) {
  if (owner.size() <= process.size() + 1 || !owner.starts_with(process) || owner[process.size()] != ':') return {};
  std::uint64_t number = 0;
  const char* const end = owner.data() + owner.size();
  const auto [stopped, error] = std::from_chars(owner.data() + process.size() + 1, end, number);
  if (error != std::errc{} || stopped != end) return {};
  return number;
}

}  // namespace firstcome::lock
